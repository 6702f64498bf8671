"""Plain twins of the descriptor's kernels, and made-up templates to try them on."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.parameters import TEMPLATE
from fpmatch.template import Template


def cylinder_code(x, y, angle, a, tables):
    """Code of minutia `a` as a Python integer, or None if too few cells are above 0."""
    turn = ((int(angle[a]) + 32) // 64) % 1024
    c, s = int(tables.cosine[turn]), int(tables.sine[turn])
    side, sections = len(tables.axis), tables.section.shape[1]
    reach = int(tables.axis[-1]) + len(tables.gauss)
    cells = [0] * (int((tables.number >= 0).sum()) * sections)
    for b in range(len(x)):
        if b == a:
            continue
        dx, dy = int(x[b]) - int(x[a]), int(y[b]) - int(y[a])
        u, v = (c * dx + s * dy + 8192) // 16384, (c * dy - s * dx + 8192) // 16384
        if abs(u) >= reach or abs(v) >= reach:
            continue
        turned = (((int(angle[a]) - int(angle[b])) % 65536 + 128) // 256) % 256
        for row in range(side):
            for column in range(side):
                number = int(tables.number[row * side + column])
                near = _gauss(tables, row, v) * _gauss(tables, column, u) // 256
                for k in range(sections if number >= 0 else 0):
                    cells[number * sections + k] += near * int(tables.section[turned, k])
    ranked = sorted(range(len(cells)), key=lambda p: (-cells[p], p))[: tables.weight]
    if cells[ranked[-1]] <= 0:
        return None
    return sum(1 << p for p in ranked)


def _gauss(tables, k, where):
    away = abs(int(tables.axis[k]) - where)
    return int(tables.gauss[away]) if away < len(tables.gauss) else 0


def texture_words(x, y, angle, field, a, tables):
    """The three words of minutia `a` as Python integers."""
    turn = ((int(angle[a]) + 32) // 64) % 1024
    c, s = tables.turns[turn].tolist()
    c2, s2 = tables.turns[2 * turn % 1024].tolist()
    words = [0, 0, 0]
    for k, (ox, oy) in enumerate(tables.centres.T.tolist()):
        px = int(x[a]) + (c * ox - s * oy + 8192) // 16384
        py = int(y[a]) + (s * ox + c * oy + 8192) // 16384
        cosine = sine = inside = 0
        for r in range(field.shape[0]):
            for q in range(field.shape[1]):
                wy = tables.cell - abs(py - (r * tables.cell + tables.cell // 2))
                wx = tables.cell - abs(px - (q * tables.cell + tables.cell // 2))
                if wx > 0 and wy > 0 and field[r, q]:
                    cosine += wx * wy * int(tables.double[field[r, q], 0])
                    sine += wx * wy * int(tables.double[field[r, q], 1])
                    inside += wx * wy
        if inside >= tables.least:
            words[0] |= (cosine * c2 + sine * s2 >= 0) << k
            words[1] |= (sine * c2 - cosine * s2 >= 0) << k
            words[2] |= 1 << k
    return words


def made_up(seed, minutiae=35, width=320, height=400, orientation=True):
    """A template with a smooth flow, minutiae along it and a finger-shaped area."""
    rng = np.random.default_rng(seed)
    cx, cy, bend = width / 2, height / 2, rng.uniform(-0.02, 0.02)
    spread = min(width, height) * 0.42

    def flow(px, py):
        return np.arctan2(py - cy, px - cx) * rng_share + bend * (px - cx) + 1.0

    rng_share = rng.choice([0.5, 1.0])
    radius = spread * np.sqrt(rng.random(minutiae))
    around = rng.uniform(0, 2 * np.pi, minutiae)
    px, py = cx + radius * np.cos(around), cy + radius * np.sin(around)
    angle = flow(px, py) + np.pi * rng.integers(0, 2, minutiae)
    return from_points(px, py, angle, width, height, flow if orientation else None, rng)


def from_points(px, py, angle, width, height, flow=None, rng=None):
    """A template of points in pixels and radians; the area is all within the image."""
    cell = TEMPLATE.orientation_cell
    field = None
    if flow is not None:
        rows, columns = -(-height // cell), -(-width // cell)
        gy, gx = np.mgrid[0:rows, 0:columns] * cell + cell / 2
        unit = np.mod(flow(gx, gy), np.pi) / np.pi * 255
        field = (1 + np.minimum(np.floor(unit), 254)).astype(np.uint8)
        field[np.hypot(gx - width / 2, gy - height / 2) > 0.48 * min(width, height)] = 0
    limit = [width * 8 - 1, height * 8 - 1]
    xy = np.clip(np.rint(np.stack([px, py], 1) * 8), 0, limit)
    turn = np.rint(np.mod(angle, 2 * math.pi) * 65536 / (2 * math.pi)).astype(np.int64) % 65536
    quality = rng.integers(0, 101, len(xy)) if rng is not None else np.full(len(xy), 50)
    return Template(
        xy=xy.astype(np.uint16),
        angle=turn.astype(np.uint16),
        kind=np.ones(len(xy), np.uint8),
        quality=quality.astype(np.uint8),
        width=width,
        height=height,
        orientation=field,
    )


def impression(template, seed, degrees=0.0, shift=(0.0, 0.0), jitter=1.0, drop=0.15, frame=None):
    """Another impression: turned about the image centre, moved, jittered, thinned, no field."""
    rng = np.random.default_rng(seed)
    width, height = frame or (template.width, template.height)
    xy = template.xy / 8.0 - [template.width / 2, template.height / 2]
    a = math.radians(degrees)
    turned = xy @ np.array([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]])
    place = turned + np.array([width / 2 + shift[0], height / 2 + shift[1]])
    place = place + rng.normal(0, jitter, place.shape) if jitter else place
    angle = template.angle * (2 * math.pi / 65536) + a
    angle = angle + rng.normal(0, 0.05, len(angle)) if jitter else angle
    keep = rng.random(len(angle)) >= drop
    keep &= (place >= 0).all(1) & (place[:, 0] < width) & (place[:, 1] < height)
    return from_points(place[keep, 0], place[keep, 1], angle[keep], width, height)
