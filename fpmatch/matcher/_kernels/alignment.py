"""Consensus, local re-alignment and what it matches."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.geometry import direction


@kernel(inner=True, borrows=True)
def consensus(count, total, tables, scratch):
    """How far the pairs agree with the chosen ones: the sum, and the pairs that do as anchors."""
    support, chosen, weight, compatible = (
        scratch.support,
        scratch.chosen,
        scratch.next,
        scratch.compatible,
    )
    for t in range(np.uint64(count)):
        weight[t] = support[t] * chosen[t]
    agreement = np.int64(0)
    anchors = 0
    for t in range(count):
        together = np.int32(0)  # as in `relax`, it fits in 32 bits
        for s in range(np.uint64(count)):
            together = np.int32(together + np.int32(compatible[t, s] * weight[s]))
        others = total - weight[t]
        agree = np.int64(together / np.float64(others)) if others > 0 else np.int64(0)
        agreement += agree
        if agree >= tables.anchor:
            scratch.anchor_a[anchors] = scratch.pair_a[t]
            scratch.anchor_b[anchors] = scratch.pair_b[t]
            anchors += 1
    return agreement, anchors


@kernel(inner=True, borrows=True)
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


@kernel(inner=True, borrows=True)
def inside(ex, ey, j, angle, texture, cosine, sine, cell_of, cell_number):
    """Whether the place (ex, ey) from minutia j lies in its disc and inside the finger."""
    c = cosine[angle[j]]
    s = sine[angle[j]]
    whole = cell_of.shape[0]
    across = ((c * ex + s * ey + 8192) >> 14) + whole // 2
    down = ((c * ey - s * ex + 8192) >> 14) + whole // 2
    if not (0 <= across < whole and 0 <= down < whole):
        return False
    number = cell_number[cell_of[down], cell_of[across]]
    if number < 0:
        return False
    # Without an orientation field nothing says where the finger ends: take the disc as inside.
    valid = texture[j, 2]
    return valid == 0 or (valid >> np.uint64(number)) & np.uint64(1) != 0


@kernel(inner=True, borrows=True)
def _nearest(x, y, anchors, at_x, at_y):
    """The anchor nearest to (x, y), the earlier of equal ones."""
    best = np.int64(1) << 60
    for t in range(np.uint64(anchors)):
        dx = np.int64(at_x[t] - x)
        dy = np.int64(at_y[t] - y)
        best = min(best, (dx * dx + dy * dy) << 8 | np.int64(t))
    return best & 255


@kernel(inner=True, borrows=True)
def lands_on(x, y, turn, xs, ys, angles, most, most_turn):
    """The minutia nearest to (x, y) within `most`, whose direction is about `turn`; or -1.

    Bits 0 to 7 hold its number, those above the square of its distance.
    """
    low = np.int32(-most - 1)
    high = np.int32(most + 1)
    square = np.int32(most * most)
    best = np.int32(0x7FFFFFFF)
    for m in range(np.uint64(xs.shape[0])):
        # What is farther is as good as just too far, and stays within 32 bits.
        dx = min(max(np.int32(np.int32(xs[m]) - x), low), high)
        dy = min(max(np.int32(np.int32(ys[m]) - y), low), high)
        far = np.int32(np.int32(dx * dx) + np.int32(dy * dy))
        around = np.int32((np.int32(angles[m]) - turn + most_turn) & 255)
        # A bit above all distances: a least value without a condition becomes vector code.
        no = np.int32((far > square) | (around > 2 * most_turn)) << 22
        best = min(best, np.int32(np.int32(np.int32(no | far) << 8) | np.int32(m)))
    return np.int64(best) if best >> 8 <= square else np.int64(-1)


@kernel(inner=True, borrows=True)
def transfer(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, scratch, match):
    """Move every minutia of `a` with its nearest anchor and find it in `b`.

    match : the minutia of `b` it falls on, -1 if there is none but the place is inside the
    finger, -2 if the place is outside.
    """
    xa, ya, angle_a, xb, yb, angle_b, texture = a[2], a[3], a[4], b[2], b[3], b[4], b[1]
    at_x, at_y = scratch.at_x, scratch.at_y
    cell_of, cell_number = tables.cell_of, tables.cell_number
    cosines, sines = tables.cosine, tables.sine
    most, most_turn = np.int32(tables.near), np.int32(tables.near_turn)
    turned = direction(np.int64(cosine), np.int64(sine), tables.arctangent)
    for t in range(anchors):
        at_x[t] = xa[anchor_a[t]]
        at_y[t] = ya[anchor_a[t]]
    for k in range(angle_a.shape[0]):
        x = np.int32(xa[k])
        y = np.int32(ya[k])
        t = _nearest(x, y, anchors, at_x, at_y)
        j = np.int64(anchor_b[t])
        dx = np.int64(x - at_x[t])
        dy = np.int64(y - at_y[t])
        ex = (cosine * dx - sine * dy + 8192) >> 14
        ey = (sine * dx + cosine * dy + 8192) >> 14
        to_x = np.int32(np.int64(xb[j]) + ex)
        to_y = np.int32(np.int64(yb[j]) + ey)
        turn = np.int32(np.int64(angle_a[k]) + turned)
        found = lands_on(to_x, to_y, turn, xb, yb, angle_b, most, most_turn)
        if found >= 0:
            match[k] = found & 255
        else:
            args = (cosines, sines, cell_of, cell_number)
            match[k] = -1 if inside(ex, ey, j, angle_b, texture, *args) else -2


@kernel(inner=True, borrows=True)
def tally(na, nb, scratch):
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
