"""The public functions of every room answer wrong values with an error of ours."""

from __future__ import annotations

import enum
import importlib
import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_checks import WRONG

from fpmatch.errors import FpmatchError

ROOMS = (
    "audit", "bulk", "descriptor", "evaluate", "formats", "image", "matcher", "minutiae", "policy",
    "reference", "scenario", "synthetic", "template", "types", "warming",
)  # fmt: skip
MADE_BY_US = {"descriptor.PackedTemplates"}
"""Values whose arrays are handed on by functions that made them, and checked by nobody again."""


def public(room: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions, classes and their alternative constructors, by name.

    Not enumerations: looking up what is no member is a `ValueError` in all of Python.
    """
    module = importlib.import_module(f"fpmatch.{room}")
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if not callable(value) or f"{room}.{name}" in MADE_BY_US:
            continue
        if getattr(value, "_is_protocol", False):  # never made: others write what fits
            continue
        if inspect.isclass(value) and issubclass(value, enum.Enum | BaseException):
            continue
        yield name, value
        if inspect.isclass(value):
            for inner, method in vars(value).items():
                if isinstance(method, classmethod) and not inner.startswith("_"):
                    yield f"{name}.{inner}", getattr(value, inner)


def needed(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in kinds for p in parameters)


@pytest.mark.parametrize("room", ROOMS)
def test_public_functions(room, tmp_path, monkeypatch):
    # Paths among the wrong values are taken as such, and may be written to.
    monkeypatch.chdir(tmp_path)
    foreign = []
    for name, function in public(room):
        for kind, value in WRONG.items():
            try:
                function(*[value] * needed(function))
            except FpmatchError as error:
                if len(str(error)) > 1000 or " at 0x" in str(error):
                    foreign.append(f"{name}({kind}): {str(error)[:80]}")
            except Exception as error:
                foreign.append(f"{name}({kind}): {type(error).__name__}")
    assert foreign == []
    assert os.getcwd() == str(tmp_path)


def test_something_is_looked_at():
    assert sum(1 for room in ROOMS for _ in public(room)) > 100
