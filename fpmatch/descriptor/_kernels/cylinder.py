"""Cylinder codes in integers only, so that they are exact anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.vectors import add_weighted
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
    near: np.ndarray
    reached: np.ndarray
    weight: int
    words: int


@kernel(inline=True)
def accumulate(u, v, away, shares, near, reached, values):
    """Add a neighbour to the cells around it, with the shares of row `away`.

    Its place is in column `u` and row `v` of the tables ``near (U, 8) int32`` and
    ``reached (U, 2) uint8``; ``values (side * side * 8,) int32``.
    """
    side = np.uint64(near.shape[1])
    for row in range(np.uint64(reached[v, 0]), np.uint64(reached[v, 1])):
        down = near[v, row]
        for column in range(np.uint64(reached[u, 0]), np.uint64(reached[u, 1])):
            # Two factors of 1024 leave 12 bits: 64 neighbours then fit in 32 with the section's.
            weight = np.int32((down * near[u, column]) >> 8)
            at = (row * side + column) * np.uint64(8)
            add_weighted(values, at, shares, np.uint64(away) * np.uint64(8), weight)


@kernel(inner=True)
def _threshold(values, weight, counts, among):
    """The value of rank `weight` from the top, and how many are above it.

    values : (N,) int32, positive, at least `weight` of them.
    counts : (256,) int32 and among : as `values` or longer, scratch.
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
    while above + counts[bucket] < weight:
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
        if above + equal >= weight:
            return best, above
        above += equal


@kernel(inner=True)
def _set_largest(values, low, equal, code):
    """Set the bits of the values above `low`, and of the first `equal` that are as large."""
    one = np.uint64(1)
    size = np.uint64(values.shape[0])
    for word in range(np.uint64(code.shape[0])):
        start = word << np.uint64(6)
        larger = np.uint64(0)
        same = np.uint64(0)
        # Without a branch: vector code.
        for p in range(start, min(start + np.uint64(64), size)):
            larger |= np.uint64(values[p] > low) << (p - start)
            same |= np.uint64(values[p] == low) << (p - start)
        while same != 0 and equal > 0:
            larger |= same & (~same + one)
            same &= same - one
            equal -= 1
        code[word] = larger


@kernel
def cylinder_codes(x, y, angle, tables, work, codes, usable):
    """Codes of all minutiae of a template.

    x, y : (M,) int32, eighths of a pixel; angle : (M,) int32, 65536 a turn.
    work : scratch, (5, 256 or side * side * 8 or more) int32.
    codes : (M, W) uint64, zeroed; usable : (M,) bool, False.
    """
    # Passing a tuple of arrays costs as much as a neighbour: the inner loops see plain arrays.
    near, reached, number, shares = tables.near, tables.reached, tables.number, tables.shares
    weight, sections = tables.weight, tables.section.shape[1]
    reach = near.shape[0] >> 1
    size = 0
    for cell in range(number.shape[0]):
        size += sections * (number[cell] >= 0)
    padded, values, among, counts = work[0], work[1, :size], work[2], work[3, :256]
    positive = work[4]
    for a in range(x.shape[0]):
        padded[:] = 0
        turn = ((angle[a] + 32) >> 6) & 1023
        c = np.int64(tables.cosine[turn])
        s = np.int64(tables.sine[turn])
        for b in range(x.shape[0]):
            dx = np.int64(x[b]) - x[a]
            dy = np.int64(y[b]) - y[a]
            u = ((c * dx + s * dy + 8192) >> 14) + reach
            v = ((c * dy - s * dx + 8192) >> 14) + reach
            if b != a and 0 < u < 2 * reach and 0 < v < 2 * reach:
                away = (((angle[a] - angle[b]) & 65535) + 128) >> 8
                accumulate(np.uint64(u), np.uint64(v), away & 255, shares, near, reached, padded)
        many = np.uint64(0)
        for cell in range(number.shape[0]):
            if number[cell] >= 0:
                for k in range(sections):
                    value = padded[cell * 8 + k]
                    values[number[cell] * sections + k] = value
                    positive[many] = value
                    many += np.uint64(value > 0)
        if many >= weight:
            low, above = _threshold(positive[:many], weight, counts, among)
            _set_largest(values, low, weight - above, codes[a])
            usable[a] = True
