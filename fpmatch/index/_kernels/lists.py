"""The inverted lists: which one a cylinder belongs to, and what an entry holds."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import SKETCH_WORDS, distance, prefetch
from fpmatch.jit import kernel

AHEAD = 6
"""Lists from here whose directions are asked for."""
LINE = 64
"""Bytes of memory that come together."""
TURNS_AHEAD = 256
"""Most directions of a list that are asked for."""


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
def sort_lists(lists, offsets, starts, places, order, rows):
    """Bring the cylinders of ascending rows into list order.

    ``lists (C,) uint16`` of every cylinder; ``starts (L + 1,) int64`` filled with where each list
    begins; ``order (C,) int64`` and ``rows (C,)`` with cylinder and row at each place of the lists,
    ascending in row within a list.
    """
    starts[:] = 0
    for c in range(lists.shape[0]):
        starts[np.int64(lists[c]) + 1] += 1
    for k in range(places.shape[0]):
        starts[k + 1] += starts[k]
        places[k] = starts[k]
    for r in range(offsets.shape[0] - 1):
        for c in range(offsets[r], offsets[r + 1]):
            n = np.int64(lists[c])
            order[places[n]] = c
            rows[places[n]] = r
            places[n] += 1


@kernel
def turn_lists(starts, positions, angle, order, rows, scratch):
    """Sort each list's entries of one finger position by direction, those of one by row.

    ``order`` and ``rows`` come from `sort_lists` and are changed in place; ``positions (N,) uint8``
    of the rows, ascending; ``scratch`` is a pair of the same dtypes, as long as the longest list.
    """
    spare_order, spare_rows = scratch
    place = np.zeros(257, np.int64)
    for n in range(starts.shape[0] - 1):
        first = np.int64(starts[n])
        while first < starts[n + 1]:
            position = positions[rows[first]]
            last = np.int64(first)
            place[:] = 0
            while last < starts[n + 1] and positions[rows[last]] == position:
                spare_order[last - first] = order[last]
                spare_rows[last - first] = rows[last]
                place[np.int64(angle[order[last]]) + 1] += 1
                last = last + 1
            for turn in range(256):
                place[turn + 1] += place[turn]
            for e in range(last - first):
                at = np.int64(angle[spare_order[e]])
                order[first + place[at]] = spare_order[e]
                rows[first + place[at]] = spare_rows[e]
                place[at] += 1
            first = last


@kernel
def fill_lists(order, first, last, sketches, angle, out):
    """Write the entries ``first..last`` of the lists, but for their rows.

    ``out`` is the tuple of columns (sketches (C, 3) uint32, angle (C,) uint8).
    """
    listed, direction = out
    for e in range(first, last):
        c = order[e]
        for w in range(SKETCH_WORDS):
            listed[e, w] = sketches[c, w]
        direction[e] = angle[c]


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


@kernel(inner=True)
def _begins(known, number, run, rows, span, row):
    """Where in a list the entries of a run of rows begin; looked for once, and then known.

    ``span`` is (start of the list, place from which on to look, end); `row` the run's first.
    """
    start, least, end = span
    was = known[number, run]
    if was != 0:
        return start + np.int64(was) - 1
    at = _first_from(rows, least, end, row)
    # Threads may look for the same one: they write the same number.
    known[number, run] = at - start + 1
    return at


@kernel
def list_ranges(lists, starts, entries, runs, known, visible, angle, window, out_pair, out):
    """Where the entries lie that a probe may see: of its positions, within its window.

    Pair k looks into list ``lists[k]`` from direction ``angle[k]``. ``entries`` is (rows,
    directions) of the lists. ``runs (R + 1,) int64``: first row of each finger position of the
    part, and the number of rows; ``visible (S,) int64``: which of these runs may be seen,
    ascending. ``known (L, R + 1) uint32`` remembers where in a list each run begins, plus one; 0
    where nobody has looked. A range ``out[m] (M, 2) int64`` belongs to pair ``out_pair[m]``; M is
    at most ``2 * K * S``. Returns the number of ranges; empty ones are left out. Pairs ascend.
    """
    rows, directions = entries
    several = runs.shape[0] > 2
    final = directions.shape[0] - 1
    m = np.int64(0)
    for k in range(lists.shape[0]):
        if k + AHEAD < lists.shape[0] and visible.shape[0] > 0:
            number = lists[k + AHEAD]
            first = starts[number]
            end = starts[number + 1]
            if several:
                end = first + np.int64(known[number, visible[0] + 1])
                first += np.int64(known[number, visible[0]])
            for at in range(first, min(end, first + TURNS_AHEAD), LINE):
                prefetch(directions, min(at, final))
        if several and k + 2 * AHEAD < lists.shape[0]:
            prefetch(known, lists[k + 2 * AHEAD])
        number = lists[k]
        first = starts[number]
        end = starts[number + 1]
        low = (np.int64(angle[k]) - window) & 255
        high = low + 2 * window
        for run in visible:
            a = first
            b = end
            if several:
                a = _begins(known, number, run, rows, (first, first, end), runs[run])
                b = _begins(known, number, run + 1, rows, (first, a, end), runs[run + 1])
            if a == b:
                continue
            if high > 255:
                out[m, 0] = a
                out[m, 1] = _first_from(directions, a, b, high - 255)
                out_pair[m] = k
                m += np.int64(out[m, 0] < out[m, 1])
            out[m, 0] = _first_from(directions, a, b, low)
            out[m, 1] = b if high >= 255 else _first_from(directions, out[m, 0], b, high + 1)
            out_pair[m] = k
            m += np.int64(out[m, 0] < out[m, 1])
    return m
