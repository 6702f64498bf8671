"""The resolution that a WSQ file records in its NIST comment, and a decoder that is quiet."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator

_SOF, _COMMENT = 0xFFA2, 0xFFA8
_WITH_LENGTH = range(0xFFA3, 0xFFA9)
_PPI = re.compile(rb"^PPI[ \t]+(-?\d{1,6}(?:\.\d{1,6})?)[ \t\r]*$", re.MULTILINE)

_LOG = logging.getLogger(__name__)
_STDERR = 2
_MOST_SAID = 4096
"""Bytes of what the decoder says that reach the log."""
_ONE = threading.Lock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the decoder writes to standard error goes to the log instead, at level DEBUG.

    Decoders in C (of WSQ, of TIFF) write to the process's own stream; they hold the interpreter
    while they do, so that no line of another Python thread is caught but one written in the same
    instant.
    """
    with _ONE, tempfile.TemporaryFile() as file:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a service without standard error: nothing to keep quiet
            yield
            return
        try:
            os.dup2(file.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(kept, _STDERR)
        finally:
            os.close(kept)
        file.seek(0)
        for line in file.read(_MOST_SAID).decode("ascii", "replace").splitlines():
            _LOG.debug("%s", line)


def wsq_ppi(data: bytes) -> float | None:
    """Pixels per inch from the ``PPI`` line of the comment segments before the frame.

    None where there is no such line or it is not positive (encoders write -1 for unknown).
    Layout: FBI IAFIS-IC-0110, WSQ Gray-scale Fingerprint Image Compression Specification.
    """
    at = 2
    while at + 4 <= len(data):
        marker = int.from_bytes(data[at : at + 2], "big")
        if marker == _SOF or marker not in _WITH_LENGTH:
            return None
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            return None
        if marker == _COMMENT:
            found = _PPI.search(data[at + 4 : at + 2 + length])
            if found and float(found.group(1)) > 0:
                return float(found.group(1))
        at += 2 + length
    return None
