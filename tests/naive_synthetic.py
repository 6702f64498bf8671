"""Plain twins of the print generator's kernels: short, slow and obvious."""

from __future__ import annotations

import math

import numpy as np


def grow(field, choice, bank, shift, limit):
    out = np.zeros_like(field)
    rows, columns = bank.shape[1:]
    half = rows // 2
    for y, x in np.argwhere(choice >= 0):
        window = field[y : y + rows, x : x + columns].astype(np.int64)
        total = int((bank[choice[y, x]].astype(np.int64) * window).sum()) >> shift
        out[y + half, x + half] = max(-limit, min(limit, total))
    return out


def around(image, y, x):
    """Neighbours clockwise from north."""
    offsets = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    return [int(image[y + i, x + j]) for i, j in offsets]


def thin(pattern):
    """Zhang and Suen (1984), straight from the paper."""
    image = np.zeros(pattern.shape, np.uint8)
    image[1:-1, 1:-1] = pattern[1:-1, 1:-1]
    changed = True
    while changed:
        changed = False
        for half in (0, 1):
            gone = []
            for y, x in np.argwhere(image):
                n = around(image, y, x)
                p2, p4, p6, p8 = n[0], n[2], n[4], n[6]
                rises = sum(n[k] == 0 and n[(k + 1) % 8] == 1 for k in range(8))
                if not (2 <= sum(n) <= 6 and rises == 1):
                    continue
                first = (p2 * p4 * p6 == 0 and p4 * p6 * p8 == 0) if half == 0 else False
                second = (p2 * p4 * p8 == 0 and p2 * p6 * p8 == 0) if half == 1 else False
                if first or second:
                    gone.append((y, x))
            for y, x in gone:
                image[y, x] = 0
            changed = changed or bool(gone)
    return image


def crossing_number(image, y, x):
    n = around(image, y, x)
    return sum(abs(n[k] - n[(k + 1) % 8]) for k in range(8)) // 2


def spline_columns(knots, scale, rows):
    """By the definition of the cubic B-spline, as a sum over all knots."""
    out = np.zeros((rows, knots.shape[1]))
    for y in range(rows):
        for k in range(len(knots)):
            out[y] += bspline(y / scale + 1 - k) * knots[k]
    return out


def bspline(t):
    t = abs(t)
    if t < 1:
        return 2 / 3 - t * t + t**3 / 2
    if t < 2:
        return (2 - t) ** 3 / 6
    return 0.0


def stamp(points, shape):
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    out = np.zeros(shape)
    for px, py, sd, top in points:
        dot = top * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sd * sd))
        out = np.maximum(out, dot)
    return out


def place_apart(candidates, spacing):
    chosen = []
    for k, (y, x) in enumerate(candidates):
        apart = spacing * spacing
        if all((y - candidates[c][0]) ** 2 + (x - candidates[c][1]) ** 2 >= apart for c in chosen):
            chosen.append(k)
    return chosen


def to_master(xy, placement):
    """The plastic model as the docstrings tell it."""
    turn = placement.turn
    back = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    local = back @ (np.asarray(xy) - placement.sensor)
    cx, cy, a, b = placement.stuck
    distance = math.hypot((local[0] - cx) / a, (local[1] - cy) / b) - 1
    share = min(max(distance / placement.ring, 0), 1)
    brake = (1 - math.cos(math.pi * share)) / 2
    dx, dy, torque = placement.slide
    moved = local + brake * np.array([dx - torque * (local[1] - cy), dy + torque * (local[0] - cx)])
    for bx, by, mx, my, reach in placement.bumps:
        weight = math.exp(-((local[0] - bx) ** 2 + (local[1] - by) ** 2) / (2 * reach**2))
        moved = moved + weight * np.array([mx, my])
    return moved + placement.centre


def flow(x, y, pattern, knots, scale, width, height):
    """Orientation of a `Pattern` at a point."""
    angle = 0.0
    for s in pattern.singularities:
        turn = math.atan2(y - s.y, x - s.x)
        corrected = turn - s.side * s.sharp * math.cos(turn)
        angle += (1 if s.core else -1) * (corrected / 2 + math.pi / 4)
        angle += s.twist * math.exp(-((x - s.x) ** 2 + (y - s.y) ** 2) / (2 * s.reach**2))
    wave = math.cos(math.pi * x / width)
    if pattern.kind == 0:
        fall = max(0.0, 1 - pattern.arch_decay * abs(y / height - 0.42) * 1.6)
        angle -= math.atan(pattern.arch_height * fall * wave)
    else:
        angle -= pattern.arch_height * math.exp(-(((y / height - 0.28) / 0.26) ** 2)) * wave
    for i in range(knots.shape[0]):
        for j in range(knots.shape[1]):
            weight = bspline(y / scale + 1 - i) * bspline(x / scale + 1 - j)
            angle += weight * knots[i, j]
    return angle


def splitmix(seed, count):
    """Steele, Lea and Flood (2014), in Python integers."""
    mask = 2**64 - 1
    out = []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(((z ^ (z >> 31)) >> 11) / 2**53)
    return out
