"""The types of what a public function takes, said where it begins."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from fpmatch.checks import quoted
from fpmatch.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")


def array_of(dtype: str, ndim: int) -> Callable[[str, object], object]:
    """A check of `takes`: an array of one type and number of dimensions.

    Parameters
    ----------
    dtype : str
        As numpy names it.
    ndim : int
        Dimensions.

    Returns
    -------
    callable
        Raises `InputError` for anything else.
    """

    def check(name: str, value: object) -> object:
        found = str(getattr(value, "dtype", "")), getattr(value, "ndim", -1)
        if found != (dtype, ndim):
            raise InputError(
                f"{name} must be an array of {dtype} with {ndim} dimension(s), not {quoted(value)}"
            )
        return value

    return check


def listed(kind: type | str) -> Callable[[str, object], object]:
    """A check of `takes`: a list or tuple of values of one type.

    Parameters
    ----------
    kind : type or str
        Of each entry, or its name.

    Returns
    -------
    callable
        Raises `InputError` for anything else.
    """
    called = kind if isinstance(kind, str) else kind.__name__

    def check(name: str, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise InputError(f"{name} must be a list or a tuple, not {quoted(value)}")
        for one in value:
            if called not in {parent.__name__ for parent in type(one).__mro__}:
                raise InputError(f"{name} holds {quoted(one)}, which is no {called}")
        return value

    return check


def takes(**kinds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a public function: arguments of the wrong type are an `InputError`.

    For functions that would fail half way with an error of Python's. Costs about a microsecond,
    so not for what is called in a loop.

    Parameters
    ----------
    **kinds
        For each parameter to look at a type, a tuple of types, the name of a type that is not
        imported before it is needed, or a function of name and value.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        places = {name: n for n, name in enumerate(inspect.signature(function).parameters)}
        looked = [(name, places[name], kind) for name, kind in kinds.items()]

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name, place, kind in looked:
                if place < len(args):
                    value: object = args[place]
                elif name in kwargs:
                    value = kwargs[name]
                else:
                    continue
                if isinstance(kind, str):
                    if kind not in {one.__name__ for one in type(value).__mro__}:
                        raise InputError(f"{name} must be {kind}, not {quoted(value)}")
                elif not isinstance(kind, type | tuple):
                    kind(name, value)
                elif not isinstance(value, kind) or (
                    isinstance(value, bool) and kind in (int, (int, type(None)))
                ):
                    several = kind if isinstance(kind, tuple) else (kind,)
                    wanted = " or ".join(k.__name__ for k in several if k is not type(None))
                    raise InputError(f"{name} must be {wanted}, not {quoted(value)}")
            return function(*args, **kwargs)

        return checked

    return decorate
