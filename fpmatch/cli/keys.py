"""The keys of encrypted galleries, for every command that opens one."""

from __future__ import annotations

import os
from pathlib import Path

KEY_FILE, KEYS = "FPMATCH_KEY_FILE", "FPMATCH_KEYS"
"""Variables of the environment: the path of a key file; or what such a file would hold."""

_given: list[str] = []


def take(path: Path | None) -> None:
    """Remember the option ``--key-file`` for the command that follows it."""
    _given[:] = [] if path is None else [str(path)]


def keys_of(gallery: Path) -> str | None:
    """The caller's keys for a gallery or the folder of a backup.

    Those of the environment are for encrypted ones alone: they may be set for all commands.
    """
    if _given or (gallery / "keys.json").exists():
        return keys_given()
    return None


def keys_given() -> str | None:
    """The caller's keys, whatever for."""
    if _given:
        return _given[0]
    if os.environ.get(KEY_FILE):
        return os.environ[KEY_FILE]
    return f"env:{KEYS}" if os.environ.get(KEYS) else None
