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
    shares: np.ndarray
    number: np.ndarray
    axis: np.ndarray
    weight: int
    words: int


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
def _reached(axis, at, reach):
    """First cell of an axis that a neighbour at `at` reaches, and the one after the last."""
    first = 0
    while first < axis.shape[0] and axis[first] <= at - reach:
        first += 1
    end = first
    while end < axis.shape[0] and axis[end] < at + reach:
        end += 1
    return first, end


@kernel(inner=True)
def _accumulate(u, v, shares, gauss, axis, values):
    """Add a neighbour at (u, v) to the cells around it; values : (side * side * 8,) int32."""
    side = axis.shape[0]
    left, right = _reached(axis, u, gauss.shape[0])
    above, below = _reached(axis, v, gauss.shape[0])
    for row in range(above, below):
        down = gauss[abs(axis[row] - v)]
        for column in range(left, right):
            # Two factors of 1024 leave 12 bits: 64 neighbours then fit in 32 with the section's.
            near = np.int32((down * gauss[abs(axis[column] - u)]) >> 8)
            at = np.uint64((row * side + column) * 8)
            for s in range(np.uint64(8)):
                values[at + s] += np.int32(near * shares[s])


@kernel(inner=True)
def _threshold(values, weight, counts, among):
    """The value of rank `weight` from the top, and how many are above it; 0 if it is not positive.

    counts : (256,) int32 and among : as `values`, scratch.
    """
    size = np.uint64(values.shape[0])
    top = np.int32(0)
    for p in range(size):
        top = max(top, values[p])
    bits = 0
    while top >> bits > 255:
        bits += 1
    counts[:] = 0
    for p in range(size):
        counts[np.uint64(values[p] >> bits)] += 1
    above = 0
    bucket = 255
    while bucket > 0 and above + counts[bucket] < weight:
        above += counts[bucket]
        bucket -= 1
    number = np.uint64(0)
    for p in range(size):
        among[number] = values[p]
        number += np.uint64(values[p] >> bits == bucket)
    # What is left shares its first eight bits, and is little: the largest go one by one.
    while True:
        best = np.int32(0)
        for p in range(number):
            best = max(best, among[p])
        equal = 0
        for p in range(number):
            if among[p] == best:
                equal += 1
                among[p] = -1
        if best == 0 or above + equal >= weight:
            return best, above
        above += equal


@kernel(inner=True)
def _largest(values, weight, counts, among, code):
    """Set the bits of the `weight` largest values, the earlier of equal ones; False if too few."""
    low, above = _threshold(values, weight, counts, among)
    if low == 0:
        return False
    equal = weight - above
    size = np.uint64(values.shape[0])
    for word in range(np.uint64(code.shape[0])):
        start = word << np.uint64(6)
        bits = np.uint64(0)
        for p in range(start, min(start + np.uint64(64), size)):
            take = values[p] > low
            if values[p] == low and equal > 0:
                take = True
                equal -= 1
            bits |= np.uint64(take) << (p - start)
        code[word] = bits
    return True


@kernel
def cylinder_codes(x, y, angle, tables, work, codes, usable):
    """Codes of all minutiae of a template.

    x, y : (M,) int32, eighths of a pixel; angle : (M,) int32, 65536 a turn.
    work : scratch, (4, side * side * 8) int32.
    codes : (M, W) uint64, zeroed; usable : (M,) bool.
    """
    # Passing a tuple of arrays costs as much as a neighbour: the inner loops see plain arrays.
    gauss, axis, number, shares = tables.gauss, tables.axis, tables.number, tables.shares
    weight, sections = tables.weight, tables.section.shape[1]
    reach = axis[-1] + gauss.shape[0]
    size = 0
    for cell in range(number.shape[0]):
        size += sections * (number[cell] >= 0)
    padded, values, among, counts = work[0], work[1, :size], work[2], work[3, :256]
    for a in range(x.shape[0]):
        padded[:] = 0
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
                _accumulate(u, v, shares[away & 255], gauss, axis, padded)
        for cell in range(number.shape[0]):
            if number[cell] >= 0:
                for k in range(sections):
                    values[number[cell] * sections + k] = padded[cell * 8 + k]
        usable[a] = _largest(values, weight, counts, among, codes[a])


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
            row = np.uint64((gy >> bits) + margin)
            column = np.uint64((gx >> bits) + margin)
            fx = gx & (cell - 1)
            fy = gy & (cell - 1)
            cosine = np.int64(0)
            sine = np.int64(0)
            inside = np.int64(0)
            for corner in range(np.uint64(4)):
                down = corner >> np.uint64(1)
                right = corner & np.uint64(1)
                w = (fy if down else cell - fy) * (fx if right else cell - fx)
                cosine += w * vectors[row + down, column + right, 0]
                sine += w * vectors[row + down, column + right, 1]
                inside += w * vectors[row + down, column + right, 2]
            if inside < least:
                continue
            bit = np.uint64(1) << np.uint64(k)
            texture[a, 2] |= bit
            if cosine * c2 + sine * s2 >= 0:
                texture[a, 0] |= bit
            if sine * c2 - cosine * s2 >= 0:
                texture[a, 1] |= bit
