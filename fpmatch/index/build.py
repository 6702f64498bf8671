"""Rows -> the arrays of a part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates


def take(packed: PackedTemplates, rows: NDArray[np.int64]) -> PackedTemplates:
    """The given rows, in the given order."""
    length = packed.offsets[rows + 1] - packed.offsets[rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(length, out=offsets[1:])
    entries = np.repeat(packed.offsets[rows] - offsets[:-1], length) + np.arange(offsets[-1])
    columns = {name: getattr(packed, name)[entries] for name in COLUMNS}
    return PackedTemplates(offsets=offsets, **columns)


def join(parts: Sequence[PackedTemplates]) -> PackedTemplates:
    """Rows of several blocks one after the other."""
    offsets = [np.zeros(1, np.int64)]
    for part in parts:
        offsets.append(part.offsets[1:] + offsets[-1][-1])
    columns = {}
    for name, (dtype, entry) in COLUMNS.items():
        empty: NDArray = np.zeros((0, *entry), dtype)
        columns[name] = np.concatenate([empty, *(getattr(p, name) for p in parts)])
    return PackedTemplates(offsets=np.concatenate(offsets), **columns)


def build_arrays(
    row_ids: NDArray[np.int64], positions: NDArray[np.uint8], packed: PackedTemplates
) -> dict[str, NDArray]:
    """Sort rows by (position, row id) and lay out everything a part holds."""
    order = np.lexsort((row_ids, positions))
    packed = take(packed, order)
    arrays: dict[str, NDArray] = {
        "row_ids": np.ascontiguousarray(row_ids[order], np.int64),
        "positions": np.ascontiguousarray(positions[order], np.uint8),
        "offsets": packed.offsets,
    }
    arrays.update({name: getattr(packed, name) for name in COLUMNS})
    return arrays
