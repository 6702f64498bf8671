"""Consensus, local re-alignment and what it matches."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.geometry import angle_between, direction


@kernel(inner=True)
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


@kernel(inner=True)
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


@kernel(inner=True)
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


@kernel(inner=True)
def transfer(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, match):
    """Move every minutia of `a` with its nearest anchor and find it in `b`.

    match : the minutia of `b` it falls on, -1 if there is none but the place is inside the
    finger, -2 if the place is outside.
    """
    turned = direction(np.int64(cosine), np.int64(sine), tables.arctangent)
    for k in range(a[4].shape[0]):
        nearest = np.int64(1) << 60
        i = np.int64(0)  # not the literal 0, for which a second `_inside` would be compiled
        j = np.int64(0)
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


@kernel(inner=True)
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
