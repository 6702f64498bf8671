"""Comparison of search forms in integers only, so that every sum is exact in any order.

Similarities, compatibilities and weights are fixed-point numbers with one = 1024; the support of a
pair in the relaxation has one = 16384. Positions are eighths of a pixel, angles 1/256 turn.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fpmatch.jit import jit_enabled, kernel

if jit_enabled():
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def popcount(context, word):
        """Bits set in a uint64, as one machine instruction where there is one."""

        def codegen(context, builder, signature, arguments):
            count = builder.module.declare_intrinsic("llvm.ctpop", [arguments[0].type])
            return builder.call(count, [arguments[0]])

        return types.uint64(types.uint64), codegen
else:

    def popcount(word):
        """Bits set in a uint64."""
        return int(word).bit_count()


class Tables(NamedTuple):
    """What the comparison looks up; see `fpmatch.matcher.tables`."""

    cylinder: np.ndarray
    texture: np.ndarray
    distance: np.ndarray
    turn: np.ndarray
    arctangent: np.ndarray
    pairs: np.ndarray
    share: np.ndarray
    window: int
    least: int
    stay: int
    sweeps: int
    fewest: int


class Scratch(NamedTuple):
    """Working memory for sides of up to C minutiae; see `fpmatch.matcher.tables.scratch`."""

    similarity: np.ndarray
    head: np.ndarray
    after: np.ndarray
    used_a: np.ndarray
    used_b: np.ndarray
    pair_a: np.ndarray
    pair_b: np.ndarray
    start: np.ndarray
    support: np.ndarray
    next: np.ndarray
    compatible: np.ndarray


@kernel
def angle_between(a, b):
    """Unsigned difference of two angles of 256 units a turn, 0 to 128."""
    d = (a - b) & 255
    return d if d <= 128 else 256 - d


@kernel
def direction(dx, dy, table):
    """Direction of a vector, 256 units a turn, by the table of arctangents of 0 to 1."""
    ax = abs(dx)
    ay = abs(dy)
    if ax == 0 and ay == 0:
        return 0
    turn = table[ay * 256 // ax] if ay <= ax else 64 - table[ax * 256 // ay]
    if dx < 0:
        turn = 128 - turn
    if dy < 0:
        turn = 256 - turn
    return turn & 255


@kernel
def geometry(x, y, table, distances, directions):
    """Distances (1/8 px) and directions between all minutiae of one side, (M, M) int32 each."""
    for i in range(x.shape[0]):
        for k in range(x.shape[0]):
            dx = np.int64(x[k]) - np.int64(x[i])
            dy = np.int64(y[k]) - np.int64(y[i])
            distances[i, k] = np.int32(math.sqrt(np.float64(dx * dx + dy * dy)))
            directions[i, k] = direction(dx, dy, table)


@kernel
def similarities(codes_a, texture_a, angle_a, codes_b, texture_b, angle_b, tables, out):
    """Similarity of every pair of minutiae within the window of directions, else 0."""
    for i in range(angle_a.shape[0]):
        for j in range(angle_b.shape[0]):
            if angle_between(np.int32(angle_a[i]), np.int32(angle_b[j])) > tables.window:
                out[i, j] = 0
                continue
            common = np.uint64(0)
            for w in range(5):
                common += popcount(codes_a[i, w] & codes_b[j, w])
            valid = texture_a[i, 2] & texture_b[j, 2]
            differ = popcount((texture_a[i, 0] ^ texture_b[j, 0]) & valid)
            differ += popcount((texture_a[i, 1] ^ texture_b[j, 1]) & valid)
            cells = popcount(valid)
            out[i, j] = tables.cylinder[common] + tables.texture[cells, differ]


@kernel
def _queue(na, nb, tables, scratch):
    """Queue the pairs of enough similarity by similarity; equal ones in a symmetric order."""
    scratch.head[:] = -1
    for i in range(na):
        for j in range(nb):
            s = scratch.similarity[i, j]
            if s <= tables.least:
                continue
            this = i * nb + j
            before = -1
            at = scratch.head[s]
            # i + j, then |i - j|: exchanging the sides leaves the order as it is, and two pairs
            # equal in both share no minutia.
            while at >= 0:
                p = at // nb
                q = at - p * nb
                if p + q > i + j or (p + q == i + j and abs(p - q) > abs(i - j)):
                    break
                before = at
                at = scratch.after[at]
            scratch.after[this] = at
            if before < 0:
                scratch.head[s] = this
            else:
                scratch.after[before] = this


@kernel
def assign(na, nb, tables, scratch):
    """One-to-one pairs, greedily by similarity; returns their number."""
    _queue(na, nb, tables, scratch)
    scratch.used_a[:na] = 0
    scratch.used_b[:nb] = 0
    most = min(na, nb)
    count = 0
    for s in range(scratch.head.shape[0] - 1, tables.least, -1):
        at = scratch.head[s]
        while at >= 0:
            i = at // nb
            j = at - i * nb
            if scratch.used_a[i] == 0 and scratch.used_b[j] == 0:
                scratch.used_a[i] = 1
                scratch.used_b[j] = 1
                scratch.pair_a[count] = i
                scratch.pair_b[count] = j
                scratch.start[count] = s << 4
                count += 1
                if count == most:
                    return count
            at = scratch.after[at]
    return count


@kernel
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


@kernel
def relax(count, tables, scratch):
    """Let compatible pairs support each other (Feng 2008; Cappelli et al. 2010)."""
    scratch.support[:count] = scratch.start[:count]
    share = tables.share[count]
    for _ in range(tables.sweeps):
        for t in range(count):
            total = np.int32(0)
            for s in range(count):
                total += scratch.compatible[t, s] * scratch.support[s]
            kept = scratch.support[t] * tables.stay >> 10
            scratch.next[t] = kept + (np.int64(total >> 10) * share >> 16)
        scratch.support[:count] = scratch.next[:count]


@kernel
def select(count, wanted, scratch):
    """Sum of the support of the `wanted` pairs that kept most of theirs; marks them with -1."""
    for t in range(count):
        # 14 bits: the kept share fits in 32 bits with its pair's number below it.
        scratch.next[t] = (np.int64(scratch.support[t]) << 14) // scratch.start[t]
    total = 0
    for _ in range(min(wanted, count)):
        best = -1
        for t in range(count):
            if scratch.next[t] >= 0 and (
                best < 0
                or scratch.next[t] > scratch.next[best]
                or (
                    scratch.next[t] == scratch.next[best]
                    and scratch.support[t] > scratch.support[best]
                )
            ):
                best = t
        total += scratch.support[best]
        scratch.next[best] = -1
    return total


@kernel
def score(a, distances, directions, b, tables, scratch):
    """Raw score of two search forms, each (codes, texture, x, y, angle)."""
    na = a[4].shape[0]
    nb = b[4].shape[0]
    scratch.next[:] = 0
    if min(na, nb) < tables.fewest:
        return 0
    similarities(a[0], a[1], a[4], b[0], b[1], b[4], tables, scratch.similarity)
    count = assign(na, nb, tables, scratch)
    if count < tables.fewest:
        return 0
    compatibilities(count, distances, directions, a[4], b[2], b[3], b[4], tables, scratch)
    relax(count, tables, scratch)
    wanted = tables.pairs[min(na, nb)]
    return select(count, wanted, scratch) // wanted


@kernel
def score_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """Raw scores of one side `a` against rows of a packed gallery; out : (K,) int32."""
    for k in range(rows.shape[0]):
        low = offsets[rows[k]]
        high = offsets[rows[k] + 1]
        b = (
            gallery[0][low:high],
            gallery[1][low:high],
            gallery[2][low:high],
            gallery[3][low:high],
            gallery[4][low:high],
        )
        out[k] = score(a, distances, directions, b, tables, scratch)
