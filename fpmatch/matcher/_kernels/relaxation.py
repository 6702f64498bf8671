"""Support among the assigned pairs."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.geometry import angle_between, direction


@kernel(inner=True, borrows=True)
def _near(t, distances, at_a, at_x, at_y, turned, most_off, most_turn, near, candidates):
    """List the pairs before pair `t` that it may be compatible with; returns their number."""
    x, y, turn = at_x[t], at_y[t], turned[t]
    row = distances[at_a[t]]
    for s in range(np.uint64(t)):
        dx = np.float64(at_x[s] - x)
        dy = np.float64(at_y[s] - y)
        off = np.int32(math.sqrt(dx * dx + dy * dy)) - row[np.uint64(at_a[s])]
        around = np.int32((turned[s] - turn + most_turn) & 255)
        near[s] = (abs(off) <= most_off) & (around <= 2 * most_turn)
    number = np.uint64(0)
    for s in range(np.uint64(t)):
        candidates[number] = s
        number += np.uint64(near[s])
    return np.int64(number)


@kernel(inner=True, borrows=True)
def compatibilities(count, distances, directions, angle_a, x, y, angle_b, tables, scratch):
    """How well every two pairs fit one another as a motion with a little distortion."""
    pair_a, compatible, candidates = scratch.pair_a, scratch.compatible, scratch.candidates
    at_x, at_y, turned, near = scratch.at_x, scratch.at_y, scratch.turned, scratch.near
    most_turn = tables.most_turn
    distance, turn, arctangent = tables.distance, tables.turn, tables.arctangent
    for t in range(count):
        j = scratch.pair_b[t]
        at_x[t] = x[j]
        at_y[t] = y[j]
        turned[t] = np.int32(angle_a[pair_a[t]]) - np.int32(angle_b[j])
        compatible[t, :count] = 0
    for t in range(count):
        i = pair_a[t]
        ai = np.int64(angle_a[i])
        bj = ai - turned[t]
        args = (at_x, at_y, turned, distance.shape[0] - 1, most_turn, near, candidates)
        for c in range(_near(t, distances, pair_a, *args)):
            s = candidates[c]
            k = pair_a[s]
            ak = np.int64(angle_a[k])
            bm = ak - turned[s]
            dx = np.int64(at_x[s]) - np.int64(at_x[t])
            dy = np.int64(at_y[s]) - np.int64(at_y[t])
            far = np.int32(math.sqrt(np.float64(dx * dx + dy * dy)))
            a = directions[i, k]
            b = direction(dx, dy, arctangent)
            radial = max(angle_between(a - ai, b - bj), angle_between(a - ak, b - bm))
            fit = distance[abs(far - distances[i, k])] * turn[angle_between(ai - ak, bj - bm)]
            fit = (fit >> 10) * turn[radial] >> 10
            compatible[t, s] = fit
            compatible[s, t] = fit


@kernel(inner=True, borrows=True)
def relax(count, tables, scratch):
    """Let compatible pairs support each other (Feng 2008; Cappelli et al. 2010)."""
    support = scratch.support
    moved = scratch.next
    compatible = scratch.compatible
    share = tables.share[count]
    for t in range(count):
        support[t] = scratch.start[t]
    for _ in range(tables.sweeps):
        for t in range(count):
            # 64 pairs of 2**10 times 2**14 fit in 32 bits.
            total = np.int32(0)
            for s in range(count):
                total = np.int32(total + np.int32(compatible[t, s] * support[s]))
            moved[t] = (support[t] * tables.stay >> 10) + (np.int64(total >> 10) * share >> 16)
        for t in range(count):
            support[t] = moved[t]


@kernel(inner=True, borrows=True)
def select(count, wanted, scratch):
    """Sum of the support of the `wanted` pairs that kept most of theirs; marks them as chosen."""
    support, start, chosen, kept = scratch.support, scratch.start, scratch.chosen, scratch.kept
    for t in range(np.uint64(count)):
        # Whole numbers below 2**53: the quotient of floats has the same floor. Support is below
        # 2**15, so that one number orders by share, by support, and the earlier of equal ones.
        share = np.int64((np.int64(support[t]) << 14) / np.float64(start[t]))
        kept[t] = share << 32 | np.int64(support[t]) << 8 | (255 - np.int64(t))
        chosen[t] = 0
    total = np.int64(0)
    for _ in range(min(wanted, count)):
        best = np.int64(-1)
        for t in range(np.uint64(count)):
            best = max(best, kept[t])
        at = 255 - (best & 255)
        kept[at] = -1
        chosen[at] = 1
        total += best >> 8 & 0xFFFFFF
    return total
