"""Has every gallery that tests make be encrypted, and opened with its keys: other tests, run again.

Imported by `engine_helpers` where the variable `FPMATCH_TEST_KEYS` is set.
"""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import fpmatch.upkeep  # noqa: F401  # loads all that opens galleries
from fpmatch.encryption import NAME
from fpmatch.search import Engine, opening

KEYS = {"test": bytes(range(32))}


def install() -> None:
    """Give keys wherever a caller gives none."""
    make, open_state = opening.make, opening.open_state

    @functools.wraps(make)
    def made(folder: Path, durability: Any, keys: Any = None) -> None:
        make(folder, durability, KEYS if keys is None else keys)

    opening.make = made

    @functools.wraps(open_state)
    def opened(folder: Path, mode: str, *, keys: Any = None, **options: Any) -> Any:
        return open_state(folder, mode, keys=_keys(folder, keys), **options)

    opening.open_state = opened
    for name in ("backup", "check", "keys_apart", "removals", "repair", "restore"):
        module = importlib.import_module(f"fpmatch.upkeep.{name}")
        module.chest_of = _with_default(module.chest_of)


def _with_default(chest_of: Any) -> Any:
    return lambda folder, keys: chest_of(folder, _keys(folder, keys))


def _keys(folder: Path, keys: Any) -> Any:
    return KEYS if keys is None and (folder / NAME).exists() else keys


install()
assert Engine.create
