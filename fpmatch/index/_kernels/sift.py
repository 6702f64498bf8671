"""Votes from the lists: entries that are near, and the sums of their votes by row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import popcount, prefetch
from fpmatch.index._kernels.vectors import LANES, near_ones
from fpmatch.jit import kernel

AHEAD = 8
"""Ranges from here whose beginning is asked for."""
EACH = 5
"""Entries in a line of memory."""
LINES = 4
"""Lines of memory asked for at the beginning of a range; what follows is foretold."""
WAITING = 256
"""Near entries that wait for their rows together."""


@kernel
def sift(pairs, ranges, first, last, cylinder, probe, entries, seen, found, state, touched):
    """Add the votes of the near entries of ``ranges[first:last]`` to the rows they belong to.

    Range m is looked into by probe cylinder ``cylinder[pairs[m]]``; all ranges of a cylinder are
    handed over one after the other, with the same state. ``probe`` is (sketches (P, 3) uint32,
    cut (P,) int64, table (P, 97) uint16): an entry at distance d up to the cut is worth
    ``table[i, d]``. ``entries`` is (sketches, row) of the lists. Of a row and a probe cylinder the
    best entry counts. ``found (S,) uint64`` is scratch, `WAITING` longer than the longest range.

    ``state (N,) uint64``: votes in the upper half, then the best vote of the current probe
    cylinder (16 bits) and that cylinder's number plus one (16 bits). ``touched (N + 1,) uint32``:
    how many rows have votes, and which, as they came. What nothing foretells, the
    rows of near entries and their states, is asked for long before its use: near entries wait
    until there are `WAITING` of them. Returns how many entries were looked at.
    """
    sketches, cut, table = probe
    listed, rows = entries
    looked = np.int64(0)
    m = first
    while m < last:
        kept = np.int64(0)
        while m < last and kept < WAITING:
            if m + AHEAD < last:
                for line in range(LINES):
                    at = ranges[m + AHEAD, 0] + EACH * line
                    prefetch(listed, min(at, ranges[m + AHEAD, 1] - 1))
            looked += ranges[m, 1] - ranges[m, 0]
            i = cylinder[pairs[m]]
            code = (sketches[i, 0], sketches[i, 1], sketches[i, 2])
            tag = np.uint64(i) << np.uint64(8)
            kept = _collect(listed, rows, ranges[m], code, np.uint64(cut[i]), tag, found, kept)
            m += 1
        _add_votes(rows, found, kept, table, seen, state, touched)
    return looked


@kernel(inline=True)
def _apart(listed, e, q0, q1, q2):
    """Hamming distance of a sketch to an entry."""
    return (
        popcount(np.uint64(listed[e, 0] ^ q0))
        + popcount(np.uint64(listed[e, 1] ^ q1))
        + popcount(np.uint64(listed[e, 2] ^ q2))
    )


@kernel(inner=True)
def _collect(listed, rows, span, code, most, tag, found, kept):
    """Write the near entries of a range into `found`, from place `kept` on; returns their end.

    Each is entry << 16 | tag | distance, where the tag is cylinder << 8.
    """
    q0, q1, q2 = code
    one = np.uint64(1)
    shift = np.uint64(16)
    step = np.uint64(LANES)
    at = np.uint64(span[0])
    end = np.uint64(span[1])
    while at < end and at + step <= np.uint64(listed.shape[0]):
        near = near_ones(listed, at, q0, q1, q2, most)
        if end - at < step:
            near &= (one << (end - at)) - one
        while near != 0:
            e = at + popcount((near & (~near + one)) - one)
            found[kept] = (e << shift) | tag | _apart(listed, e, q0, q1, q2)
            prefetch(rows, e)
            kept += 1
            near &= near - one
        at += step
    # The last entries of all lists, of which there are no sixteen.
    while at < end:
        d = _apart(listed, at, q0, q1, q2)
        if d <= most:
            found[kept] = (at << shift) | tag | d
            kept += 1
        at += one
    return kept


@kernel(inner=True)
def _add_votes(rows, found, kept, table, seen, state, touched):
    """Add the votes of near entries to the states of their rows."""
    last = np.uint64(touched[0])
    one = np.uint64(1)
    word = np.uint64(0xFFFF)
    byte = np.uint64(0xFF)
    eight = np.uint64(8)
    shift = np.uint64(16)
    half = np.uint64(32)
    for t in range(kept):
        r = np.uint64(rows[found[t] >> shift])
        found[t] = (r << shift) | (found[t] & word)
        prefetch(seen, r)
        prefetch(state, r)
    for t in range(kept):
        r = found[t] >> shift
        if seen[r] == 0:
            continue
        i = (found[t] >> eight) & byte
        mark = i + one
        was = state[r]
        if was == 0:
            last += one
            touched[last] = r
        before = ((was >> shift) & word) * np.uint64(was & word == mark)
        best = max(before, np.uint64(table[i, found[t] & byte]))
        state[r] = (((was >> half) + (best - before)) << half) | (best << shift) | mark
    touched[0] = last


@kernel
def worth_listing(states, which, touched, least, rows, votes):
    """Of the rows that one has touched those of at least `least` votes (1) over all; their votes.

    ``states (K, N) uint64`` and ``touched (N + 1,) uint32`` as `sift` leaves them, the latter of
    state `which`; rows that an earlier one has touched are left to it. Returns how many were
    written to the beginning of ``rows`` and ``votes (N,) int64``.
    """
    half = np.uint64(32)
    floor = np.uint64(max(least, 1))
    count = 0
    for t in range(1, 1 + np.int64(touched[0])):
        r = touched[t]
        total = np.uint64(0)
        for k in range(states.shape[0]):
            total += states[k, r] >> half
        earlier = False
        for k in range(which):
            earlier |= states[k, r] != 0
        if total >= floor and not earlier:
            rows[count] = r
            votes[count] = total
            count += 1
    return count


@kernel
def wipe(state, touched):
    """Have no row touched: ``state (N,) uint64`` and ``touched (N + 1,) uint32`` as before."""
    for t in range(1, 1 + np.int64(touched[0])):
        state[touched[t]] = 0
    touched[0] = 0


@kernel
def leaders(votes, size, tallies, highest):
    """Lowest vote of the best `size` of some rows and those before (more on a tie), at least 1.

    ``tallies (B,) int64`` holds how many of those before have each number of votes, and these are
    added; votes from B - 1 on are taken as equal, and rows without a vote do not count. ``highest``
    is the largest number of votes before, or B - 1. Returns the lowest vote, and the largest.
    """
    top = tallies.shape[0] - 1
    for r in range(votes.shape[0]):
        if votes[r] > 0:
            tallies[min(votes[r], top)] += 1
            highest = max(highest, votes[r])
    highest = min(highest, top)
    total = 0
    v = highest
    while v > 1:
        total += tallies[v]
        if total >= size:
            break
        v -= 1
    return max(v, 1), highest
