"""The caller's keys: from a mapping, a callable, a file, or a variable of the environment."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fpmatch.checks import path_of, quoted
from fpmatch.errors import InputError, KeysError

KEY_BYTES = 32
VARIABLE = "env:"
"""What the name of a variable of the environment is written behind."""
MOST_KEYS = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_BYTES = 1 << 20

KeySource = str | Path | Mapping[str, bytes] | Callable[[], Mapping[str, bytes]]
"""Where the caller's keys come from; `ring_of` says what each must be."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The caller's keys by name; new keys of a gallery are wrapped under the last.

    Parameters
    ----------
    keys : dict of str to bytes
        32 bytes each; in no representation.
    """

    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def current(self) -> str:
        """The name of the last."""
        return list(self.keys)[-1]


def ring_of(source: object) -> Ring:
    """The caller's keys as they are now.

    Parameters
    ----------
    source : path, str, mapping or callable
        A file that nobody else may read, or ``env:NAME``: of each key a line with a name, a space
        and 64 hexadecimal digits (or base64 of 32 bytes), the current one last. A mapping of names
        to 32 bytes, the current one last; or a callable that gives one.

    Raises
    ------
    KeysError
        If there are none there, or others may read the file.
    InputError
        If they cannot be used.
    """
    if isinstance(source, str) and source.startswith(VARIABLE):
        name = source.removeprefix(VARIABLE)
        text = os.environ.get(name)
        if text is None:
            raise KeysError(f"the variable {quoted(name)} with the keys is not set")
        return _parsed(text, f"the variable {quoted(name)}")
    if isinstance(source, str | os.PathLike):
        path = path_of(source)
        return _parsed(_read(path), path.name)
    if callable(source):
        try:
            source = source()
        except Exception as error:  # The caller's own; what it says may hold a key.
            raise KeysError(f"the keys could not be had: {type(error).__name__}") from None
    if not isinstance(source, Mapping):
        raise InputError(
            "keys must be a file, env:NAME, a mapping of names to 32 bytes, or a callable that "
            f"gives one, not {type(source).__name__}"
        )
    return _checked(source, "the keys")


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeysError(
                    f"the key file {path.name} may be used by others (mode "
                    f"{stat.S_IMODE(mode):03o}); make it yours alone: chmod 600"
                )
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise KeysError(f"the key file {path.name} cannot be read: {error.strerror}") from error
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise InputError(f"the key file {path.name} is no text in ASCII") from None


def _parsed(text: str, where: str) -> Ring:
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.replace(";", "\n").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        # What the line holds is a key, or may be: no message shows it.
        if len(words) != 2 or words[0] in found:
            raise InputError(
                f"{where}, line {number}: a key is a name of its own, a space and 64 hexadecimal "
                "digits"
            )
        found[words[0]] = _bytes_of(words[1], where, number)
    return _checked(found, where)


def _bytes_of(word: str, where: str, number: int) -> bytes:
    try:
        if len(word) == 2 * KEY_BYTES:
            return bytes.fromhex(word)
        return base64.b64decode(word, validate=True)
    except (ValueError, binascii.Error):
        raise InputError(
            f"{where}, line {number}: a key is 64 hexadecimal digits or base64 of 32 bytes"
        ) from None


def _checked(found: Mapping[str, bytes], where: str) -> Ring:
    if not 1 <= len(found) <= MOST_KEYS:
        raise KeysError(f"{where}: {len(found)} keys; at least one is needed")
    for name, key in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"{where}: a key's name is 1 to 64 letters, digits, '.', '_' and '-'")
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise InputError(f"{where}: the key {name!r} does not have {KEY_BYTES} bytes")
    return Ring(dict(found))
