"""Where bytes come from."""

from __future__ import annotations

import os
from typing import BinaryIO

from fpmatch.checks import LONGEST_SHOWN, path_of, quoted
from fpmatch.errors import FormatError, InputError
from fpmatch.parameters import FORMATS

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


def read_bytes(source: Source) -> bytes:
    """All bytes of a path, a bytes-like object or a binary file object.

    Raises
    ------
    FormatError
        If there are more than `FORMATS.max_bytes`; no more than that is read.
    InputError
        If the source cannot be read or is of no such type.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        try:
            with open(path_of(source), "rb") as file:
                data = file.read(FORMATS.max_bytes + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no path"
            shown = quoted(os.fspath(source)[-LONGEST_SHOWN:])
            raise InputError(f"cannot read {shown}: {reason}") from error
    elif callable(getattr(source, "read", None)):
        try:
            data = source.read(FORMATS.max_bytes + 1)
        except Exception as error:
            # A file object can be anything, and raise anything.
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise InputError(f"cannot read from the file object: {reason}") from error
        if isinstance(data, bytearray | memoryview):
            data = bytes(data)
        if not isinstance(data, bytes):
            raise InputError("the file object is in text mode; open it with mode 'rb'")
    else:
        raise InputError(
            f"cannot read from {type(source).__name__}: expected a path, bytes or a binary file "
            "object"
        )
    if len(data) > FORMATS.max_bytes:
        raise FormatError(f"over {FORMATS.max_bytes} bytes are not read")
    return data
