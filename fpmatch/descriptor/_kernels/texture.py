"""Orientation texture in integers only, so that it is exact anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.vectors import between
from fpmatch.jit import kernel


class TextureTables(NamedTuple):
    """What `texture_bits` looks up; see `fpmatch.descriptor.tables`."""

    cosine: np.ndarray
    sine: np.ndarray
    centres: np.ndarray
    double: np.ndarray
    cell: int
    cell_bits: int
    margin: int
    least: int


@kernel(inner=True)
def _vectors(field, double, margin, vectors):
    """Doubled-angle vector and presence of every cell of a field, with empty cells around it."""
    vectors[:] = 0
    for row in range(field.shape[0]):
        for column in range(field.shape[1]):
            value = field[row, column]
            if value != 0:
                at = vectors[row + margin, column + margin]
                at[0] = double[value, 0]
                at[1] = double[value, 1]
                at[2] = 1


@kernel
def texture_bits(x, y, angle, field, tables, vectors, texture):
    """Ridge orientation around every minutia, relative to its direction.

    x, y : (M,) int32, eighths of a pixel; angle : (M,) int32, 65536 a turn.
    field : (h, w) uint8, `Template.orientation`.
    vectors : scratch, (h + 2 margin, w + 2 margin, 4) int32.
    texture : (M, 3) uint64, zeroed: bit k of the words is the sign of the cosine and of the sine
    of twice the orientation at cell k, and whether cell k is valid.
    """
    cell = np.int64(1) << tables.cell_bits
    centres, least, bits, margin = tables.centres, tables.least, tables.cell_bits, tables.margin
    width = vectors.shape[1]
    _vectors(field, tables.double, margin, vectors)
    for a in range(x.shape[0]):
        turn = ((angle[a] + 32) >> 6) & 1023
        c = tables.cosine[turn]
        s = tables.sine[turn]
        c2 = np.int64(tables.cosine[(2 * turn) & 1023])
        s2 = np.int64(tables.sine[(2 * turn) & 1023])
        for k in range(centres.shape[0]):
            ox = centres[k, 0]
            oy = centres[k, 1]
            # Bilinear between the centres of cells; no disc reaches beyond the margin.
            gx = x[a] + ((c * ox - s * oy + 8192) >> 14) - (cell >> 1)
            gy = y[a] + ((s * ox + c * oy + 8192) >> 14) - (cell >> 1)
            at = ((gy >> bits) + margin) * width + (gx >> bits) + margin
            fx = gx & (cell - 1)
            fy = gy & (cell - 1)
            cosine, sine, inside = between(vectors, at, width, fx, fy, cell)
            if inside < least:
                continue
            bit = np.uint64(1) << np.uint64(k)
            texture[a, 2] |= bit
            if cosine * c2 + sine * s2 >= 0:
                texture[a, 0] |= bit
            if sine * c2 - cosine * s2 >= 0:
                texture[a, 1] |= bit
