"""The one place that says what a value from outside may be, and how it is shown in a message.

Every check costs no more than its limit allows, whatever it is handed, and raises `InputError`
with the field's name. What narrows access is never corrected and never ignored: a value of the
wrong type, or a word that cannot mean anything, is refused.
"""

from __future__ import annotations

import math
import numbers
import os
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from fpmatch.errors import InputError

LONGEST_SHOWN = 40
"""Characters of a value from outside that a message repeats."""
WORD = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,31}")
"""A type of transaction or a purpose, as in EBTS: capitals and digits."""
NAME = re.compile(r"\S(?:.{0,62}\S)?")
"""A role: up to 64 characters, no space at either end."""
RETAINED = "retained"
"""The use that a search makes whose probe was retained."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\ud800-\udfff]")


def quoted(value: object) -> str:
    """A value from outside as a message may show it: short, escaped, and never its bytes.

    Parameters
    ----------
    value : object
        Text is cut to `LONGEST_SHOWN` characters; of anything but text and numbers only the type
        is named, so that no message holds a template, an image or an address in memory.
    """
    if isinstance(value, str):
        shown = ascii(value[:LONGEST_SHOWN])
        return (
            shown if len(value) <= LONGEST_SHOWN else f"{shown[:-1]}...' ({len(value)} characters)"
        )
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return f"a {type(value).__name__}"


def check_text(
    name: str, value: object, *, longest: int = 128, empty: bool = True, printable: bool = True
) -> str:
    """Text that can be stored, logged and shown.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    longest : int
        Characters.
    empty : bool
        Whether it may be empty.
    printable : bool
        Refuse control characters; half a surrogate pair is refused in any case.

    Raises
    ------
    InputError
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be text, not {quoted(value)}")
    if len(value) > longest or (not value and not empty):
        least = 0 if empty else 1
        raise InputError(f"{name} must have {least} to {longest} characters, not {len(value)}")
    if (_UNPRINTABLE if printable else _SURROGATE).search(value):
        raise InputError(f"{name} holds characters that cannot be stored: {quoted(value)}")
    return str(value)


def check_word(name: str, value: object) -> str:
    """A type of transaction or a purpose: 1 to 32 capitals, digits, '-' and '_'.

    Raises
    ------
    InputError
    """
    if not isinstance(value, str) or WORD.fullmatch(value) is None:
        raise InputError(
            f"{name} must be 1 to 32 capital letters and digits, as in 'CAR', not {quoted(value)}"
        )
    return str(value)


def check_flag(name: str, value: object, *, unknown: bool = False) -> bool | None:
    """True or False; with `unknown` also None. Words and numbers are neither.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    unknown : bool
        Whether None, for unknown, is taken.

    Raises
    ------
    InputError
    """
    if value is None and unknown:
        return None
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise InputError(f"{name} must be True or False, not {quoted(value)}")


def check_integer(name: str, value: object, low: int, high: int) -> int:
    """A whole number within limits; no truth value, no text and no float.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    low, high : int
        Both included.

    Raises
    ------
    InputError
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputError(f"{name} must be a whole number, not {quoted(value)}")
    found = int(value)
    if not low <= found <= high:
        raise InputError(f"{name} must be from {low} to {high}, not {quoted(found)}")
    return found


def check_number(name: str, value: object, low: float, high: float) -> float:
    """A finite number within limits.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    low, high : float
        Both included.

    Raises
    ------
    InputError
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputError(f"{name} must be a number, not {quoted(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found) or not low <= found <= high:
        raise InputError(f"{name} must be from {low:g} to {high:g}, not {found!r}")
    return found


def check_choice(name: str, value: object, among: Iterable[str]) -> str:
    """One of some words.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    among : iterable of str
        What it may be.

    Raises
    ------
    InputError
    """
    words = tuple(among)
    if not isinstance(value, str) or value not in words:
        raise InputError(f"{name} must be one of {', '.join(words)}, not {quoted(value)}")
    return str(value)


def check_several(name: str, value: object, *, most: int) -> tuple[Any, ...]:
    """A list, tuple or set; text is one value and not many letters.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    most : int
        Entries; more are refused before any is looked at.

    Raises
    ------
    InputError
    """
    # The usual kinds first: what is asked of others takes ten times as long.
    if not isinstance(value, tuple | list | frozenset | set):
        other = isinstance(value, str | bytes | bytearray | Mapping)
        if other or not isinstance(value, Sequence | Set):
            raise InputError(f"{name} must be a list or a tuple, not {quoted(value)}")
    if len(value) > most:
        raise InputError(f"{name} has {len(value)} entries; at most {most} are taken")
    return tuple(value)


def check_pairs(name: str, value: object, *, most: int = 64, longest: int = 256) -> dict[str, str]:
    """A mapping of text to text.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    most : int
        Entries.
    longest : int
        Characters of a value; a key has up to 64.

    Raises
    ------
    InputError
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must map text to text, not be {quoted(value)}")
    if len(value) > most:
        raise InputError(f"{name} has {len(value)} entries; at most {most} are taken")
    return {
        check_text(f"a key of {name}", k, longest=64, empty=False): check_text(
            f"{name}[{quoted(k)}]", v, longest=longest
        )
        for k, v in value.items()
    }


def path_of(value: object) -> Path:
    """A path of a file or a folder.

    Raises
    ------
    InputError
        If it is neither text nor a path, too long, or holds a NUL.
    """
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"a path is text or a Path, not {quoted(value)}")
    found = os.fspath(value)
    if not isinstance(found, str) or "\x00" in found or len(found) > 4096 or not found:
        raise InputError(f"{quoted(found)} is no path")
    try:
        os.fsencode(found)
    except UnicodeError:
        raise InputError(f"{quoted(found)} is no path") from None
    return Path(found)


def is_file(path: Path) -> bool:
    """Whether a file is there; no, where nobody can tell (a name too long, a closed folder)."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; no, where nobody can tell."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_path(name: str, value: object) -> Path:
    """A path, as `takes` asks for it.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.

    Raises
    ------
    InputError
    """
    try:
        return path_of(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def check_paths(name: str, value: object) -> tuple[Path, ...]:
    """A list of paths, as `takes` asks for it.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.

    Raises
    ------
    InputError
    """
    if not isinstance(value, list | tuple):
        raise InputError(f"{name} must be a list of folders, not {quoted(value)}")
    return tuple(check_path(name, one) for one in value)


def check_uses(name: str, value: object, *, most: int = 64) -> frozenset[str]:
    """Uses that a contributor may ban.

    ``CAR`` (a type of transaction), ``purpose:F``, ``role:officer``, ``retained``.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.
    most : int
        Entries.

    Raises
    ------
    InputError
        If it is no collection, or one of them could never be a use that a search makes.
    """
    out = set()
    for use in check_several(name, value, most=most):
        kind, colon, rest = use.partition(":") if isinstance(use, str) else ("", "", "")
        good = (
            use == RETAINED
            or (not colon and WORD.fullmatch(kind) is not None)
            or (kind == "purpose" and WORD.fullmatch(rest) is not None)
            or (kind == "role" and NAME.fullmatch(rest) is not None)
        )
        if not good:
            raise InputError(
                f"{name}: {quoted(use)} is no use: a type of transaction in capitals as 'CAR', "
                f"'purpose:F', 'role:officer' or '{RETAINED}'"
            )
        out.add(str(use))
    return frozenset(out)


def check_numbers(name: str, value: object) -> object:
    """Numbers, or anything that numpy makes an array of numbers of.

    Parameters
    ----------
    name : str
        Of the field, for the message.
    value : object
        As it was handed in.

    Raises
    ------
    InputError
    """
    import numpy as np

    try:
        np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be numbers, not {quoted(value)}") from None
    if isinstance(value, str | bytes | bytearray) or value is None:
        raise InputError(f"{name} must be numbers, not {quoted(value)}")
    return value
