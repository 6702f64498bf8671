"""How large the picture in coded bytes says it is, without decoding it."""

from __future__ import annotations

_WSQ_FRAME = b"\xff\xa2"
_PNG = b"\x89PNG\r\n\x1a\n"
_CODESTREAM = b"\xff\x4f\xff\x51"
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_LOOK = 1 << 16
"""Bytes searched for a frame header: tables and comments come before it."""


def coding(data: bytes) -> str | None:
    """``WSQ``, ``JPEG``, ``JPEG2000`` or ``PNG`` by the first bytes; None if it is none of them."""
    if data.startswith(b"\xff\xa0"):
        return "WSQ"
    if data.startswith(b"\xff\xd8"):
        return "JPEG"
    if data.startswith((_JP2, _CODESTREAM)):
        return "JPEG2000"
    return "PNG" if data.startswith(_PNG) else None


def coded_size(data: bytes) -> tuple[int, int] | None:
    """Width and height, pixels; None where no header tells.

    Cost: a look at the first 64 KiB.
    """
    name = coding(data)
    if name == "PNG" and len(data) >= 24:
        return _number(data, 16, 4), _number(data, 20, 4)
    if name == "JPEG2000":
        at = data.find(_CODESTREAM, 0, _LOOK)
        if 0 <= at <= len(data) - 24:
            return (
                _number(data, at + 8, 4) - _number(data, at + 16, 4),
                _number(data, at + 12, 4) - _number(data, at + 20, 4),
            )
    if name in ("WSQ", "JPEG"):
        return _segments(data)
    return None


def _segments(data: bytes) -> tuple[int, int] | None:
    """Walk marker segments of WSQ or JPEG up to the frame header."""
    at = 2
    while at + 10 <= min(len(data), _LOOK) and data[at] == 0xFF:
        marker = data[at + 1]
        if data[at : at + 2] == _WSQ_FRAME:
            return _number(data, at + 8, 2), _number(data, at + 6, 2)
        if marker in _JPEG_FRAMES:
            return _number(data, at + 7, 2), _number(data, at + 5, 2)
        at += 2 + max(_number(data, at + 2, 2), 2)
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
