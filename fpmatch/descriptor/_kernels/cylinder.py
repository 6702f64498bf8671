"""Cylinder codes in integers only, so that they are exact anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.vectors import above, largest, many_above
from fpmatch.jit import kernel


class FormTables(NamedTuple):
    """What `search_forms` looks up of codes; see `fpmatch.descriptor.tables`."""

    turns: np.ndarray
    near: np.ndarray
    touched: np.ndarray
    shares: np.ndarray
    weight: int


@kernel(inner=True)
def _threshold(cells, weight):
    """A number that `weight` cells are above, or the one that the last of them is equal to.

    With how many of those that are equal to it are among the `weight` largest; -1 where fewer than
    `weight` are above 0.
    """
    low = np.int32(0)
    least = many_above(cells, low)
    if least <= weight:
        return low, np.int64(0 if least == weight else -1)
    high = largest(cells)
    most = np.int64(0)
    while high - low > 1:
        middle = np.int32(low + ((high - low) >> 1))
        many = many_above(cells, middle)
        if many == weight:
            return middle, np.int64(0)
        low = middle if many > weight else low
        high = high if many > weight else middle
        most = most if many > weight else many
    return high, weight - most


@kernel(inner=True)
def set_largest(cells, weight, code):
    """Set the bits of the `weight` largest cells; False where fewer are above 0.

    Of equal ones the first. cells : (320,) int32; code : (5,) uint64.
    """
    low, equal = _threshold(cells, weight)
    if equal < 0:
        return False
    one = np.uint64(1)
    for word in range(np.uint64(code.shape[0])):
        larger = above(cells, word << np.uint64(6), low)
        if equal > 0:
            same = above(cells, word << np.uint64(6), np.int32(low - 1)) & ~larger
            while same != 0 and equal > 0:
                larger |= same & (~same + one)
                same &= same - one
                equal -= 1
        code[word] = larger
    return True
