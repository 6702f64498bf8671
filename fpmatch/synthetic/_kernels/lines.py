"""Thinning ridge patterns and reading minutiae off the lines."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel


@kernel
def neighbours(image, y, x):
    """The eight neighbours as bits N, NE, E, SE, S, SW, W, NW, lowest first."""
    return (
        image[y - 1, x]
        | image[y - 1, x + 1] << 1
        | image[y, x + 1] << 2
        | image[y + 1, x + 1] << 3
        | image[y + 1, x] << 4
        | image[y + 1, x - 1] << 5
        | image[y, x - 1] << 6
        | image[y - 1, x - 1] << 7
    )


@kernel
def step(y, x, bit):
    """The neighbour of (y, x) that ``bit`` of `neighbours` stands for."""
    dy = 0
    if bit == 0 or bit == 1 or bit == 7:
        dy = -1
    elif bit == 3 or bit == 4 or bit == 5:
        dy = 1
    dx = 0
    if 1 <= bit <= 3:
        dx = 1
    elif bit >= 5:
        dx = -1
    return y + dy, x + dx


@kernel
def crossings(code):
    """Crossing number of a neighbourhood: 1 an ending, 2 a line, 3 a fork."""
    turned = ((code << 1) | (code >> 7)) & 255
    changes = code ^ turned
    count = 0
    while changes:
        count += changes & 1
        changes >>= 1
    return count >> 1


@kernel
def walk(lines, y, x, code0, bit, steps, path):
    """Follow a line from (y, x) through neighbour ``bit``; returns (length, end).

    end : 0 ran all the steps, 1 met an ending, 3 met a fork. path : (steps, 2) int32, y and x.
    """
    py, px = y, x
    cy, cx = step(y, x, bit)
    length = 0
    path[0, 0] = cy
    path[0, 1] = cx
    length = 1
    first = code0
    while length < steps:
        code = neighbours(lines, cy, cx)
        kind = crossings(code)
        if kind == 1:
            return length, 1
        if kind >= 3:
            return length, 3
        ny, nx = -1, -1
        for order in range(8):
            # Straight neighbours first, so that a corner is not cut.
            k = (order * 2) % 8 if order < 4 else (order * 2 + 1) % 8
            if not (code >> k) & 1:
                continue
            ty, tx = step(cy, cx, k)
            if ty == py and tx == px:
                continue
            if abs(ty - py) <= 1 and abs(tx - px) <= 1:
                continue
            ny, nx = ty, tx
            break
        if ny < 0:
            return length, 1
        py, px = cy, cx
        cy, cx = ny, nx
        path[length, 0] = cy
        path[length, 1] = cx
        length += 1
    return length, 0 if first >= 0 else 1


@kernel
def thin(pattern, table, out):
    """Thin to one-pixel lines by alternating parallel passes until nothing changes.

    pattern : (H, W) uint8, 0 or 1, its rim is ignored; table : (2, 256) uint8, which
    neighbourhoods to delete in each half pass (bits N, NE, E, SE, S, SW, W, NW); out : (H, W)
    uint8.
    """
    height, width = pattern.shape
    ys = np.empty(height * width, np.int32)
    xs = np.empty(height * width, np.int32)
    count = 0
    for y in range(height):
        for x in range(width):
            inner = 0 < y < height - 1 and 0 < x < width - 1
            out[y, x] = pattern[y, x] if inner else 0
            if out[y, x]:
                ys[count] = y
                xs[count] = x
                count += 1
    marked = np.empty(count, np.int32)
    changed = True
    while changed:
        changed = False
        for half in range(2):
            hits = 0
            for k in range(count):
                if table[half, neighbours(out, ys[k], xs[k])]:
                    marked[hits] = k
                    hits += 1
            for k in range(hits):
                out[ys[marked[k]], xs[marked[k]]] = 0
            changed = changed or hits > 0
            kept = 0
            for k in range(count):
                if out[ys[k], xs[k]]:
                    ys[kept] = ys[k]
                    xs[kept] = xs[k]
                    kept += 1
            count = kept


@kernel
def prune(lines, longest, out):
    """Take away spurs: lines of up to ``longest`` pixels from an ending to a fork.

    lines : (H, W) uint8, unchanged; out : (H, W) uint8, a copy of it on entry.
    """
    height, width = lines.shape
    path = np.empty((longest + 1, 2), np.int32)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if not lines[y, x]:
                continue
            code = neighbours(lines, y, x)
            if crossings(code) != 1:
                continue
            bit = 0
            while not (code >> bit) & 1:
                bit += 1
            if bit == 7 and code & 1:
                bit = 0
            length, end = walk(lines, y, x, code, bit, longest + 1, path)
            if end == 3:
                out[y, x] = 0
                for k in range(length - 1):
                    out[path[k, 0], path[k, 1]] = 0


@kernel
def between_closest(angles, count):
    """Direction midway between the two branches that enclose the smallest angle."""
    best = 9.0
    sy = 0.0
    sx = 0.0
    for i in range(count):
        for j in range(i + 1, count):
            gap = abs(angles[i] - angles[j])
            if gap > math.pi:
                gap = 2 * math.pi - gap
            if gap < best:
                best = gap
                sy = math.sin(angles[i]) + math.sin(angles[j])
                sx = math.cos(angles[i]) + math.cos(angles[j])
    return math.atan2(sy, sx)


@kernel
def find_minutiae(lines, reach, out):
    """Endings and forks of one-pixel lines; returns their number.

    lines : (H, W) uint8; reach : pixels to follow each branch; out : (N, 4) float64: x, y,
    direction (radians, y down) and kind (1 ending, 2 bifurcation).
    """
    height, width = lines.shape
    path = np.empty((reach, 2), np.int32)
    angles = np.empty(4)
    found = 0
    for y in range(2, height - 2):
        for x in range(2, width - 2):
            if not lines[y, x]:
                continue
            code = neighbours(lines, y, x)
            kind = crossings(code)
            if kind != 1 and kind != 3:
                continue
            branches = 0
            for bit in range(8):
                if not (code >> bit) & 1 or branches == 4:
                    continue
                straight = bit % 2 == 0
                before = (code >> ((bit + 7) % 8)) & 1
                after = (code >> ((bit + 1) % 8)) & 1
                if not straight and (before or after):
                    continue
                length, _ = walk(lines, y, x, code, bit, reach, path)
                end = path[length - 1]
                angles[branches] = math.atan2(float(end[0] - y), float(end[1] - x))
                branches += 1
            if kind == 1 and branches >= 1:
                angle = angles[0]
            elif kind == 3 and branches >= 3:
                angle = between_closest(angles, branches)
            else:
                continue
            out[found, 0] = x
            out[found, 1] = y
            out[found, 2] = angle
            out[found, 3] = 1 if kind == 1 else 2
            found += 1
            if found == out.shape[0]:
                return found
    return found
