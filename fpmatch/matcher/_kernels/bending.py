"""Re-alignment that bends as skin does: what is matched moves all else, the nearest the most."""

from __future__ import annotations

import math

import numpy as np

from fpmatch.jit import kernel
from fpmatch.matcher._kernels.alignment import inside, lands_on, motion, tally
from fpmatch.matcher._kernels.geometry import direction


@kernel(inner=True, borrows=True)
def gather(na, scratch):
    """Take the minutiae matched both ways as anchors; returns their number."""
    anchors = 0
    for k in range(na):
        m = scratch.match_a[k]
        if m >= 0 and scratch.match_b[m] == k:
            scratch.anchor_a[anchors] = k
            scratch.anchor_b[anchors] = m
            anchors += 1
    return anchors


@kernel(inner=True, borrows=True)
def _displacements(xa, ya, xb, yb, anchors, anchor_a, anchor_b, cosine, sine, at_x, at_y, off):
    """Where the anchors lie, and how far the rotation alone leaves each from its counterpart."""
    for t in range(anchors):
        x = np.int64(xa[anchor_a[t]])
        y = np.int64(ya[anchor_a[t]])
        at_x[t] = x
        at_y[t] = y
        off[0, t] = np.int64(xb[anchor_b[t]]) - ((cosine * x - sine * y + 8192) >> 14)
        off[1, t] = np.int64(yb[anchor_b[t]]) - ((sine * x + cosine * y + 8192) >> 14)


@kernel(inner=True, borrows=True)
def _weigh(x, y, anchors, at_x, at_y, off, reach, xs, ys, total, along, aside):
    """For every minutia the sums of the anchors' weights, 1/(reach**2 + d**2)**2, and of their
    weighted displacements.
    """
    n = np.uint64(x.shape[0])
    soft = np.int32(reach * reach)
    scale = np.float64(soft) * 4096
    for k in range(n):
        xs[k] = x[k]
        ys[k] = y[k]
        total[k] = 0
        along[k] = 0
        aside[k] = 0
    for t in range(anchors):
        its_x = at_x[t]
        its_y = at_y[t]
        moved_x = np.int64(off[0, t])
        moved_y = np.int64(off[1, t])
        for k in range(n):
            # What is farther is as good as that far, and stays within 32 bits.
            dx = min(max(np.int32(its_x - xs[k]), np.int32(-23000)), np.int32(23000))
            dy = min(max(np.int32(its_y - ys[k]), np.int32(-23000)), np.int32(23000))
            far = np.int32(np.int32(dx * dx) + np.int32(dy * dy))
            # A divisor that the compiler knows to be none of 0: else it asks, and this is no vector
            # code. At most 4097, so that the sums of 64 products are whole numbers below 2**53.
            apart = max(np.int32(soft + far), np.int32(1))
            share = np.int32(1) + np.int32(scale / np.float64(apart))
            weight = np.int64(np.int32(share * share))
            total[k] += weight
            along[k] += weight * moved_x
            aside[k] += weight * moved_y


@kernel(inner=True, borrows=True)
def _settle(x, y, cosine, sine, total, along, aside, xs, ys):
    """Where every minutia moves to: rotated, and displaced by the weighted mean."""
    for k in range(np.uint64(x.shape[0])):
        # Whole numbers below 2**53: the quotient of floats has the same floor.
        twice = np.float64(max(2 * total[k], 1))
        moved_x = np.int64(np.floor(np.float64(2 * along[k] + total[k]) / twice))
        moved_y = np.int64(np.floor(np.float64(2 * aside[k] + total[k]) / twice))
        xs[k] = ((cosine * np.int64(x[k]) - sine * np.int64(y[k]) + 8192) >> 14) + moved_x
        ys[k] = ((sine * np.int64(x[k]) + cosine * np.int64(y[k]) + 8192) >> 14) + moved_y


@kernel(inner=True, borrows=True)
def _nearest(x, y, anchors, anchor_a, at_x, at_y):
    """The anchor nearest to (x, y); of equal ones that of the earlier minutia, whatever side the
    anchors were listed by.
    """
    best = np.int64(1) << 60
    for t in range(np.uint64(anchors)):
        dx = np.int64(at_x[t] - x)
        dy = np.int64(at_y[t] - y)
        best = min(best, (dx * dx + dy * dy) << 16 | np.int64(anchor_a[t]) << 8 | np.int64(t))
    return best & 255


@kernel(inner=True, borrows=True)
def bend(a, b, anchors, anchor_a, anchor_b, cosine, sine, tables, scratch, match, missed):
    """Move every minutia of `a` by the mean displacement of the anchors round it; find it in `b`.

    match : as of `transfer`.
    missed : how far from its match each was found, 1/8 px.
    """
    xa, ya, angle_a, xb, yb, angle_b, texture = a[2], a[3], a[4], b[2], b[3], b[4], b[1]
    at_x, at_y, off = scratch.at_x, scratch.at_y, scratch.off
    to_x, to_y = scratch.moved[0], scratch.moved[1]
    total, along, aside = scratch.sums[0], scratch.sums[1], scratch.sums[2]
    cell_of, cell_number = tables.cell_of, tables.cell_number
    cosines, sines = tables.cosine, tables.sine
    most, most_turn = np.int32(tables.near), np.int32(tables.near_turn)
    turned = direction(np.int64(cosine), np.int64(sine), tables.arctangent)
    _displacements(xa, ya, xb, yb, anchors, anchor_a, anchor_b, cosine, sine, at_x, at_y, off)
    _weigh(xa, ya, anchors, at_x, at_y, off, tables.reach, to_x, to_y, total, along, aside)
    _settle(xa, ya, cosine, sine, total, along, aside, to_x, to_y)
    for k in range(angle_a.shape[0]):
        x = to_x[k]
        y = to_y[k]
        turn = np.int32(np.int64(angle_a[k]) + turned)
        found = lands_on(x, y, turn, xb, yb, angle_b, most, most_turn)
        if found >= 0:
            match[k] = found & 255
            missed[k] = np.int64(math.sqrt(np.float64(found >> 8)))
        else:
            t = _nearest(np.int64(xa[k]), np.int64(ya[k]), anchors, anchor_a, at_x, at_y)
            j = np.int64(anchor_b[t])
            ex = np.int64(x) - np.int64(xb[j])
            ey = np.int64(y) - np.int64(yb[j])
            args = (cosines, sines, cell_of, cell_number)
            known = inside(ex, ey, j, angle_b, texture, *args)
            match[k] = -1 if known else -2


@kernel(inner=True, borrows=True)
def mean_missed(na, matched, scratch):
    """Mean distance from its match of what is matched both ways, both ways, 1/16 px."""
    total = np.int64(0)
    missed_a, missed_b = scratch.missed[0], scratch.missed[1]
    for k in range(na):
        m = scratch.match_a[k]
        if m >= 0 and scratch.match_b[m] == k:
            total += missed_a[k] + missed_b[m]
    return total // max(matched, 1)


@kernel(inner=True, borrows=True)
def bent(a, b, tables, scratch):
    """Matched and unmatched minutiae once more, with those matched so far as anchors, and how far
    the matched ones are from their matches, a mean in 1/16 px.

    Of fewer than two anchors there is nothing to bend: (-1, 0, 0).
    """
    na = a[4].shape[0]
    nb = b[4].shape[0]
    anchor_a, anchor_b = scratch.anchor_a, scratch.anchor_b
    anchors = gather(na, scratch)
    if anchors < 2:
        return np.int64(-1), np.int64(0), np.int64(0)
    cosine, sine = motion(anchors, a[2], a[3], b[2], b[3], scratch)
    there = (cosine, sine, tables, scratch, scratch.match_a, scratch.missed[0])
    back = (cosine, -sine, tables, scratch, scratch.match_b, scratch.missed[1])
    bend(a, b, anchors, anchor_a, anchor_b, *there)
    bend(b, a, anchors, anchor_b, anchor_a, *back)
    matched, unmatched = tally(na, nb, scratch)
    return np.int64(matched), np.int64(unmatched), mean_missed(na, matched, scratch)
