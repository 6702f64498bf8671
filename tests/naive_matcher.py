"""Plain twins of the matcher's kernels: one pair at a time, Python integers."""

from __future__ import annotations

import math


def angle_between(a, b):
    return min((a - b) % 256, (b - a) % 256)


def direction(dx, dy, table):
    if dx == 0 and dy == 0:
        return 0
    ax, ay = abs(dx), abs(dy)
    turn = int(table[ay * 256 // ax]) if ay <= ax else 64 - int(table[ax * 256 // ay])
    if dx < 0:
        turn = 128 - turn
    return (256 - turn if dy < 0 else turn) % 256


def similarity(a, i, b, j, tables):
    """Of minutia `i` of search form `a` and `j` of `b`; 0 outside the window."""
    if angle_between(int(a.angle[i]) + tables.turned, int(b.angle[j])) > tables.window:
        return 0
    common = sum((int(p) & int(q)).bit_count() for p, q in zip(a.codes[i], b.codes[j], strict=True))
    valid = int(a.texture[i, 2]) & int(b.texture[j, 2])
    differ = sum(
        ((int(a.texture[i, k]) ^ int(b.texture[j, k])) & valid).bit_count() for k in (0, 1)
    )
    return int(tables.cylinder[common]) + int(tables.texture[valid.bit_count(), differ])


def assign(a, b, tables):
    """(i, j, similarity) in the order of assignment."""
    queue = []
    for i in range(len(a)):
        for j in range(len(b)):
            s = similarity(a, i, b, j, tables)
            if s > tables.least:
                queue.append((-s, i + j, abs(i - j), i, j))
    pairs = []
    for s, _, _, i, j in sorted(queue):
        if all(i != p and j != q for p, q, _ in pairs):
            pairs.append((i, j, -s))
    return pairs


def compatibility(a, b, t, s, tables):
    """Of pair `t` with pair `s`, each (i, j); `t` is the later one."""
    (i, j), (k, m) = t, s
    ax, ay = int(a.x[k]) - int(a.x[i]), int(a.y[k]) - int(a.y[i])
    bx, by = int(b.x[m]) - int(b.x[j]), int(b.y[m]) - int(b.y[j])
    off = abs(math.isqrt(ax * ax + ay * ay) - math.isqrt(bx * bx + by * by))
    if off >= len(tables.distance):
        return 0
    ai, ak, bj, bm = int(a.angle[i]), int(a.angle[k]), int(b.angle[j]), int(b.angle[m])
    turned = int(tables.turn[angle_between(ai - ak, bj - bm)])
    da, db = direction(ax, ay, tables.arctangent), direction(bx, by, tables.arctangent)
    radial = max(angle_between(da - ai, db - bj), angle_between(da - ak, db - bm))
    return int(tables.distance[off]) * turned // 1024 * int(tables.turn[radial]) // 1024


def relax(start, compatible, tables):
    support = list(start)
    share = int(tables.share[len(start)])
    for _ in range(tables.sweeps):
        support = [
            own * tables.stay // 1024
            + sum(c * s for c, s in zip(row, support, strict=True)) // 1024 * share // 65536
            for own, row in zip(support, compatible, strict=True)
        ]
    return support


def select(start, support, wanted):
    """Chosen pairs, by the share kept, then the support, then the order."""
    kept = [s * 16384 // b for s, b in zip(support, start, strict=True)]
    return sorted(range(len(start)), key=lambda t: (-kept[t], -support[t], t))[:wanted]


def consensus(support, compatible, chosen, tables):
    """Agreement of every pair with the chosen ones."""
    agreements = []
    for t in range(len(support)):
        others = sum(support[s] for s in chosen if s != t)
        together = sum(compatible[t][s] * support[s] for s in chosen)
        agreements.append(together // others if others > 0 else 0)
    return agreements


def motion(anchors, a, b):
    """Cosine and sine, scaled by 2**14."""
    n = len(anchors)
    sums = [sum(int(side[row[c]]) for row in anchors) for side, c in _axes(a, b)]
    along = aside = 0
    for row in anchors:
        dx, dy, ex, ey = (
            n * int(side[row[c]]) - total
            for (side, c), total in zip(_axes(a, b), sums, strict=True)
        )
        along += dx * ex + dy * ey
        aside += dx * ey - dy * ex
    size = math.sqrt(float(along) * float(along) + float(aside) * float(aside))
    if size == 0:
        return 0, 0
    rounded = [int(abs(float(v)) / size * 16384 + 0.5) for v in (along, aside)]
    return tuple(r if v > 0 else -r for r, v in zip(rounded, (along, aside), strict=True))


def _axes(a, b):
    return ((a.x, 0), (a.y, 0), (b.x, 1), (b.y, 1))


def transfer(a, b, anchors, cosine, sine, tables):
    """For every minutia of `a` its match in `b`, -1 or -2."""
    turned = direction(cosine, sine, tables.arctangent)
    out = []
    for k in range(len(a)):
        far = [
            (int(a.x[k]) - int(a.x[i])) ** 2 + (int(a.y[k]) - int(a.y[i])) ** 2 for i, _ in anchors
        ]
        i, j = anchors[far.index(min(far))]
        dx, dy = int(a.x[k]) - int(a.x[i]), int(a.y[k]) - int(a.y[i])
        ex = (cosine * dx - sine * dy + 8192) // 16384
        ey = (sine * dx + cosine * dy + 8192) // 16384
        found = landing(int(b.x[j]) + ex, int(b.y[j]) + ey, int(a.angle[k]) + turned, b, tables)
        if found:
            out.append(found[1])
        else:
            out.append(-1 if inside(ex, ey, b, j, tables) else -2)
    return out


def landing(x, y, turn, b, tables):
    """Squared distance and number of the minutia of `b` that is nearest to a place, or None."""
    found = []
    for m in range(len(b)):
        far = (x - int(b.x[m])) ** 2 + (y - int(b.y[m])) ** 2
        off = angle_between(turn, int(b.angle[m]))
        if far <= tables.near**2 and off <= tables.near_turn:
            found.append((far, m))
    return min(found, default=None)


def bend(a, b, anchors, cosine, sine, tables):
    """For every minutia of `a` its match in `b`, -1 or -2; and how far it was from there."""
    turned = direction(cosine, sine, tables.arctangent)
    matches, missed = [], []
    for k in range(len(a)):
        x, y = int(a.x[k]), int(a.y[k])
        sums, nearest = [0, 0, 0], []
        for i, j in anchors:
            dx, dy = int(a.x[i]) - x, int(a.y[i]) - y
            nearest.append((dx * dx + dy * dy, i, j))
            far = min(abs(dx), 23000) ** 2 + min(abs(dy), 23000) ** 2
            weight = (1 + 4096 * tables.reach**2 // (tables.reach**2 + far)) ** 2
            there = rotated(int(a.x[i]), int(a.y[i]), cosine, sine)
            sums[0] += weight
            sums[1] += weight * (int(b.x[j]) - there[0])
            sums[2] += weight * (int(b.y[j]) - there[1])
        to = [
            place + (2 * total + sums[0]) // (2 * sums[0])
            for place, total in zip(rotated(x, y, cosine, sine), sums[1:], strict=True)
        ]
        found = landing(*to, int(a.angle[k]) + turned, b, tables)
        if found:
            matches.append(found[1])
            missed.append(math.isqrt(found[0]))
        else:
            j = min(nearest)[2]
            known = inside(to[0] - int(b.x[j]), to[1] - int(b.y[j]), b, j, tables)
            matches.append(-1 if known else -2)
            missed.append(None)
    return matches, missed


def rotated(x, y, cosine, sine):
    return (cosine * x - sine * y + 8192) // 16384, (sine * x + cosine * y + 8192) // 16384


def inside(ex, ey, b, j, tables):
    c, s = int(tables.cosine[b.angle[j]]), int(tables.sine[b.angle[j]])
    whole = len(tables.cell_of)
    across = (c * ex + s * ey + 8192) // 16384 + whole // 2
    down = (c * ey - s * ex + 8192) // 16384 + whole // 2
    if not (0 <= across < whole and 0 <= down < whole):
        return False
    cell = whole // len(tables.cell_number)
    number = int(tables.cell_number[down // cell, across // cell])
    valid = int(b.texture[j, 2])
    return number >= 0 and (valid == 0 or bool(valid >> number & 1))
