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
    relaxed: np.ndarray
    agreement: np.ndarray
    matched: np.ndarray
    unmatched: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    cell_number: np.ndarray
    side: int
    cell: int
    window: int
    least: int
    stay: int
    sweeps: int
    fewest: int
    gate: int
    anchor: int
    near: int
    near_turn: int


class Scratch(NamedTuple):
    """Working memory for sides of up to C minutiae; see `fpmatch.matcher.tables.scratch`."""

    words: np.ndarray
    below: np.ndarray
    counts: np.ndarray
    head: np.ndarray
    after: np.ndarray
    used_a: np.ndarray
    used_b: np.ndarray
    pair_a: np.ndarray
    pair_b: np.ndarray
    start: np.ndarray
    support: np.ndarray
    next: np.ndarray
    chosen: np.ndarray
    anchor_a: np.ndarray
    anchor_b: np.ndarray
    match_a: np.ndarray
    match_b: np.ndarray
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
def _insert(i, j, nb, s, head, after):
    """Queue a pair by similarity; equal ones in an order that exchanging the sides keeps."""
    this = i * nb + j
    before = -1
    at = head[s]
    # i + j, then |i - j|: two pairs equal in both share no minutia, so their order is no matter.
    while at >= 0:
        p = at // nb
        q = at - p * nb
        if p + q > i + j or (p + q == i + j and abs(p - q) > abs(i - j)):
            break
        before = at
        at = after[at]
    after[this] = at
    if before < 0:
        head[s] = this
    else:
        after[before] = this


@kernel
def _spread(codes, texture, angle, words, below):
    """Lay out one side by words, and count its minutiae below every angle."""
    for j in range(angle.shape[0]):
        for w in range(5):
            words[w, j] = codes[j, w]
        for w in range(3):
            words[5 + w, j] = texture[j, w]
    j = 0
    for turn in range(257):
        while j < angle.shape[0] and np.int32(angle[j]) < turn:
            j += 1
        below[turn] = j


@kernel
def _agree(code, texture, words, j):
    """Common code bits, cells valid in both and differing texture bits, in 7 bits each."""
    common = popcount(code[0] & words[0, j]) + popcount(code[1] & words[1, j])
    common += popcount(code[2] & words[2, j]) + popcount(code[3] & words[3, j])
    common += popcount(code[4] & words[4, j])
    both = texture[2] & words[7, j]
    differ = popcount((texture[0] ^ words[5, j]) & both)
    differ += popcount((texture[1] ^ words[6, j]) & both)
    return (
        (np.uint64(common) << np.uint64(14))
        | (np.uint64(popcount(both)) << np.uint64(7))
        | np.uint64(differ)
    )


@kernel
def _ranges(angle, window, below, nb):
    """The one or two ranges of sorted angles within the window, the second after wrapping."""
    low = np.int64(angle) - window
    high = np.int64(angle) + window + 1
    first = np.int64(below[max(low, 0)])
    last = np.int64(below[min(high, 256)])
    if low < 0:
        return first, last, np.int64(below[low + 256]), np.int64(nb)
    if high > 256:
        return first, last, np.int64(0), np.int64(below[high - 256])
    return first, last, np.int64(0), np.int64(0)


@kernel
def queue_pairs(codes_a, texture_a, angle_a, codes_b, texture_b, angle_b, tables, scratch):
    """Queue all pairs within the window of directions that are similar enough.

    `scratch.head[s]` is the first pair ``i * nb + j`` of similarity s, `scratch.after` the next.
    """
    # Passing a tuple of arrays costs as much as ten pairs: inner loops see plain arrays.
    head, after, words, below = scratch.head, scratch.after, scratch.words, scratch.below
    counts = scratch.counts
    cylinder, texture = tables.cylinder, tables.texture
    nb = angle_b.shape[0]
    head[:] = -1
    _spread(codes_b, texture_b, angle_b, words, below)
    for i in range(angle_a.shape[0]):
        code = (codes_a[i, 0], codes_a[i, 1], codes_a[i, 2], codes_a[i, 3], codes_a[i, 4])
        around = (texture_a[i, 0], texture_a[i, 1], texture_a[i, 2])
        first, last, wrapped, end = _ranges(angle_a[i], tables.window, below, nb)
        for _ in range(2):
            # Unsigned, so that no index can be negative and the loops become vector code.
            for j in range(np.uint64(first), np.uint64(last)):
                counts[j] = _agree(code, around, words, j)
            for j in range(np.uint64(first), np.uint64(last)):
                k = np.int64(counts[j])
                s = cylinder[k >> 14] + texture[(k >> 7) & 127, k & 127]
                if s > tables.least:
                    _insert(i, np.int64(j), nb, s, head, after)
            first, last = wrapped, end


@kernel
def assign(na, nb, tables, scratch):
    """One-to-one pairs from the queue, the most similar first; returns their number."""
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


@kernel
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


@kernel
def consensus(count, total, tables, scratch):
    """How far the pairs agree with the chosen ones: the sum, and the pairs that do as anchors."""
    agreement = 0
    anchors = 0
    for t in range(count):
        support = np.int64(0)
        for s in range(count):
            if scratch.chosen[s] != 0:
                support += np.int64(scratch.compatible[t, s]) * scratch.support[s]
        others = total - (scratch.support[t] if scratch.chosen[t] != 0 else 0)
        agree = support // others if others > 0 else 0
        agreement += agree
        if agree >= tables.anchor:
            scratch.anchor_a[anchors] = scratch.pair_a[t]
            scratch.anchor_b[anchors] = scratch.pair_b[t]
            anchors += 1
    return agreement, anchors


@kernel
def motion(anchors, xa, ya, xb, yb, scratch):
    """Rotation that best moves the anchors of one side on those of the other.

    Least squares (Umeyama 1991, in the plane); cosine and sine scaled by 2**14, both 0 if the
    anchors coincide.
    """
    sums = (np.int64(0), np.int64(0), np.int64(0), np.int64(0))
    for t in range(anchors):
        i = scratch.anchor_a[t]
        j = scratch.anchor_b[t]
        sums = (sums[0] + xa[i], sums[1] + ya[i], sums[2] + xb[j], sums[3] + yb[j])
    along = np.int64(0)
    aside = np.int64(0)
    for t in range(anchors):
        i = scratch.anchor_a[t]
        j = scratch.anchor_b[t]
        dx = anchors * np.int64(xa[i]) - sums[0]
        dy = anchors * np.int64(ya[i]) - sums[1]
        ex = anchors * np.int64(xb[j]) - sums[2]
        ey = anchors * np.int64(yb[j]) - sums[3]
        along += dx * ex + dy * ey
        aside += dx * ey - dy * ex
    c = np.float64(along)
    s = np.float64(aside)
    size = math.sqrt(c * c + s * s)
    if size == 0:
        return 0, 0
    # Rounded by size and sign, so that the inverse motion has exactly the opposite sine.
    cosine = int(abs(c) / size * 16384 + 0.5)
    sine = int(abs(s) / size * 16384 + 0.5)
    return (cosine if c > 0 else -cosine), (sine if s > 0 else -sine)


@kernel
def _inside(ex, ey, j, angle, texture, tables):
    """Whether the place (ex, ey) from minutia j lies in its disc and inside the finger."""
    turn = np.int32(angle[j])
    c = tables.cosine[turn]
    s = tables.sine[turn]
    side = tables.side
    column = (((c * ex + s * ey + 8192) >> 14) + side * tables.cell // 2) // tables.cell
    row = (((c * ey - s * ex + 8192) >> 14) + side * tables.cell // 2) // tables.cell
    if not (0 <= column < side and 0 <= row < side):
        return False
    number = tables.cell_number[row * side + column]
    if number < 0:
        return False
    # Without an orientation field nothing says where the finger ends: take the disc as inside.
    valid = texture[j, 2]
    return valid == 0 or (valid >> np.uint64(number)) & np.uint64(1) != 0


@kernel
def transfer(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, match):
    """Move every minutia of `a` with its nearest anchor and find it in `b`.

    match : the minutia of `b` it falls on, -1 if there is none but the place is inside the
    finger, -2 if the place is outside.
    """
    turned = direction(np.int64(cosine), np.int64(sine), tables.arctangent)
    for k in range(a[4].shape[0]):
        nearest = np.int64(1) << 60
        i = 0
        j = 0
        for t in range(anchors):
            dx = np.int64(a[2][k]) - np.int64(a[2][anchor_a[t]])
            dy = np.int64(a[3][k]) - np.int64(a[3][anchor_a[t]])
            if dx * dx + dy * dy < nearest:
                nearest = dx * dx + dy * dy
                i = anchor_a[t]
                j = anchor_b[t]
        dx = np.int64(a[2][k]) - np.int64(a[2][i])
        dy = np.int64(a[3][k]) - np.int64(a[3][i])
        ex = (cosine * dx - sine * dy + 8192) >> 14
        ey = (sine * dx + cosine * dy + 8192) >> 14
        least = np.int64(tables.near) * tables.near + 1
        match[k] = -2
        for m in range(b[4].shape[0]):
            qx = np.int64(b[2][j]) + ex - np.int64(b[2][m])
            qy = np.int64(b[3][j]) + ey - np.int64(b[3][m])
            if qx * qx + qy * qy < least:
                off = angle_between(np.int32(a[4][k]) + turned, np.int32(b[4][m]))
                if off <= tables.near_turn:
                    least = qx * qx + qy * qy
                    match[k] = m
        if match[k] < 0 and _inside(ex, ey, j, b[4], b[1], tables):
            match[k] = -1


@kernel
def _tally(na, nb, scratch):
    """Minutiae matched both ways; unmatched ones of both sides in the common area."""
    matched = 0
    unmatched = 0
    for k in range(na):
        m = scratch.match_a[k]
        if m >= 0 and scratch.match_b[m] == k:
            matched += 1
        elif m >= -1:
            unmatched += 1
    for k in range(nb):
        m = scratch.match_b[k]
        if m >= -1 and (m < 0 or scratch.match_a[m] != k):
            unmatched += 1
    return matched, unmatched


@kernel
def features(a, distances, directions, b, tables, scratch):
    """Relaxation score, agreement (-1: below the gate), matched and unmatched minutiae.

    Each side is (codes, texture, x, y, angle).
    """
    na = a[4].shape[0]
    nb = b[4].shape[0]
    scratch.chosen[:] = 0
    scratch.match_a[:] = -2
    if min(na, nb) < tables.fewest:
        return 0, -1, 0, 0
    queue_pairs(a[0], a[1], a[4], b[0], b[1], b[4], tables, scratch)
    count = assign(na, nb, tables, scratch)
    if count < tables.fewest:
        return 0, -1, 0, 0
    compatibilities(count, distances, directions, a[4], b[2], b[3], b[4], tables, scratch)
    relax(count, tables, scratch)
    wanted = tables.pairs[min(na, nb)]
    total = select(count, wanted, scratch)
    relaxed = total // wanted
    if relaxed < tables.gate:
        return relaxed, -1, 0, 0
    agreement, anchors = consensus(count, total, tables, scratch)
    if anchors < 2:
        return relaxed, agreement, 0, 0
    cosine, sine = motion(anchors, a[2], a[3], b[2], b[3], scratch)
    anchor_a = scratch.anchor_a
    anchor_b = scratch.anchor_b
    transfer(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, scratch.match_a)
    transfer(b, a, anchors, anchor_b, anchor_a, cosine, -sine, tables, scratch.match_b)
    matched, unmatched = _tally(na, nb, scratch)
    return relaxed, agreement, matched, unmatched


@kernel
def score(a, distances, directions, b, tables, scratch):
    """Raw score of two search forms.

    Up to `tables.gate` it is the relaxation's; above that, the gate plus the weighted evidence of
    relaxation, consensus, and matched and unmatched minutiae after local re-alignment.
    """
    relaxed, agreement, matched, unmatched = features(a, distances, directions, b, tables, scratch)
    if agreement < 0:
        return relaxed
    evidence = tables.relaxed[min(relaxed >> 3, tables.relaxed.shape[0] - 1)]
    evidence += tables.agreement[min(agreement >> 5, tables.agreement.shape[0] - 1)]
    evidence += tables.matched[matched] + tables.unmatched[unmatched]
    return tables.gate + max(evidence, 0)


@kernel
def _row(gallery, low, high):
    return (
        gallery[0][low:high],
        gallery[1][low:high],
        gallery[2][low:high],
        gallery[3][low:high],
        gallery[4][low:high],
    )


@kernel
def score_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """Raw scores of one side `a` against rows of a packed gallery; out : (K,) int32."""
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        out[k] = score(a, distances, directions, b, tables, scratch)


@kernel
def feature_rows(a, distances, directions, gallery, offsets, rows, tables, scratch, out):
    """The `features` of one side against rows of a packed gallery; out : (K, 4) int32."""
    for k in range(rows.shape[0]):
        b = _row(gallery, offsets[rows[k]], offsets[rows[k] + 1])
        relaxed, agreement, matched, unmatched = features(
            a, distances, directions, b, tables, scratch
        )
        out[k, 0] = relaxed
        out[k, 1] = agreement
        out[k, 2] = matched
        out[k, 3] = unmatched
