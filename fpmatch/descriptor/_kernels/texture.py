"""Orientation texture in integers only, so that it is exact anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.bilinear import between
from fpmatch.descriptor._kernels.vectors import above
from fpmatch.jit import kernel

CHANNELS = 8
"""Numbers of a cell of a field of vectors: three of itself, each with that of the cell below."""
ROOM = 64
"""Cells of a texture that there is room for."""


class TextureTables(NamedTuple):
    """What `see_texture` looks up; see `fpmatch.descriptor.tables`."""

    turns: np.ndarray
    centres: np.ndarray
    double: np.ndarray
    cell: int
    cell_bits: int
    margin: int
    least: int


@kernel(inner=True)
def lay_field_out(field, height, width, double, margin, vectors):
    """Doubled-angle vector and presence of every cell of a field, with empty cells around it.

    field : (height * width,) uint8; double : (256, 2) int16.
    vectors : ((height + 2 margin) * (width + 2 margin) * 8 or more,) int16.
    """
    across = width + 2 * margin
    vectors[: (height + 2 * margin) * across * CHANNELS] = 0
    for row in range(height):
        here = np.uint64(((row + margin) * across + margin) * CHANNELS)
        over = np.uint64(((row + margin - 1) * across + margin) * CHANNELS + 1)
        start = np.uint64(row * width)
        for column in range(np.uint64(width)):
            value = np.uint64(field[start + column])
            if value != 0:
                at = here + column * np.uint64(CHANNELS)
                up = over + column * np.uint64(CHANNELS)
                vectors[at] = vectors[up] = double[value, 0]
                vectors[at + np.uint64(2)] = vectors[up + np.uint64(2)] = double[value, 1]
                vectors[at + np.uint64(4)] = vectors[up + np.uint64(4)] = 1


@kernel(inner=True)
def see_texture(x, y, angle, across, tables, vectors, work, texture):
    """Ridge orientation around a minutia, relative to its direction: ``texture (3,) uint64``.

    Bit k of the words is the sign of the cosine and of the sine of twice the orientation at cell k,
    and whether cell k is valid. x, y, angle : as `search_forms` has them; vectors : laid out,
    `across` cells a row; work : scratch, (9, 64) int32, whose numbers past the cells are -1.
    """
    turns, centres = tables.turns, tables.centres
    bits, margin = np.int32(tables.cell_bits), np.int32(tables.margin)
    cell, least = np.int32(1 << tables.cell_bits), np.int32(tables.least)
    turn = ((angle + 32) >> 6) & 1023
    c, s = turns[turn, 0], turns[turn, 1]
    double = (2 * turn) & 1023
    c2, s2 = np.int64(turns[double, 0]), np.int64(turns[double, 1])
    count = np.uint64(centres.shape[1])
    # Bilinear between the centres of cells; no disc reaches beyond the margin.
    left, up = np.int32(x - (cell >> 1)), np.int32(y - (cell >> 1))
    wide = np.int32(across)
    places, fx, fy = work[0], work[1], work[2]
    for k in range(count):
        ox, oy = np.int32(centres[0, k]), np.int32(centres[1, k])
        gx = np.int32((np.int32(c * ox - s * oy + 8192) >> np.int32(14)) + left)
        gy = np.int32((np.int32(s * ox + c * oy + 8192) >> np.int32(14)) + up)
        places[k] = np.int32(
            np.int32(np.int32((gy >> bits) + margin) * wide) + np.int32((gx >> bits) + margin)
        )
        fx[k] = gx & np.int32(cell - 1)
        fy[k] = gy & np.int32(cell - 1)
    cosines, sines, inside = work[3], work[4], work[5]
    between(vectors, places, fx, fy, count, cell, cosines, sines, inside)
    first, second, valid = work[6], work[7], work[8]
    for k in range(count):
        co, si = np.int64(cosines[k]), np.int64(sines[k])
        # The upper halves have the signs.
        first[k] = np.int32((co * c2 + si * s2) >> 32)
        second[k] = np.int32((si * c2 - co * s2) >> 32)
        valid[k] = np.int32(inside[k] - least)
    none, start = np.int32(-1), np.uint64(0)
    there = above(valid, start, none)
    texture[0] = above(first, start, none) & there
    texture[1] = above(second, start, none) & there
    texture[2] = there
