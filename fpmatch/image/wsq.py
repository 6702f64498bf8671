"""The resolution that a WSQ file records in its NIST comment."""

from __future__ import annotations

import re

_SOF, _COMMENT = 0xFFA2, 0xFFA8
_WITH_LENGTH = range(0xFFA3, 0xFFA9)
_PPI = re.compile(rb"^PPI[ \t]+(-?\d{1,6}(?:\.\d{1,6})?)[ \t\r]*$", re.MULTILINE)


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
