"""What a WSQ file must have before its decoder, which is C and believes it, may see it.

Layout: FBI IAFIS-IC-0110, WSQ Gray-scale Fingerprint Image Compression Specification. Checked are
the order and length of the segments, every count that the decoder uses unchecked, and that each
code is in its table and no more coefficients follow than the picture has pixels.
"""

from __future__ import annotations

from fpmatch.errors import ImageError
from fpmatch.image.wsq_codes import Codes

WSQ_START = b"\xff\xa0"
_END, _FRAME, _BLOCK = 0xFFA1, 0xFFA2, 0xFFA3
_TAPS, _STEPS, _CODES, _COMMENT = 0xFFA4, 0xFFA5, 0xFFA6, 0xFFA8
_FRAME_LENGTH, _BLOCK_LENGTH, _STEPS_LENGTH = 17, 3, 389
_LONGEST_CODE, _MOST_CODES, _MOST_TABLES = 16, 256, 8
_MOST_TAPS = 64
_MOST_BLOCKS = 3
"""Of coefficients: three groups of subbands."""


def check_wsq(data: bytes, most: int) -> None:
    """Refuse a file that the decoder would read beyond its end, or take for a larger picture.

    Parameters
    ----------
    data : bytes
        Of a file that begins as WSQ does.
    most : int
        Pixels.

    Raises
    ------
    ImageError
        With the byte position.
    """
    seen: set[int] = set()
    codes: dict[int, Codes] = {}
    at, blocks, left = 2, 0, 0
    while True:
        marker = _number(data, at, 2)
        if marker == _END and blocks:
            return
        if marker not in (_FRAME, _BLOCK, _TAPS, _STEPS, _CODES, _COMMENT):
            raise _damaged(at, f"marker {marker:04x} does not belong here")
        length = _number(data, at + 2, 2)
        body, end = at + 4, at + 2 + length
        if length < 2 or end > len(data):
            raise _damaged(at, "a segment ends behind the file")
        if marker == _TAPS:
            _check_taps(data, body, end)
        elif marker == _STEPS and length != _STEPS_LENGTH:
            raise _damaged(at, "quantization steps of 64 subbands are wanted")
        elif marker == _CODES:
            codes |= _check_codes(data, body, end)
        elif marker == _FRAME:
            left = _check_frame(data, at, seen, most)
        elif marker == _BLOCK:
            blocks += 1
            _check_block(data, at, seen, codes, blocks)
            start, end = end, _behind_coefficients(data, end)
            found = codes[data[body]].count(data[start:end].replace(b"\xff\0", b"\xff"))
            if found is None:
                raise _damaged(start, "coefficients with a code that is in no table")
            left -= found
            if left < 0:
                raise _damaged(start, "more coefficients than pixels")
        seen.add(marker)
        at = end


def _damaged(at: int, what: str) -> ImageError:
    return ImageError(f"the WSQ file is damaged: byte {at}: {what}")


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise _damaged(at, "the file ends here")
    return int.from_bytes(data[at : at + size], "big")


def _check_taps(data: bytes, body: int, end: int) -> None:
    """Two symmetric filters, of which halves are written: a sign, a scale and a value each."""
    sizes = _number(data, body, 1), _number(data, body + 1, 1)
    needed = sum((size + 1) // 2 for size in sizes) * 6
    if not all(0 < size <= _MOST_TAPS for size in sizes) or body + 2 + needed != end:
        raise _damaged(body, "the filter taps do not fill their segment")


def _check_codes(data: bytes, body: int, end: int) -> dict[int, Codes]:
    """Huffman tables: a number, how many codes of each length there are, and their values."""
    found = {}
    while body < end:
        table = _number(data, body, 1)
        counts = data[body + 1 : body + 1 + _LONGEST_CODE]
        total = sum(counts)
        free = 1
        for count in counts:
            free = free * 2 - count
            if free < 0:
                raise _damaged(body, "more Huffman codes than their lengths allow")
        if table >= _MOST_TABLES or not 0 < total <= _MOST_CODES:
            raise _damaged(body, "the Huffman table is malformed")
        values = body + 1 + _LONGEST_CODE
        if values + total > end:
            break
        found[table] = Codes(counts, data[values : values + total])
        body = values + total
    if body != end:
        raise _damaged(end, "the Huffman tables do not fill their segment")
    return found


def _check_frame(data: bytes, at: int, seen: set[int], most: int) -> int:
    """Pixels of the picture."""
    if _FRAME in seen or _number(data, at + 2, 2) != _FRAME_LENGTH:
        raise _damaged(at, "one frame of 17 bytes is wanted")
    height, width = _number(data, at + 6, 2), _number(data, at + 8, 2)
    if not 0 < width * height <= most:
        raise ImageError(f"image of {width}x{height} pixels; between 1 and {most} are read")
    return height * width


def _check_block(
    data: bytes, at: int, seen: set[int], codes: dict[int, Codes], blocks: int
) -> None:
    if not {_FRAME, _TAPS, _STEPS} <= seen:
        raise _damaged(at, "coefficients before the frame, the filter taps or the steps")
    if _number(data, at + 2, 2) != _BLOCK_LENGTH or _number(data, at + 4, 1) not in codes:
        raise _damaged(at, "coefficients without their Huffman table")
    if blocks > _MOST_BLOCKS:
        raise _damaged(at, f"over {_MOST_BLOCKS} blocks of coefficients")


def _behind_coefficients(data: bytes, at: int) -> int:
    """Where the next marker is: a byte FF in coefficients is followed by 00."""
    while (at := data.find(b"\xff", at)) >= 0:
        if at + 1 < len(data) and data[at + 1]:
            return at
        at += 2
    raise _damaged(len(data), "the file ends in its coefficients")
