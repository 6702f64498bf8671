"""The Huffman codes of a WSQ file, read as far as their lengths: how many coefficients they give.

The decoder, which is C, looks a code that is in no table up behind its tables, and writes what
follows the last coefficient behind its memory. Where the file has such codes it never sees it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WINDOW = 16
"""Bits of the longest code."""
_ZEROS = range(1, 101)
"""Values that stand for so many zeros."""
_FOLLOWED = {101: 8, 102: 8, 103: 16, 104: 16, 105: 8, 106: 16}
"""Values behind whose code a number stands, and its bits."""
_RUNS = (105, 106)
"""Of these the number says how many zeros."""
_PART = 1 << 16
"""Bytes that are looked at together."""


class Codes:
    """One Huffman table, as what each 16 bits begin with.

    Parameters
    ----------
    counts : bytes
        16: how many codes there are of each length.
    values : bytes
        Of the codes, shortest first.
    """

    def __init__(self, counts: bytes, values: bytes) -> None:
        self.length = np.zeros(1 << _WINDOW, np.uint8)
        self.value = np.zeros(1 << _WINDOW, np.uint8)
        self.whole = np.zeros(1 << _WINDOW, np.uint8)
        at = given = 0
        for length, count in enumerate(counts, 1):
            step = 1 << (_WINDOW - length)
            for value in values[given : given + count]:
                self.length[at : at + step] = length
                self.value[at : at + step] = value
                self.whole[at : at + step] = length + _FOLLOWED.get(value, 0)
                at += step
            given += count

    def count(self, data: bytes) -> int | None:
        """Coefficients that a block gives.

        Parameters
        ----------
        data : bytes
            The block's, without the zeros that follow bytes FF.

        Returns
        -------
        int or None
            None if there is a code that the table has not.
        """
        bits, padded = 8 * len(data), data + bytes(4)
        total, start = 0, 0
        for first in range(0, len(data), _PART):
            part = padded[first : min(first + _PART, len(data)) + 4]
            windows = _windows(part)
            steps = self.whole[windows].tobytes()
            places, start, broken = _walk(steps, start, bits - 8 * first)
            if broken:
                return None
            total += self._given(windows[places], places, part)
            if start < len(steps):
                last = int(windows[start])
                if self.length[last] and start + int(self.length[last]) <= bits - 8 * first:
                    return None  # a number that stands half in the next segment
                break
            start -= len(steps)
        return total

    def _given(self, windows: NDArray[np.uint32], places: NDArray[np.int64], part: bytes) -> int:
        """Coefficients of the codes at these places."""
        values = self.value[windows]
        zeros = (values >= _ZEROS.start) & (values < _ZEROS.stop)
        total = int((~np.isin(values, _RUNS) & ~zeros).sum()) + int(values[zeros].sum())
        for i in np.flatnonzero(np.isin(values, _RUNS)):
            at = int(places[i]) + int(self.length[windows[i]])
            size = _FOLLOWED[int(values[i])]
            four = int.from_bytes(part[at // 8 : at // 8 + 4].ljust(4, b"\0"), "big")
            total += (four >> (32 - at % 8 - size)) & ((1 << size) - 1)
        return total


def _windows(part: bytes) -> NDArray[np.uint32]:
    """The 16 bits from every bit on; the last four bytes are only looked into."""
    wide = np.frombuffer(part, np.uint8).astype(np.uint32)
    three = wide[:-4] << 16 | wide[1:-3] << 8 | wide[2:-2]
    shifts = np.arange(8, 0, -1, dtype=np.uint32)
    return ((three[:, None] >> shifts) & np.uint32(0xFFFF)).astype(np.uint32).ravel()


def _walk(steps: bytes, at: int, bits: int) -> tuple[NDArray[np.int64], int, bool]:
    """Places of all codes that are whole, where the next begins, and whether there is none."""
    places: list[int] = []
    end = len(steps)
    while at < end:
        step = steps[at]
        if not step:
            return np.array(places, np.int64), at, bits - at >= _WINDOW
        if at + step > bits:
            break
        places.append(at)
        at += step
    return np.array(places, np.int64), at, False
