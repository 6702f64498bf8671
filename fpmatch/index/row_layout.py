"""The rows of a part: search forms without what need not be stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.index._kernels import (
    PADDING,
    code_rows,
    coding_work,
    pack_rows,
    row_sizes,
    unpack_rows,
)
from fpmatch.index._kernels.packing import CODED
from fpmatch.index.pair_shares import shipped

HELD = ("codes", "texture", "x", "y", "angle")
"""Columns of the search form that an index holds. No search reads the others."""
Kernel = tuple[NDArray[np.uint8], NDArray, NDArray, NDArray, NDArray]
Stored = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Some rows of a part: bytes, where each of its rows begins in them, minutiae before each, and the
numbers of those that are meant."""


def pack(
    forms: PackedTemplates, sketches: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where each row begins, and the bytes of all rows, none coded; see `packing`. 7 us a row.

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


def unpack(stored: Sequence[Stored]) -> PackedTemplates:
    """Some rows of several parts, in the given order; of what is not in `HELD` zeros.

    Parameters
    ----------
    stored : sequence of Stored
    """
    none = np.zeros(0, np.int64)
    many = np.concatenate(
        [none, *(offsets[rows + 1] - offsets[rows] for *_, offsets, rows in stored)]
    )
    new = np.zeros(len(many) + 1, np.int64)
    np.cumsum(many, out=new[1:])
    total = int(new[-1])
    # One more than there are: a code is written with a few bytes too many.
    columns: dict[str, NDArray] = {
        n: np.empty((total + 1, *entry), dtype) if n in HELD else np.zeros(total, dtype)
        for n, (dtype, entry) in COLUMNS.items()
    }
    held = (columns["codes"].view(np.uint8).ravel(), *(columns[n] for n in HELD[1:]))
    work, first = coding_work(), 0
    for packed, starts, offsets, rows in stored:
        last = first + len(rows)
        # Coded rows are read several at a time, as long as the longest of them takes; the others
        # first and in order, because each writes a little past its end.
        coded = are_coded(packed, starts[rows])
        order = np.argsort(np.where(coded, 1 + many[first:last], 0), kind="stable")
        each = np.ascontiguousarray(rows)[order], new[first:last][order]
        todo = np.empty((len(rows), 4), np.int64)
        unpack_rows(packed, starts, offsets, *each, held, shipped(), work, todo)
        first = last
    return PackedTemplates(offsets=new, **{n: column[:total] for n, column in columns.items()})


def are_coded(packed: NDArray[np.uint8], begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some rows are coded.

    Parameters
    ----------
    packed : (B,) uint8
    begins : (K,) int64
        Where each of them begins.

    Returns
    -------
    (K,) bool
    """
    return (packed[begins] & CODED) > 0


def code(
    packed: NDArray[np.uint8],
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    wanted: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where each of some rows begins, and their bytes, coded where that is shorter. 33 us a row.

    Parameters
    ----------
    packed : (B,) uint8
    starts : (N + 1,) int64
    offsets : (N + 1,) int64
        Minutiae before each row.
    rows : (K,) int64
    wanted : (K,) bool, optional
        Which of them; the others stay as they are. All of them if not given.

    Returns
    -------
    starts : (K + 1,) int64
    packed : (B,) uint8
    """
    rows = np.ascontiguousarray(rows)
    if wanted is None:
        wanted = np.ones(len(rows), np.bool_)
    new = np.zeros(len(rows) + 1, np.int64)
    out = np.zeros(int((starts[rows + 1] - starts[rows]).sum()), np.uint8)
    code_rows(packed, starts, offsets, rows, wanted, shipped(), coding_work(), new, out)
    return new, out[: new[-1]]


def _columns(forms: PackedTemplates) -> Kernel:
    return forms.codes.view(np.uint8), forms.texture, forms.x, forms.y, forms.angle
