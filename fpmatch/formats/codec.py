"""What a format must bring to be read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """One family of formats.

    Parameters
    ----------
    names : tuple of str
        The formats of the family.
    recognise : bytes -> str or None
        The name of the format that the bytes are in, by their content; None if of no member. It
        may raise `FormatError` for bytes that are of the family beyond doubt and damaged.
    read : (bytes, name) -> content
        Raises `FormatError`, with the byte position, on anything damaged.
    write : content -> bytes
        Raises `FormatError` where the content does not fit.
    find : bytes -> content or None, optional
        Recognise and read at once, where the one is the other; errors as of both.
    """

    names: tuple[str, ...]
    recognise: Callable[[bytes], str | None]
    read: Callable[[bytes, str], Any]
    write: Callable[[Any], bytes]
    find: Callable[[bytes], Any] | None = None
