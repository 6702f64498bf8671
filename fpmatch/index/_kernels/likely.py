"""Which lists the mates of a probe's minutiae are likely to lie in."""

from __future__ import annotations

import numpy as np

from fpmatch.jit import kernel

TOGETHER = 4
"""Cells whose lists are added up in one pass."""


@kernel
def likely_lists(cells, first, last, ranks, lists, out):
    """The lists of highest scores of each row ``first..last``, in order of their numbers.

    ``cells (P, C) int32``: what is seen in the cells about a minutia, 0 to 255. ``ranks`` is
    (weights (R,) uint8, groups (G + 1,) int64): the cell of rank r, highest first, ties by number,
    is worth ``weights[r]``, those after the last nothing. Groups of ranks begin at multiples of
    `TOGETHER`, and the weights of one are at most 255 together. ``lists`` is (planes (B, C, W)
    uint8, base (B * W,) uint16): the score of list n is ``base[n]`` and the worth of all cells that
    its centroid has, for which the planes are 255 where they are 0 for the others; n is ``b * W +
    w``. Ties go to the lower number. ``out (last - first, most) int64``: as many lists as it holds.
    """
    weights, groups = ranks
    planes, base = lists
    blocks, _, width = planes.shape
    ranked = np.zeros(weights.shape[0], np.int64)
    ends = np.zeros(257, np.int64)
    sums = np.zeros(width, np.uint8)
    scores = np.zeros(blocks * width, np.uint16)
    total = np.int64(0)
    for weight in weights:
        total += weight
    highest = np.int64(0)
    for number in base:
        highest = max(highest, np.int64(number))
    tally = np.zeros(highest + total + 1, np.int64)
    for i in range(first, last):
        _rank_cells(cells[i], ends, ranked)
        for b in range(blocks):
            part = scores[b * width : (b + 1) * width]
            part[:] = base[b * width : (b + 1) * width]
            for g in range(groups.shape[0] - 1):
                sums[:] = 0
                for r in range(groups[g], groups[g + 1], TOGETHER):
                    _add(planes[b], ranked, weights, r, sums)
                for w in range(width):
                    part[w] += np.uint16(sums[w])
        _take_best(scores, tally, out[i - first])


@kernel(inner=True)
def _add(plane, ranked, weights, r, sums):
    """Add the weights of `TOGETHER` cells, from rank r on, to the lists that have them."""
    a = plane[ranked[r]]
    b = plane[ranked[r + 1]]
    c = plane[ranked[r + 2]]
    d = plane[ranked[r + 3]]
    p = weights[r]
    q = weights[r + 1]
    s = weights[r + 2]
    t = weights[r + 3]
    for w in range(sums.shape[0]):
        sums[w] += np.uint8((a[w] & p) + (b[w] & q) + (c[w] & s) + (d[w] & t))


@kernel(inner=True)
def _rank_cells(values, ends, ranked):
    """Places of the highest values, highest first, ties by place; ``ends (257,)`` is scratch."""
    ends[:] = 0
    for value in values:
        ends[255 - value + 1] += 1
    for k in range(256):
        ends[k + 1] += ends[k]
    for p in range(values.shape[0]):
        at = 255 - values[p]
        if ends[at] < ranked.shape[0]:
            ranked[ends[at]] = p
        ends[at] += 1


@kernel(inner=True)
def _take_best(scores, tally, out):
    """Numbers of the highest scores, ascending; of equal ones the lowest numbers."""
    most = out.shape[0]
    tally[:] = 0
    for score in scores:
        tally[score] += 1
    least = tally.shape[0]
    above = 0
    while above < most:
        least -= 1
        above += tally[least]
    tied = tally[least] - (above - most)
    count = 0
    for n in range(scores.shape[0]):
        if scores[n] >= least:
            if scores[n] == least:
                if tied == 0:
                    continue
                tied -= 1
            out[count] = n
            count += 1
