"""The rows of a part: search forms without what need not be stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.index._kernels import PADDING, pack_rows, row_sizes, unpack_rows

HELD = ("codes", "texture", "x", "y", "angle")
"""Columns of the search form that an index holds. No search reads the others."""
Kernel = tuple[NDArray[np.uint8], NDArray, NDArray, NDArray, NDArray]


def pack(
    forms: PackedTemplates, sketches: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where each row begins, and the bytes of all rows; see `packing`. About 7 us a row.

    Parameters
    ----------
    forms : PackedTemplates
    sketches : (C, 3) uint32
        Of their minutiae.

    Returns
    -------
    starts : (N + 1,) int64
    packed : (B,) uint8
    """
    codes, texture, x, y, _ = columns = _columns(forms)
    sizes = np.zeros(len(forms), np.int64)
    row_sizes(codes, texture, x, y, forms.offsets, sizes)
    starts = np.zeros(len(forms) + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    packed = np.zeros(int(starts[-1]) + PADDING, np.uint8)
    pack_rows(columns, sketches.view(np.uint8), forms.offsets, starts, packed)
    return starts, packed


def unpack(
    packed: NDArray[np.uint8],
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> PackedTemplates:
    """Some rows, in the given order; of what is not in `HELD` zeros.

    Parameters
    ----------
    packed : (B,) uint8
    starts : (N + 1,) int64
    offsets : (N + 1,) int64
        Minutiae before each row.
    rows : (K,) int64
    """
    new = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(offsets[rows + 1] - offsets[rows], out=new[1:])
    total = int(new[-1])
    # One more than there are: a code is written with a few bytes too many.
    columns: dict[str, NDArray] = {
        n: np.empty((total + 1, *entry), dtype) if n in HELD else np.zeros(total, dtype)
        for n, (dtype, entry) in COLUMNS.items()
    }
    held = (columns["codes"].view(np.uint8).ravel(), *(columns[n] for n in HELD[1:]))
    unpack_rows(packed, starts, offsets, np.ascontiguousarray(rows), new, held)
    return PackedTemplates(offsets=new, **{n: column[:total] for n, column in columns.items()})


def _columns(forms: PackedTemplates) -> Kernel:
    return forms.codes.view(np.uint8), forms.texture, forms.x, forms.y, forms.angle
