"""Growing and marking the skin of a master print."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel


@kernel
def grow(field, choice, bank, shift, limit, y0, y1, out):
    """One pass of the locally chosen filter over rows y0..y1 of an integer field.

    field : (H + 2 r, W + 2 r + pad) int16, out : the same; choice : (H, W) int32, number of the
    filter or -1 to leave the pixel at nought; bank : (F, 2 r + 1, columns) int16. Integer
    arithmetic throughout: growth amplifies the last bit, so with floating point two machines
    would grow different fingers.
    """
    width = choice.shape[1]
    rows = bank.shape[1]
    columns = bank.shape[2]
    half = rows // 2
    for y in range(y0, y1):
        for x in range(width):
            k = choice[y, x]
            if k < 0:
                continue
            total = np.int32(0)
            for i in range(rows):
                for j in range(columns):
                    total += np.int32(bank[k, i, j]) * np.int32(field[y + i, x + j])
            value = total >> shift
            if value > limit:
                value = limit
            elif value < -limit:
                value = -limit
            out[y + half, x + half] = value


@kernel
def spline_columns(knots, scale, out):
    """Interpolate the columns of ``knots`` by cubic B-splines, ``scale`` rows a knot.

    knots : (k, n) float64, k at least (rows - 1) / scale + 4; out : (rows, n) float64.
    """
    for y in range(out.shape[0]):
        at = y / scale
        base = int(at)
        t = at - base
        a = (1.0 - t) ** 3 / 6.0
        b = (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
        c = (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0) / 6.0
        d = t**3 / 6.0
        for x in range(out.shape[1]):
            out[y, x] = (a * knots[base, x] + b * knots[base + 1, x]) + (
                c * knots[base + 2, x] + d * knots[base + 3, x]
            )


@kernel
def place_apart(candidates, spacing, taken, chosen):
    """Choose points in the order given, none nearer than ``spacing`` to another; their number.

    candidates : (N, 2) int32, y and x; taken : (H, W) uint8 scratch, nought on entry; chosen :
    (N,) int64, row numbers.
    """
    height, width = taken.shape
    r = int(spacing)
    count = 0
    for k in range(candidates.shape[0]):
        y = candidates[k, 0]
        x = candidates[k, 1]
        if taken[y, x]:
            continue
        chosen[count] = k
        count += 1
        for i in range(max(0, y - r), min(height, y + r + 1)):
            for j in range(max(0, x - r), min(width, x + r + 1)):
                if (i - y) * (i - y) + (j - x) * (j - x) < spacing * spacing:
                    taken[i, j] = 1
    return count


@kernel
def stamp(points, out):
    """Raise ``out`` to soft dots where it is lower.

    points : (N, 4) float64: x, y, standard deviation (pixels) and height; out : (H, W) float32.
    """
    height, width = out.shape
    for k in range(points.shape[0]):
        x, y, sd, top = points[k, 0], points[k, 1], points[k, 2], points[k, 3]
        r = int(3 * sd) + 1
        for i in range(max(0, int(y) - r), min(height, int(y) + r + 2)):
            for j in range(max(0, int(x) - r), min(width, int(x) + r + 2)):
                d = ((i - y) * (i - y) + (j - x) * (j - x)) / (2 * sd * sd)
                value = top * math.exp(-d)
                if value > out[i, j]:
                    out[i, j] = value
