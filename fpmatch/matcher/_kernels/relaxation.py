"""Support among the assigned pairs."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.geometry import angle_between, direction


@kernel(inner=True)
def compatibilities(count, distances, directions, angle_a, x, y, angle_b, tables, scratch):
    """How well every two pairs fit one another as a motion with a little distortion."""
    for t in range(count):
        i = scratch.pair_a[t]
        j = scratch.pair_b[t]
        scratch.compatible[t, t] = 0
        for s in range(t):
            k = scratch.pair_a[s]
            m = scratch.pair_b[s]
            fit = 0
            dx = np.int64(x[m]) - np.int64(x[j])
            dy = np.int64(y[m]) - np.int64(y[j])
            far = np.int32(math.sqrt(np.float64(dx * dx + dy * dy)))
            off = abs(far - distances[i, k])
            if off < tables.distance.shape[0]:
                ai = np.int32(angle_a[i])
                ak = np.int32(angle_a[k])
                bj = np.int32(angle_b[j])
                bm = np.int32(angle_b[m])
                turned = tables.turn[angle_between(ai - ak, bj - bm)]
                if turned > 0:
                    a = directions[i, k]
                    b = direction(dx, dy, tables.arctangent)
                    radial = max(angle_between(a - ai, b - bj), angle_between(a - ak, b - bm))
                    fit = (tables.distance[off] * turned >> 10) * tables.turn[radial] >> 10
            scratch.compatible[t, s] = fit
            scratch.compatible[s, t] = fit


@kernel(inner=True)
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


@kernel(inner=True)
def select(count, wanted, scratch):
    """Sum of the support of the `wanted` pairs that kept most of theirs; marks them as chosen."""
    for t in range(count):
        # 14 bits: the kept share fits in 32 bits.
        scratch.next[t] = (np.int64(scratch.support[t]) << 14) // scratch.start[t]
        scratch.chosen[t] = 0
    total = 0
    for _ in range(min(wanted, count)):
        best = -1
        for t in range(count):
            if scratch.chosen[t] == 0 and (
                best < 0
                or scratch.next[t] > scratch.next[best]
                or (
                    scratch.next[t] == scratch.next[best]
                    and scratch.support[t] > scratch.support[best]
                )
            ):
                best = t
        total += scratch.support[best]
        scratch.chosen[best] = 1
    return total
