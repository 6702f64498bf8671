"""Some rows of several parts as one: nothing is computed that a part holds already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import carry_over, copy_rows, count_kept
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.segment import Part

_CHUNK = 4096
"""Rows that are checked and copied at a time."""


def merge_rows(
    parts: Sequence[Part], rows: Sequence[NDArray[np.int64]], arrays: Mapping[str, NDArray]
) -> None:
    """Fill the arrays of a part with some rows of others.

    About 10 us a finger of 32 minutiae: entries of lists are merged, not made.

    Parameters
    ----------
    parts : sequence of Part
        Where the rows are.
    rows : sequence of (K,) int64
        Of each part, ascending.
    arrays : mapping of name to array
        As `build.shapes` has them, for all rows together; filled in place.

    Raises
    ------
    CorruptError
        If a block of a part fails its checksum.
    """
    taken = [(part, mine) for part, mine in zip(parts, rows, strict=True) if len(mine)]
    for part, _ in taken:
        part.prepare()
    if not taken:
        for name in ("offsets", "row_starts", "list_starts", "row_bytes"):
            arrays[name][...] = 0
        return
    ids = np.concatenate([part.row_ids[mine] for part, mine in taken])
    positions = np.concatenate([part.positions[mine] for part, mine in taken])
    length = np.concatenate([np.diff(part.offsets)[mine] for part, mine in taken])
    order = np.lexsort((ids, positions))
    arrays["row_ids"][...] = ids[order]
    arrays["positions"][...] = positions[order]
    arrays["offsets"][0] = 0
    np.cumsum(length[order], out=arrays["offsets"][1:])
    size = np.concatenate([np.diff(part.arrays["row_starts"])[mine] for part, mine in taken])
    arrays["row_starts"][0] = 0
    np.cumsum(size[order], out=arrays["row_starts"][1:])
    arrays["row_bytes"][arrays["row_starts"][-1] :] = 0
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    targets, first = [], 0
    for part, mine in taken:
        target = np.full(len(part), -1, np.int64)
        target[mine] = new[first : first + len(mine)]
        first += len(mine)
        targets.append(target)
        _copy_rows(part, mine, target, arrays)
    _carry_lists([part for part, _ in taken], targets, arrays)


def _copy_rows(
    part: Part,
    rows: NDArray[np.int64],
    target: NDArray[np.int64],
    arrays: Mapping[str, NDArray],
) -> None:
    for first in range(0, len(rows), _CHUNK):
        some = rows[first : first + _CHUNK]
        part.ensure_rows(some)
        held = part.arrays["row_bytes"], part.arrays["row_starts"]
        copy_rows(*held, some, arrays["row_starts"], target[some], arrays["row_bytes"])


def _carry_lists(
    parts: Sequence[Part], targets: Sequence[NDArray[np.int64]], arrays: Mapping[str, NDArray]
) -> None:
    counts = np.zeros(len(arrays["list_starts"]) - 1, np.int64)
    for part, target in zip(parts, targets, strict=True):
        for name in LIST_COLUMNS:
            part.ensure(name, 0, len(part.arrays[name]))
        count_kept(part.arrays["list_starts"], part.arrays["list_owners"], target, counts)
    starts = arrays["list_starts"]
    starts[0] = 0
    np.cumsum(counts, out=starts[1:])
    out = tuple(arrays[name] for name in LIST_COLUMNS)
    longest = int(counts.max(initial=0))
    scratch = tuple(np.zeros((longest, *column.shape[1:]), column.dtype) for column in out)
    filled = np.zeros_like(counts)
    for part, target in zip(parts, targets, strict=True):
        held = tuple(part.arrays[name] for name in LIST_COLUMNS)
        first = part.arrays["list_starts"]
        carry_over(held, first, target, arrays["positions"], starts, filled, scratch, out)
