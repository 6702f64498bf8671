"""Values that leave a process, as bytes: a checked frame around plain fields and columns.

Layout, little-endian: ``FPMW``, the kind of value and its version (one byte each), the length of
the header (u32), a CRC-32 of all that follows the prefix; the header, a JSON object; the columns,
one after the other. What the columns are follows from kind and header.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import InputError

MAGIC = b"FPMW"
_PREFIX = struct.Struct("<4sBBII")
LONGEST_HEADER = 1 << 20
"""Bytes; a longer header is refused before it is read."""


class Kind:
    """What a frame holds, by its number in the frame."""

    REQUEST = 1
    SCORES = 2
    QUESTION = 3
    ANSWER = 4
    CALL = 5
    REPLY = 6
    BUCKET = 7
    CHANGES = 8


def write(kind: int, version: int, fields: Mapping[str, Any], columns: Iterable[NDArray]) -> bytes:
    """One value as bytes; equal fields and columns give equal bytes.

    Parameters
    ----------
    kind : int
        A number of `Kind`.
    version : int
        Of the layout of fields and columns, 1 to 255.
    fields : mapping
        Plain values: text, numbers, flags, None, and lists and dictionaries of these.
    columns : iterable of arrays
        Numbers of any dtype and shape; stored little-endian.
    """
    header = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    body = b"".join(
        [header, *(np.asarray(c, c.dtype.newbyteorder("<")).tobytes() for c in columns)]
    )
    return _PREFIX.pack(MAGIC, kind, version, len(header), zlib.crc32(body)) + body


class Frame:
    """A frame that was read: its fields at once, its columns one after the other.

    Parameters
    ----------
    kind : int
        The number of `Kind` that it must have.
    version : int
        The version that it must have.
    data : bytes
        Of foreign origin.
    names : iterable of str
        The fields that it must have, no more and no fewer.

    Raises
    ------
    InputError
        On any other type, length, magic, kind, version, checksum, or header.
    """

    def __init__(self, kind: int, version: int, data: bytes, names: Iterable[str]) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputError(f"expected bytes, not {quoted(data)}")
        data = bytes(data)
        if len(data) < _PREFIX.size:
            raise InputError(f"{len(data)} bytes are too short for a message")
        magic, found, its_version, length, checksum = _PREFIX.unpack_from(data)
        if magic != MAGIC or found != kind:
            raise InputError("not a message of this kind (wrong magic)")
        if its_version != version:
            raise InputError(f"a message of version {its_version}; this release reads {version}")
        self._body = memoryview(data)[_PREFIX.size :]
        if length > min(LONGEST_HEADER, len(self._body)) or zlib.crc32(self._body) != checksum:
            raise InputError("the checksum of a message does not match: the bytes are damaged")
        try:
            fields = json.loads(bytes(self._body[:length]))
        except (ValueError, RecursionError) as error:
            raise InputError("the header of a message cannot be read") from error
        wanted = frozenset(names)
        if not isinstance(fields, dict) or fields.keys() != wanted:
            raise InputError(f"a message of this kind has the fields {', '.join(sorted(wanted))}")
        self.fields: dict[str, Any] = fields
        self._at = length

    def column(self, dtype: type, shape: tuple[int, ...]) -> NDArray:
        """The next column, a copy.

        Parameters
        ----------
        dtype : type
            Of numpy.
        shape : tuple of int

        Raises
        ------
        InputError
            If the frame ends before.
        """
        stored = np.dtype(dtype).newbyteorder("<")
        size = stored.itemsize
        for n in shape:
            size *= n
        part = self._body[self._at : self._at + size]
        if len(part) != size:
            raise InputError("a message is shorter than its header says")
        self._at += size
        return np.frombuffer(part, stored).reshape(shape).astype(dtype)

    def end(self) -> None:
        """Nothing may follow.

        Raises
        ------
        InputError
            If something does.
        """
        if self._at != len(self._body):
            raise InputError("a message is longer than its header says")
