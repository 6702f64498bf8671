"""Rows -> the arrays of a part: columns by row, and inverted lists of their cylinders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.descriptor.sketch import sketch
from fpmatch.index.list_layout import build_lists, list_columns
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.row_layout import pack


def select_rows(packed: PackedTemplates, rows: NDArray[np.int64]) -> PackedTemplates:
    """The given rows, in the given order.

    Parameters
    ----------
    packed : PackedTemplates
    rows : (K,) int64
        Rows of `packed`, each from 0 to ``len(packed) - 1``.
    """
    length = packed.offsets[rows + 1] - packed.offsets[rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(length, out=offsets[1:])
    entries = entries_of(packed.offsets[rows], length)
    columns = {name: getattr(packed, name)[entries] for name in COLUMNS}
    return PackedTemplates(offsets=offsets, **columns)


def join(parts: Sequence[PackedTemplates]) -> PackedTemplates:
    """Rows of several blocks one after the other."""
    offsets = [np.zeros(1, np.int64)]
    entries = 0
    for part in parts:
        offsets.append(part.offsets[1:] + entries)
        entries += int(part.offsets[-1])
    columns = {}
    for name, (dtype, entry) in COLUMNS.items():
        empty: NDArray = np.zeros((0, *entry), dtype)
        columns[name] = np.concatenate([empty, *(getattr(p, name) for p in parts)])
    return PackedTemplates(offsets=np.concatenate(offsets), **columns)


def build_arrays(
    row_ids: NDArray[np.int64],
    positions: NDArray[np.uint8],
    packed: PackedTemplates,
    quantizer: Quantizer,
) -> dict[str, NDArray]:
    """Sort rows by (position, row id) and lay out everything a part holds.

    Parameters
    ----------
    row_ids : (K,) int64
    positions : (K,) uint8
        Finger positions; 0 for unknown.
    packed : PackedTemplates
        Search forms of the K rows.
    quantizer : Quantizer

    Returns
    -------
    dict of array
        As in `shapes`.
    """
    order = np.lexsort((row_ids, positions))
    packed = select_rows(packed, order)
    sketches = sketch(packed)
    row_starts, row_bytes = pack(packed, sketches)
    wanted = shapes(len(packed), len(packed.angle), quantizer.lists, len(row_bytes))
    arrays: dict[str, NDArray] = {
        name: np.zeros(shape, dtype)
        for name, (dtype, shape) in wanted.items()
        if name.startswith("list_")
    }
    arrays["row_ids"] = np.ascontiguousarray(row_ids[order], np.int64)
    arrays["positions"] = np.ascontiguousarray(positions[order], np.uint8)
    arrays["offsets"] = packed.offsets
    arrays["row_starts"], arrays["row_bytes"] = row_starts, row_bytes
    build_lists(arrays, packed, sketches, quantizer)
    return {name: arrays[name] for name in wanted}


def shapes(
    rows: int, cylinders: int, lists: int, size: int
) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Dtype and shape of everything a part holds, in the order it is stored in.

    Parameters
    ----------
    rows : int
    cylinders : int
        Minutiae of all rows.
    lists : int
        Lists of the quantizer.
    size : int
        Bytes of all rows, with those after the last.
    """
    out: dict[str, tuple[np.dtype, tuple[int, ...]]] = {
        "row_ids": (np.dtype(np.int64), (rows,)),
        "positions": (np.dtype(np.uint8), (rows,)),
        "offsets": (np.dtype(np.int64), (rows + 1,)),
        "row_starts": (np.dtype(np.int64), (rows + 1,)),
        "list_starts": (np.dtype(np.int64), (lists + 1,)),
    }
    for name, (dtype, entry) in list_columns(rows).items():
        out[name] = (np.dtype(dtype), (cylinders, *entry))
    out["row_bytes"] = (np.dtype(np.uint8), (size,))
    return out


def entries_of(first: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """``first[k], first[k] + 1, ...`` for each k, one after the other.

    Parameters
    ----------
    first, length : (K,) int64
    """
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(first - (ends - length), length) + np.arange(total)
