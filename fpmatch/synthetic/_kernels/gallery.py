"""Minutiae without pixels: points on a flow, and one touch of them."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.synthetic._kernels.touch import from_master_point, jacobian, to_master

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30 = np.uint64(30)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S11 = np.uint64(11)


@kernel
def uniform(state):
    """Next number in [0, 1) of a splitmix64 stream (Steele et al. 2014). state : (1,) uint64."""
    state[0] = state[0] + _GOLDEN
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    z = z ^ (z >> _S31)
    return float(z >> _S11) * (1.0 / 9007199254740992.0)


@kernel
def normal(state):
    """Next standard normal number (Box and Muller, 1958; the second of each pair unused)."""
    u = 1.0 - uniform(state)
    v = uniform(state)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)


@kernel
def poisson(state, mean):
    """Next Poisson number, by multiplication (Knuth); for small means."""
    limit = math.exp(-mean)
    count = 0
    product = uniform(state)
    while product > limit:
        count += 1
        product *= uniform(state)
    return count


@kernel
def spline_at(knots, scale, x, y):
    """Cubic B-spline of ``knots`` (rows, columns) at one point, ``scale`` pixels a knot."""
    ax = x / scale
    ay = y / scale
    j = int(ax)
    i = int(ay)
    tx = ax - j
    ty = ay - i
    total = 0.0
    for k in range(4):
        row = 0.0
        for m in range(4):
            row += spline_weight(m, tx) * knots[i + k, j + m]
        total += spline_weight(k, ty) * row
    return total


@kernel
def spline_weight(k, t):
    """Weight of the ``k``-th of four knots at ``t`` of the way between the middle two."""
    if k == 0:
        return (1.0 - t) ** 3 / 6.0
    if k == 1:
        return (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
    if k == 2:
        return (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0) / 6.0
    return t**3 / 6.0


@kernel
def flow(x, y, pattern, knots, scale):
    """Ridge orientation at one point of a master, radians, not reduced.

    pattern : (6 + 7 S,) float64, see `Pattern.vector`; knots : wandering of the flow in radians.
    """
    width = pattern[0]
    height = pattern[1]
    px = min(max(x, 0.0), width - 1.0)
    py = min(max(y, 0.0), height - 1.0)
    wave = math.cos(math.pi * px / width)
    if pattern[2] > 0:
        fall = 1.0 - pattern[4] * abs(py / height - 0.42) * 1.6
        angle = -math.atan(pattern[3] * max(0.0, fall) * wave)
    else:
        rise = (py / height - 0.28) / 0.26
        angle = -pattern[3] * math.exp(-rise * rise) * wave
    for k in range(int(pattern[5])):
        q = 6 + 7 * k
        dx = x - pattern[q]
        dy = y - pattern[q + 1]
        turn = math.atan2(dy, dx)
        turn -= pattern[q + 4] * pattern[q + 3] * math.cos(turn)
        reach = pattern[q + 6]
        angle += pattern[q + 5] * math.exp(-(dx * dx + dy * dy) / (2.0 * reach * reach))
        if pattern[q + 2] > 0:
            angle += 0.5 * turn + 0.25 * math.pi
        else:
            angle -= 0.5 * turn + 0.25 * math.pi
    return angle + spline_at(knots, scale, px, py)


@kernel
def flow_rows(pattern, knots, scale, y0, y1, out):
    """`flow` of every pixel of rows y0..y1, reduced to [0, pi). out : (H, W) float64."""
    for y in range(y0, y1):
        for x in range(out.shape[1]):
            out[y, x] = flow(float(x), float(y), pattern, knots, scale) % math.pi


@kernel
def spreading(x, y, pattern, knots, scale):
    """Divergence (per pixel) of the ridge direction at a point, and its orientation.

    Where parallel ridges spread by this much, as many new ones must begin.
    """
    h = 2.0
    angle = flow(x, y, pattern, knots, scale)
    ax = flow(x + h, y, pattern, knots, scale) - angle
    ay = flow(x, y + h, pattern, knots, scale) - angle
    ax -= math.pi * math.floor(ax / math.pi + 0.5)
    ay -= math.pi * math.floor(ay / math.pi + 0.5)
    return (math.cos(angle) * ay - math.sin(angle) * ax) / h, angle


@kernel
def scatter(state, pattern, knots, scale, model, out):
    """Scatter the minutiae of one finger over its flow; returns their number.

    model : (6,) float64: ridge period (pixels), background density and highest density (per
    square pixel), least distance (pixels), standard deviation of the direction about the flow
    (radians), weight of spreading. out : (N, 4) float64: x, y, direction, kind.
    """
    width, height = pattern[0], pattern[1]
    top = model[2]
    tries = int(top * width * height)
    count = 0
    for _ in range(tries):
        x = uniform(state) * (width - 1.0)
        y = uniform(state) * (height - 1.0)
        u = uniform(state)
        a = abs(2.0 * x / width - 1.0)
        b = abs(2.0 * y / height - 1.0)
        if a * a * math.sqrt(a) + b * b * math.sqrt(b) > 0.95:
            continue
        spread, angle = spreading(x, y, pattern, knots, scale)
        forced = model[5] * spread / model[0]
        density = math.sqrt(model[1] * model[1] + forced * forced)
        if u * top > density:
            continue
        free = True
        for k in range(count):
            dx = out[k, 0] - x
            dy = out[k, 1] - y
            if dx * dx + dy * dy < model[3] * model[3]:
                free = False
                break
        if not free:
            continue
        if uniform(state) > 0.5 + 0.5 * forced / density:
            angle += math.pi
        out[count, 0] = x
        out[count, 1] = y
        out[count, 2] = angle + model[4] * normal(state)
        out[count, 3] = 1.0 if uniform(state) < 0.5 else 2.0
        count += 1
        if count == out.shape[0]:
            break
    return count


@kernel
def rim_of(x, y, p, outline):
    """How far a sensor point lies inside the contact region: 1 centre, 0 rim, below outside."""
    dx = x - p[0]
    dy = y - p[1]
    u = abs(p[2] * dx + p[3] * dy) / outline[0]
    v = abs(-p[3] * dx + p[2] * dy) / outline[1]
    if u > 1.2 or v > 1.2:
        return -1.0
    return 1.0 - (u ** outline[2] + v ** outline[2]) ** (1.0 / outline[2])


@kernel
def touch_points(state, skin, count, p, outline, shape, model, pattern, knots, scale, out):
    """One touch of scattered minutiae as an extractor would report it; returns their number.

    skin : (N, 4) float64 as from `scatter`, the first ``count`` rows. p, outline : see `press`.
    shape : (2,) int64, rows and columns of the image. model : (10,) float64: share dropped,
    extra share dropped towards the rim, share inserted, jitter (pixels), jitter (radians), share
    of turned directions, share of changed kinds, mean number of bad patches, drop share within
    them, and spread of the overall quality (log units). out : (M, 5) float64: x, y, direction,
    kind, quality.
    """
    worse = math.exp(model[9] * normal(state))
    patches = np.empty((4, 3))
    spots = min(4, poisson(state, model[7] * min(worse, 2.0)))
    for k in range(spots):
        patches[k, 0] = p[0] + (2.0 * uniform(state) - 1.0) * outline[0]
        patches[k, 1] = p[1] + (2.0 * uniform(state) - 1.0) * outline[1]
        patches[k, 2] = 18.0 + 30.0 * uniform(state)
    found = 0
    for k in range(count):
        drop = uniform(state)
        jx = normal(state)
        jy = normal(state)
        ja = normal(state)
        flip = uniform(state)
        change = uniform(state)
        x, y = from_master_point(skin[k, 0], skin[k, 1], p)
        if not (2.0 <= x < shape[1] - 2.0 and 2.0 <= y < shape[0] - 2.0):
            continue
        rim = rim_of(x, y, p, outline)
        if rim <= 0.04:
            continue
        chance = model[0] * worse * (1.0 + model[1] * max(0.0, 0.35 - rim) / 0.35)
        if in_patch(x, y, patches, spots):
            chance = max(chance, model[8])
        if drop < min(chance, 0.92) or found == out.shape[0]:
            continue
        j = jacobian(x, y, p)
        c = math.cos(skin[k, 2])
        s = math.sin(skin[k, 2])
        angle = math.atan2(j[0] * s - j[2] * c, j[3] * c - j[1] * s)
        blur = min(worse, 2.0)
        out[found, 0] = x + model[3] * blur * jx
        out[found, 1] = y + model[3] * blur * jy
        out[found, 2] = angle + model[4] * blur * ja + (math.pi if flip < model[5] else 0.0)
        out[found, 3] = 3.0 - skin[k, 3] if change < model[6] else skin[k, 3]
        out[found, 4] = min(1.0, max(0.05, (0.35 + 1.6 * rim) * (1.1 - 0.3 * worse)))
        found += 1
    extra = poisson(state, min(40.0, model[2] * worse * found))
    for _ in range(extra):
        x = p[0] + (2.0 * uniform(state) - 1.0) * outline[0]
        y = p[1] + (2.0 * uniform(state) - 1.0) * outline[1]
        inside = 2.0 <= x < shape[1] - 2.0 and 2.0 <= y < shape[0] - 2.0
        rim = rim_of(x, y, p, outline)
        turn = normal(state)
        other = uniform(state)
        if not inside or rim <= 0.04 or found == out.shape[0]:
            continue
        out[found, 0] = x
        out[found, 1] = y
        out[found, 2] = sensor_flow(x, y, p, pattern, knots, scale) + 0.15 * turn
        if other < 0.5:
            out[found, 2] += math.pi
        out[found, 3] = 1.0 if other < 0.25 or other > 0.75 else 2.0
        out[found, 4] = 0.3
        found += 1
    return found


@kernel
def in_patch(x, y, patches, count):
    """Whether a point lies in one of the first ``count`` discs (x, y, radius)."""
    for k in range(count):
        dx = x - patches[k, 0]
        dy = y - patches[k, 1]
        if dx * dx + dy * dy < patches[k, 2] * patches[k, 2]:
            return True
    return False


@kernel
def sensor_flow(x, y, p, pattern, knots, scale):
    """Ridge orientation at a sensor point, radians, not reduced."""
    mx, my = to_master(x, y, p)
    angle = flow(mx, my, pattern, knots, scale)
    j = jacobian(x, y, p)
    c = math.cos(angle)
    s = math.sin(angle)
    return math.atan2(j[0] * s - j[2] * c, j[3] * c - j[1] * s)


@kernel
def touch_cells(state, p, outline, cell, noise, pattern, knots, scale, out):
    """Orientation cells of one touch in the units of `Template.orientation`.

    noise : standard deviation of the estimate, radians; out : (h, w) uint8.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            x = (j + 0.5) * cell - 0.5
            y = (i + 0.5) * cell - 0.5
            out[i, j] = 0
            if rim_of(x, y, p, outline) <= 0.0:
                continue
            angle = sensor_flow(x, y, p, pattern, knots, scale) + noise * normal(state)
            unit = int((angle % math.pi) * (255.0 / math.pi))
            out[i, j] = 1 + min(unit, 254)
