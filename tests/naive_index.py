"""Plain twins of the kernels of `fpmatch.index`: no numba, no shortcuts."""

from __future__ import annotations

import numpy as np

MASK = (1 << 64) - 1


def distance(a, b) -> int:
    return sum((int(x) ^ int(y)).bit_count() for x, y in zip(a, b, strict=True))


def turn_apart(a, b) -> int:
    d = (int(a) - int(b)) % 256
    return min(d, 256 - d)


def checksum_blocks(words, per_block):
    prime = 0x9E3779B97F4A7C15
    seeds = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0)

    def spin(x):
        return ((x << 29) | (x >> 35)) & MASK

    out = []
    for b in range(len(words) // per_block):
        lanes = [b + 1, *seeds]
        for w in range(per_block):
            lanes[w % 4] = spin(((lanes[w % 4] ^ int(words[b * per_block + w])) * prime) & MASK)
        h = lanes[0]
        for lane in lanes[1:]:
            h = ((spin(h) * prime) & MASK) ^ lane
        out.append(((h ^ (h >> 32)) * prime) & MASK)
    return np.array(out, np.uint64)


def best_distances(q_sketches, q_angle, sketches, angle, offsets, window):
    out = np.full((len(q_sketches), len(offsets) - 1), 96, np.uint16)
    for i, sketch in enumerate(q_sketches):
        for t in range(len(offsets) - 1):
            near = [
                distance(sketch, sketches[c])
                for c in range(offsets[t], offsets[t + 1])
                if turn_apart(q_angle[i], angle[c]) <= window
            ]
            if near:
                out[i, t] = min(near)
    return out


def vote_rows(q_sketches, q_angle, table, sketches, angle, offsets, window, rows):
    best = best_distances(q_sketches, q_angle, sketches, angle, offsets, window)
    return np.array(
        [sum(int(table[i, best[i, t]]) for i in range(len(q_sketches))) for t in rows], np.int64
    )


def nearest_lists(codes, heads, centroids, beam):
    width = len(centroids) // len(heads)
    out = []
    for code in codes:
        chosen = sorted((distance(code, h), n) for n, h in enumerate(heads))[:beam]
        under = [n * width + k for _, n in chosen for k in range(width)]
        out.append(min((distance(code, centroids[n]), n) for n in under)[1])
    return np.array(out, np.uint16)


def likely_lists(cells, weights, cost, centroids, most):
    """Lists by the worth of the cells that a centroid has, less what they cost; ascending."""
    held = [
        {64 * w + b for w, word in enumerate(centroid) for b in range(64) if int(word) >> b & 1}
        for centroid in centroids
    ]
    out = []
    for seen in cells:
        ranked = sorted(range(len(seen)), key=lambda p: (-int(seen[p]), p))
        worth = dict(zip(ranked, map(int, weights), strict=False))
        score = [sum(worth.get(p, 0) - cost for p in has) for has in held]
        best = sorted(range(len(held)), key=lambda n: (-score[n], n))[:most]
        out.append(sorted(best))
    return np.array(out, np.int64)


def list_votes(probe, lookup, assigned, sketches, angle, offsets, seen, window):
    """Votes of every row from the lists of a lookup, straight from the definition."""
    best: dict[tuple[int, int], int] = {}
    for k in range(len(lookup.lists)):
        i, number = int(lookup.cylinder[k]), int(lookup.lists[k])
        for row in range(len(offsets) - 1):
            if not seen[row]:
                continue
            for c in range(offsets[row], offsets[row + 1]):
                if assigned[c] != number or turn_apart(probe.angle[i], angle[c]) > window:
                    continue
                d = distance(sketches[c], probe.sketches[i])
                if d <= probe.cut[i]:
                    vote = int(probe.table[i, d])
                    best[row, i] = max(best.get((row, i), 0), vote)
    votes = np.zeros(len(offsets) - 1, np.int64)
    for (row, _), vote in best.items():
        votes[row] += vote
    return votes


def leaders(votes, size, top):
    capped = np.minimum(votes, top)
    for v in range(top, 1, -1):
        if (capped >= v).sum() >= size:
            return v
    return 1
