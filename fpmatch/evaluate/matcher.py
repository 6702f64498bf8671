"""Any matcher: what it has to do, and how one is found by its name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import numbers
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import FpmatchError, InputError

if TYPE_CHECKING:
    from types import ModuleType

OURS = "fpmatch"
"""The matcher that needs no name."""
BUILT_IN = {
    "nbis": "fpmatch.evaluate.nbis_matcher:Nbis",
    "sourceafis": "fpmatch.evaluate.sourceafis_matcher:SourceAfis",
}
TAKES = ("image", "native", "template")


@runtime_checkable
class Matcher(Protocol):
    """What any matcher has to do to be evaluated.

    A class or a function without parameters is called first, once in each process. Optional
    attributes: ``name``, what reports call it; ``takes``, what it prepares: ``"image"`` (the
    default), brought to 500 ppi; ``"native"``, the pixels as they are in the file; or
    ``"template"``; ``cpu_seconds()``, the processor time of other processes that work for it.
    """

    def prepare(self, image: NDArray[np.uint8], ppi: float) -> Any:
        """Make of one impression what is compared; called once for each, or once a process.

        Parameters
        ----------
        image : (H, W) uint8
            Gray levels, ridges dark, at ``ppi``; a `Template` where the matcher takes those.
        ppi : float
            Pixels per inch: 500, to which other images are brought, or that of native pixels.

        Returns
        -------
        object
            Whatever `compare` takes. Bytes, numbers, arrays and tuples, lists and dicts of them
            are handed from process to process; anything else is made again where it is needed.
            None is a failure to enrol, as any exception is.
        """
        ...

    def compare(self, a: Any, b: Any) -> float:
        """Score two impressions; more alike is larger.

        Parameters
        ----------
        a, b : object
            The probe and the candidate, as `prepare` made them.

        Returns
        -------
        float
            Finite, on any scale.
        """
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A matcher, its name, and what it prepares.

    Parameters
    ----------
    matcher : Matcher
    name : str
    takes : str
        One of `TAKES`.
    """

    matcher: Matcher
    name: str
    takes: str


class _Plain:
    """A function of two impressions: nothing is prepared."""

    def __init__(self, score: Callable[[Any, Any], float]) -> None:
        self.compare = score

    def prepare(self, image: Any, ppi: float) -> Any:
        return image


def load_matcher(given: object, takes: str | None = None) -> Loaded:
    """Find a matcher, and call what makes one.

    Parameters
    ----------
    given : str, Matcher, class or callable
        ``nbis``; ``module:name`` or ``file.py:name``, looked for beside what is installed in the
        current folder; a matcher; what makes one without parameters; or a function of two
        impressions that scores them.
    takes : {"image", "native", "template"}, optional
        What it prepares; by default what it says itself, or images.

    Raises
    ------
    InputError
        If there is no such module or name, it fails when it is loaded, or is no matcher.
    MissingExtra
        If it needs what is not installed.
    """
    named = given if isinstance(given, str) else ""
    found = _find(named) if named else given
    if not named:
        named = f"{getattr(found, '__module__', '')}:{getattr(found, '__qualname__', '')}".strip(
            ":"
        )
    if inspect.isclass(found) or _arguments(found) == 0:
        found = _called(found, named)
        if _is_matcher(found):
            named = named if isinstance(given, str) else type(found).__qualname__
    if not _is_matcher(found):
        if not callable(found) or _arguments(found) != 2:
            raise InputError(
                f"{_shown(given)} is no matcher: it needs the methods prepare(image, ppi) and "
                "compare(a, b), or to be a function of two impressions"
            )
        found = _Plain(found)
    name = getattr(found, "name", None)
    kind = takes if takes is not None else getattr(found, "takes", "image")
    if kind not in TAKES:
        raise InputError(
            f"a matcher takes {', '.join(TAKES[:-1])} or {TAKES[-1]}, not {quoted(kind)}"
        )
    called = name if isinstance(name, str) and name else named or type(found).__qualname__
    return Loaded(found, called, kind)  # type: ignore[arg-type]


def checked_score(value: object) -> float:
    """A score that can be counted.

    Raises
    ------
    InputError
        If it is no finite number.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise InputError(f"it gave {quoted(value)}, which is no number")
    score = float(value)
    if not math.isfinite(score):
        raise InputError(f"it gave {score}; give what cannot be compared the lowest score")
    return score


def _shown(given: object) -> str:
    return given if isinstance(given, str) else quoted(given)


def _is_matcher(found: object) -> bool:
    return all(callable(getattr(found, name, None)) for name in ("prepare", "compare"))


def _arguments(found: object) -> int:
    """Positional arguments that it can be called with, fewest of 0 and 2; -1 if neither."""
    if not callable(found):
        return -1
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return 2  # written in another language: nobody knows before it is called
    for count in (2, 0):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return count
    return -1


def _called(found: Any, named: str) -> object:
    try:
        return found()
    except FpmatchError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{named} cannot be made: {told(error)}") from error


def _find(named: str) -> object:
    module, _, name = BUILT_IN.get(named, named).rpartition(":")
    if not module or not name:
        known = ", ".join((OURS, *BUILT_IN))
        raise InputError(f"matcher {quoted(named)} is none of {known}, and not module:function")
    found: object = _module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise InputError(f"matcher {named}: {module} has no {part!r}") from None
    return found


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        if not name.endswith(".py"):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(Path(name).stem, name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Its own classes find it by name, as they would had it been imported.
        sys.modules.setdefault(spec.name, module)
        spec.loader.exec_module(module)
        return module
    except FpmatchError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"matcher: cannot load {quoted(name)}: {told(error)}") from error


def told(error: BaseException) -> str:
    """An exception of somebody's code in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
