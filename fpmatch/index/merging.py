"""Some rows of several parts as one: nothing is computed that a part holds already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import carry_over, copy_rows, count_kept
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.row_layout import code
from fpmatch.index.segment import Part


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Some rows of a part.

    Parameters
    ----------
    part : Part
    rows : (K,) int64
        Ascending.
    packed : (B,) uint8
        Where their bytes are.
    starts : (S + 1,) int64
        Where in it each row begins.
    places : (K,) int64
        The number of each row in `starts`.
    """

    part: Part
    rows: NDArray[np.int64]
    packed: NDArray[np.uint8]
    starts: NDArray[np.int64]
    places: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each row."""
        return self.starts[self.places + 1] - self.starts[self.places]


def take(
    parts: Sequence[Part], rows: Sequence[NDArray[np.int64]], *, coded: bool = False
) -> list[Taken]:
    """Rows of parts, checked, as `merge_rows` takes them.

    Parameters
    ----------
    parts : sequence of Part
        Those without rows are left out.
    rows : sequence of (K,) int64
        Of each part, ascending.
    coded : bool
        Have rows coded that are not: 33 us and 1.3 KB a row.

    Raises
    ------
    CorruptError
        If a block of a part fails its checksum.
    """
    out = []
    for part, mine in zip(parts, rows, strict=True):
        if not len(mine):
            continue
        part.ensure_rows(mine)
        packed, starts = part.arrays["row_bytes"], part.arrays["row_starts"]
        places = mine
        if coded:
            starts, packed = code(packed, starts, part.offsets, mine)
            places = np.arange(len(mine))
        out.append(Taken(part, mine, packed, starts, places))
    return out


def merge_rows(taken: Sequence[Taken], arrays: Mapping[str, NDArray]) -> None:
    """Fill the arrays of a part with some rows of others.

    About 10 us a finger of 32 minutiae: entries of lists are merged, not made.

    Parameters
    ----------
    taken : sequence of Taken
    arrays : mapping of name to array
        As `build.shapes` has them, for all rows together; filled in place.

    Raises
    ------
    CorruptError
        If a block of a part fails its checksum.
    """
    if not taken:
        for name in ("offsets", "row_starts", "list_starts", "row_bytes"):
            arrays[name][...] = 0
        return
    ids = np.concatenate([t.part.row_ids[t.rows] for t in taken])
    positions = np.concatenate([t.part.positions[t.rows] for t in taken])
    length = np.concatenate([np.diff(t.part.offsets)[t.rows] for t in taken])
    order = np.lexsort((ids, positions))
    arrays["row_ids"][...] = ids[order]
    arrays["positions"][...] = positions[order]
    arrays["offsets"][0] = 0
    np.cumsum(length[order], out=arrays["offsets"][1:])
    size = np.concatenate([t.sizes for t in taken])
    arrays["row_starts"][0] = 0
    np.cumsum(size[order], out=arrays["row_starts"][1:])
    arrays["row_bytes"][arrays["row_starts"][-1] :] = 0
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    targets, first = [], 0
    for some in taken:
        target = np.full(len(some.part), -1, np.int64)
        mine = new[first : first + len(some.rows)]
        target[some.rows] = mine
        first += len(some.rows)
        targets.append(target)
        held = some.packed, some.starts, some.places
        copy_rows(*held, arrays["row_starts"], mine, arrays["row_bytes"])
    _carry_lists([t.part for t in taken], targets, arrays)


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
