"""The inverted lists: which one a cylinder belongs to, and what an entry holds."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import distance
from fpmatch.jit import kernel


@kernel
def nearest_lists(codes, first, last, heads, members, beam, out):
    """The list of each code ``first..last``: nearest centroid among the children of the heads.

    ``heads (5, H) uint64``; ``members (H, 5, C) uint64``: the C centroids under each head, list
    number ``h * C + c``. Only the children of the `beam` nearest heads are looked at. Ties go to
    the lower number. ``out (last - first,) uint16``.
    """
    count = heads.shape[1]
    width = members.shape[2]
    shift = np.uint64(16)
    low = np.uint64(0xFFFF)
    near = np.zeros(max(count, width), np.uint64)
    chosen = np.zeros(beam, np.uint64)
    none = np.uint64(0xFFFFFFFFFFFFFFFF)
    for k in range(first, last):
        q0 = codes[k, 0]
        q1 = codes[k, 1]
        q2 = codes[k, 2]
        q3 = codes[k, 3]
        q4 = codes[k, 4]
        for h in range(np.uint64(0), np.uint64(count)):
            near[h] = (distance(heads, h, q0, q1, q2, q3, q4) << shift) | h
        # A few minima in vector code: faster than sorting, and no sort to compile.
        for b in range(beam):
            best = none
            for h in range(np.uint64(0), np.uint64(count)):
                best = min(best, near[h])
            chosen[b] = best
            near[best & low] = none
        best = none
        for b in range(beam):
            head = np.int64(chosen[b] & low)
            part = members[head]
            base = np.uint64(head * width)
            for c in range(np.uint64(0), np.uint64(width)):
                near[c] = (distance(part, c, q0, q1, q2, q3, q4) << shift) | (base + c)
            for c in range(np.uint64(0), np.uint64(width)):
                best = min(best, near[c])
        out[k - first] = best & low


@kernel
def sort_lists(lists, starts, places, order):
    """Bring the cylinders of ascending rows into list order.

    ``lists (C,) uint16`` of every cylinder; ``starts (L + 1,) int64`` filled with where each list
    begins; ``order (C,) int64`` with the cylinder at each place of the lists, ascending in row
    within a list.
    """
    starts[:] = 0
    for c in range(lists.shape[0]):
        starts[np.int64(lists[c]) + 1] += 1
    for k in range(places.shape[0]):
        starts[k + 1] += starts[k]
        places[k] = starts[k]
    for c in range(lists.shape[0]):
        n = np.int64(lists[c])
        order[places[n]] = c
        places[n] += 1


@kernel(inner=True)
def squeeze(code, mask, out):
    """Collect the bits of a code under a mask of 128 bits set, lowest first, into two words."""
    out[0] = 0
    out[1] = 0
    one = np.uint64(1)
    n = 0
    for w in range(5):
        rest = mask[w]
        while rest != np.uint64(0):
            bit = rest & (~rest + one)
            if code[w] & bit:
                out[n >> 6] |= one << np.uint64(n & 63)
            rest ^= bit
            n += 1


@kernel
def squeeze_pairs(cylinder, lists, codes, masks, out):
    """Short codes of probe cylinders under the masks of the lists they look into."""
    for k in range(cylinder.shape[0]):
        squeeze(codes[cylinder[k]], masks[lists[k]], out[k])


@kernel(inner=True)
def _first_from(values, first, last, least):
    """First place of ascending ``values[first:last]`` that holds `least` or more."""
    while first < last:
        middle = (first + last) >> 1
        if np.int64(values[middle]) < least:
            first = middle + 1
        else:
            last = middle
    return first


@kernel
def fill_lists(order, first, last, lists, codes, angle, offsets, masks, out):
    """Write the entries ``first..last`` of the lists.

    ``out`` is the tuple of columns (low (C,) uint64, high (C,) uint64, row (C,) uint32,
    place (C,) uint8, angle (C,) uint8).
    """
    low, high, row, place, direction = out
    short = np.zeros(2, np.uint64)
    for e in range(first, last):
        c = order[e]
        squeeze(codes[c], masks[np.int64(lists[c])], short)
        low[e] = short[0]
        high[e] = short[1]
        direction[e] = angle[c]
        r = _first_from(offsets, 0, offsets.shape[0], c + 1) - 1
        row[e] = r
        place[e] = c - offsets[r]


@kernel
def list_ranges(lists, starts, rows, low, high, out):
    """Entries of rows ``low..high`` in each of some lists: ``out (K, 2) int64``."""
    for k in range(lists.shape[0]):
        first = starts[lists[k]]
        last = starts[lists[k] + 1]
        out[k, 0] = _first_from(rows, first, last, low)
        out[k, 1] = _first_from(rows, first, last, high)
