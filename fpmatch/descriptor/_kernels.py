"""Cylinder codes and orientation texture in integers only, so that they are exact anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.jit import kernel


class CodeTables(NamedTuple):
    """What `cylinder_codes` looks up; see `fpmatch.descriptor.tables`."""

    cosine: np.ndarray
    sine: np.ndarray
    gauss: np.ndarray
    section: np.ndarray
    number: np.ndarray
    axis: np.ndarray
    weight: int


class TextureTables(NamedTuple):
    """What `texture_bits` looks up; see `fpmatch.descriptor.tables`."""

    cosine: np.ndarray
    sine: np.ndarray
    centres: np.ndarray
    double: np.ndarray
    cell: int
    least: int


@kernel(inner=True)
def _accumulate(u, v, turn, tables, across, values):
    """Add one neighbour at (u, v), turned by `turn` of 256, to the cells around it."""
    side = tables.axis.shape[0]
    reach = tables.gauss.shape[0]
    sections = tables.section.shape[1]
    for k in range(side):
        away = abs(tables.axis[k] - u)
        across[k] = tables.gauss[away] if away < reach else 0
    for row in range(side):
        away = abs(tables.axis[row] - v)
        if away >= reach:
            continue
        down = tables.gauss[away]
        for column in range(side):
            number = tables.number[row * side + column]
            # Two factors of 1024 leave 12 bits: 64 neighbours then fit in 32 with the section's.
            near = (down * across[column]) >> 8
            if near == 0 or number < 0:
                continue
            for s in range(sections):
                values[number * sections + s] += near * tables.section[turn, s]


@kernel(inner=True)
def _largest(values, weight, code):
    """Set the bits of the `weight` largest values, the earlier of equal ones; False if too few."""
    top = 0
    positive = 0
    for p in range(values.shape[0]):
        top = max(top, values[p])
        positive += values[p] > 0
    if positive < weight:
        return False
    low = 1
    while low < top:
        middle = (low + top + 1) >> 1
        count = 0
        for p in range(values.shape[0]):
            count += values[p] >= middle
        if count >= weight:
            low = middle
        else:
            top = middle - 1
    above = 0
    for p in range(values.shape[0]):
        above += values[p] > low
    equal = weight - above
    for p in range(values.shape[0]):
        take = values[p] > low
        if values[p] == low and equal > 0:
            take = True
            equal -= 1
        if take:
            code[p >> 6] |= np.uint64(1) << np.uint64(p & 63)
    return True


@kernel
def cylinder_codes(x, y, angle, tables, across, values, codes, usable):
    """Codes of all minutiae of a template.

    x, y : (M,) int32, eighths of a pixel; angle : (M,) int32, 65536 a turn.
    across, values : scratch, (side,) and (cells * sections,) int32.
    codes : (M, W) uint64, zeroed; usable : (M,) bool.
    """
    reach = tables.axis[-1] + tables.gauss.shape[0]
    for a in range(x.shape[0]):
        values[:] = 0
        turn = ((angle[a] + 32) >> 6) & 1023
        c = tables.cosine[turn]
        s = tables.sine[turn]
        for b in range(x.shape[0]):
            dx = x[b] - x[a]
            dy = y[b] - y[a]
            if b == a or abs(dx) > 2 * reach or abs(dy) > 2 * reach:
                continue
            u = (c * dx + s * dy + 8192) >> 14
            v = (c * dy - s * dx + 8192) >> 14
            if abs(u) < reach and abs(v) < reach:
                away = (((angle[a] - angle[b]) & 65535) + 128) >> 8
                _accumulate(u, v, away & 255, tables, across, values)
        usable[a] = _largest(values, tables.weight, codes[a])


@kernel(inner=True)
def _sample(field, tables, px, py):
    """Bilinear doubled-angle vector of the orientation field, and the weight inside."""
    cell = tables.cell
    gx = px - cell // 2
    gy = py - cell // 2
    column = gx // cell
    row = gy // cell
    fx = gx - column * cell
    fy = gy - row * cell
    cosine = 0
    sine = 0
    inside = 0
    for corner in range(4):
        r = row + (corner >> 1)
        k = column + (corner & 1)
        if 0 <= r < field.shape[0] and 0 <= k < field.shape[1] and field[r, k] != 0:
            w = (fy if corner >> 1 else cell - fy) * (fx if corner & 1 else cell - fx)
            cosine += w * tables.double[field[r, k], 0]
            sine += w * tables.double[field[r, k], 1]
            inside += w
    return cosine, sine, inside


@kernel
def texture_bits(x, y, angle, field, tables, texture):
    """Ridge orientation around every minutia, relative to its direction.

    x, y : (M,) int32, eighths of a pixel; angle : (M,) int32, 65536 a turn.
    field : (h, w) uint8, `Template.orientation`.
    texture : (M, 3) uint64, zeroed: bit k of the words is the sign of the cosine and of the sine
    of twice the orientation at cell k, and whether cell k is valid.
    """
    for a in range(x.shape[0]):
        turn = ((angle[a] + 32) >> 6) & 1023
        c = tables.cosine[turn]
        s = tables.sine[turn]
        c2 = np.int64(tables.cosine[(2 * turn) & 1023])
        s2 = np.int64(tables.sine[(2 * turn) & 1023])
        for k in range(tables.centres.shape[0]):
            ox = tables.centres[k, 0]
            oy = tables.centres[k, 1]
            px = x[a] + ((c * ox - s * oy + 8192) >> 14)
            py = y[a] + ((s * ox + c * oy + 8192) >> 14)
            cosine, sine, inside = _sample(field, tables, px, py)
            if inside < tables.least:
                continue
            bit = np.uint64(1) << np.uint64(k)
            texture[a, 2] |= bit
            if cosine * c2 + sine * s2 >= 0:
                texture[a, 0] |= bit
            if sine * c2 - cosine * s2 >= 0:
                texture[a, 1] |= bit
