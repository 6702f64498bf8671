"""Plain twins of fpmatch/minutiae/_kernels.py: written from the definitions, for small inputs."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import map_coordinates

RING = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]


def ridge_spectrum(padded, pad, theta, inside, step, half, along, periods):
    period = np.zeros(theta.shape, np.float32)
    peak = np.zeros(theta.shape, np.float32)
    u = np.arange(-half, half + 1)
    v = np.arange(-along, along + 1, 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (u + half + 0.5) / len(u))
    for i, j in np.argwhere(inside):
        c, s = math.cos(theta[i, j]), math.sin(theta[i, j])
        y = i * step + pad + u[:, None] * c + v * s
        x = j * step + pad - u[:, None] * s + v * c
        signature = map_coordinates(padded.astype(float), [y, x], order=1).sum(1)
        signature = (signature - signature.mean()) * window
        power = np.abs(np.exp(2j * np.pi * (u + half) / periods[:, None]) @ signature) ** 2
        period[i, j] = periods[power.argmax()]
        peak[i, j] = power.max() / (1e-6 + (signature**2).sum())
    return period, peak


def directional_filter(padded, pad, mask, angle_of, taps_of, out):
    """angle_of(y, x): direction in radians; taps_of(y, x): taps on whole columns or rows."""
    for y, x in np.argwhere(mask):
        angle, taps = angle_of(y, x), taps_of(y, x)
        t = np.arange(len(taps)) - len(taps) // 2
        if abs(math.sin(angle)) > abs(math.cos(angle)):
            at = [y + pad + t, x + pad + t / math.tan(angle)]
        else:
            at = [y + pad + t * math.tan(angle), x + pad + t]
        out[y + pad, x + pad] = taps @ map_coordinates(padded.astype(float), at, order=1)


def around(image, y, x):
    return [bool(image[y + dy, x + dx]) for dy, dx in RING]


def rises(ring):
    return sum(not ring[k] and ring[(k + 1) % 8] for k in range(8))


def thin(image):
    image = image.astype(bool)
    height, width = image.shape
    changed = True
    while changed:
        changed = False
        for half in range(2):
            doomed = []
            for y, x in np.argwhere(image):
                if not (1 <= y < height - 1 and 1 <= x < width - 1):
                    continue
                ring = around(image, y, x)
                n, e, s, w = ring[0], ring[2], ring[4], ring[6]
                if half == 0:
                    sides = not (n and e and s) and not (e and s and w)
                else:
                    sides = not (n and e and w) and not (n and s and w)
                if 2 <= sum(ring) <= 6 and rises(ring) == 1 and sides:
                    doomed.append((y, x))
            for y, x in doomed:
                image[y, x] = False
            changed |= bool(doomed)
    for y, x in np.argwhere(image):
        if 1 <= y < height - 1 and 1 <= x < width - 1:
            ring = around(image, y, x)
            if sum(ring) >= 2 and pieces(ring) == 1 and not all(ring[0::2]):
                image[y, x] = False
    return image.astype(np.uint8)


def pieces(ring):
    """Connected groups of ring pixels, 8-connected through the ring."""
    grid = np.zeros((3, 3), int)
    for k, (dy, dx) in enumerate(RING):
        grid[1 + dy, 1 + dx] = ring[k]
    from scipy.ndimage import label

    return label(grid, np.ones((3, 3)))[1]


def follow(skeleton, y, x, y1, x1, limit):
    before, here, steps = (y, x), (y1, x1), 1
    while steps < limit:
        crossing = rises(around(skeleton, *here))
        if crossing == 1:
            return (*here, steps, 1)
        if crossing >= 3:
            return (*here, steps, 3)
        ahead = [
            (here[0] + dy, here[1] + dx)
            for dy, dx in RING[0::2] + RING[1::2]
            if skeleton[here[0] + dy, here[1] + dx]
            and max(abs(here[0] + dy - before[0]), abs(here[1] + dx - before[1])) > 1
        ]
        if not ahead:
            return (*here, steps, 1)
        before, here = here, ahead[0]
        steps += 1
    return (*here, steps, 0)


def detect(skeleton, distance, border, trace, spur, fork):
    found = []
    for y, x in np.argwhere(skeleton):
        ring = around(skeleton, y, x)
        crossing = rises(ring)
        if distance[y, x] < border or crossing not in (1, 3):
            continue
        starts = [
            (y + dy, x + dx)
            for k, (dy, dx) in enumerate(RING)
            if ring[k] and not (k % 2 and (ring[k - 1] or ring[(k + 1) % 8]))
        ]
        ends = [follow(skeleton, y, x, *start, trace) for start in starts]
        shortest = spur if crossing == 1 else fork
        if len(ends) != crossing or any(e[3] and e[2] < shortest for e in ends):
            continue
        angles = [math.atan2(e[0] - y, e[1] - x) for e in ends]
        direction = angles[0]
        if crossing == 3:
            i = min(range(3), key=lambda k: turn(angles[k], angles[(k + 1) % 3]))
            a, b = angles[i], angles[(i + 1) % 3]
            direction = math.atan2(math.sin(a) + math.sin(b), math.cos(a) + math.cos(b))
        found.append((x, y, direction, 1 if crossing == 1 else 2))
    return np.array(found, np.float32).reshape(-1, 4)


def turn(a, b):
    return abs(math.atan2(math.sin(a - b), math.cos(a - b)))


def reject(x, y, angle, kind, order, gap, facing, opposite, opposed, duplicate):
    n = len(x)
    keep = np.ones(n, np.uint8)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            d, t = math.hypot(x[i] - x[j], y[i] - y[j]), turn(angle[i], angle[j])
            if d < gap and t > facing and kind[i] == kind[j] == 1:
                keep[i] = 0
            if d < opposite and t > opposed:
                keep[i] = 0
    chosen: list[int] = []
    for i in order:
        if not keep[i]:
            continue
        if any(math.hypot(x[i] - x[j], y[i] - y[j]) <= duplicate for j in chosen):
            keep[i] = 0
        else:
            chosen.append(i)
    return keep
