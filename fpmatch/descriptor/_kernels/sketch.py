"""Sketches: what surrounds a minutia, as the signs of learned projections. Integers only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.cells import CELLS, DISC, see_cells
from fpmatch.descriptor._kernels.projecting import MANY, project, roots, signs
from fpmatch.jit import kernel

INSIDE = len(DISC)
FOURS = (CELLS + 2 * INSIDE) // 4
"""Of bytes that are multiplied together: cells, then cosines and sines of the texture."""


class SketchTables(NamedTuple):
    """What `sketch_minutiae` looks up; see `fpmatch.descriptor.sketch`."""

    turns: np.ndarray
    near: np.ndarray
    touched: np.ndarray
    shares: np.ndarray
    projections: np.ndarray
    medians: np.ndarray


@kernel(inner=True)
def _spread_out(x, y, angle, columns):
    """The minutiae of a row as ``columns (3, P) int32``, directions in units of codes."""
    for b in range(np.uint64(x.shape[0])):
        columns[0, b] = x[b]
        columns[1, b] = y[b]
        columns[2, b] = np.int32(angle[b]) << 8


@kernel(inner=True)
def _see_texture(texture, seen):
    """Signs of the cosines, then of the sines."""
    signs(texture[0], texture[2], seen, np.uint64(CELLS))
    signs(texture[1], texture[2], seen, np.uint64(CELLS + INSIDE))


@kernel
def see_minutiae(x, y, angle, texture, offsets, tables, scratch, seen):
    """What is projected of every minutia: ``seen (C, 416) uint8``.

    The roots of the cells of its cylinder; then of each cell of the cosines and the sines of the
    texture 64 or 0, and 32 where no finger is. Row r has the minutiae ``offsets[r]`` to
    ``offsets[r + 1]``. ``scratch`` as for `sketch_minutiae`.
    """
    columns, work, cells, bytes_of, _ = scratch
    turns, near, touched, shares = tables.turns, tables.near, tables.touched, tables.shares
    one = bytes_of[0]
    for r in range(offsets.shape[0] - 1):
        first, last = offsets[r], offsets[r + 1]
        _spread_out(x[first:last], y[first:last], angle[first:last], columns)
        for a in range(last - first):
            see_cells(
                columns[0], columns[1], columns[2], last - first, a, turns, near, touched, shares,
                work, cells,
            )  # fmt: skip
            roots(cells, one)
            _see_texture(texture[first + a], one)
            for k in range(seen.shape[1]):
                seen[first + a, k] = one[k]


@kernel
def sketch_minutiae(x, y, angle, texture, offsets, tables, scratch, out):
    """Sketches of the minutiae of rows: ``out (C + MANY, 3) uint32``, the last of them scratch.

    Bit b is set where projection b of what `see_minutiae` gives is above its median. ``scratch`` is
    (columns (3, P) int32, work (6, P) int32, cells (320,) int32, seen (MANY, 448) uint8 and the
    same as (MANY, 112) uint32), P as `padded` says of the longest row.
    """
    columns, work, cells, seen, fours = scratch
    turns, near, touched, shares = tables.turns, tables.near, tables.touched, tables.shares
    projections, medians = tables.projections, tables.medians
    waiting = 0
    for r in range(offsets.shape[0] - 1):
        first, last = offsets[r], offsets[r + 1]
        _spread_out(x[first:last], y[first:last], angle[first:last], columns)
        for a in range(last - first):
            see_cells(
                columns[0], columns[1], columns[2], last - first, a, turns, near, touched, shares,
                work, cells,
            )  # fmt: skip
            roots(cells, seen[waiting])
            _see_texture(texture[first + a], seen[waiting])
            waiting += 1
            if waiting == MANY:
                project(fours, projections, medians, out, np.uint64(first + a + 1 - MANY))
                waiting = 0
    if waiting:
        project(fours, projections, medians, out, np.uint64(offsets[-1] - waiting))
