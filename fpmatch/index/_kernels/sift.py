"""Votes from the lists: entries that are near, and the sums of their votes by row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import popcount, prefetch
from fpmatch.jit import kernel

LINES = 4
"""Lines of memory asked for at the beginning of the next range; what follows is foretold."""


@kernel
def sift(pairs, ranges, first, last, cylinder, probe, entries, seen, scratch, state):
    """Add the votes of the near entries of ``ranges[first:last]`` to the rows they belong to.

    Range m is looked into by probe cylinder ``cylinder[pairs[m]]``; all ranges of a cylinder are
    handed over one after the other, with the same state. ``probe`` is (folded (P, 2) uint64,
    limit (P,) int64, worth (P, 129) uint16): an entry at folded distance d up to the limit is worth
    ``worth[i, d]``. ``entries`` is (folds, row) of the lists. Of a row and a probe cylinder the
    best entry counts. ``scratch`` is (uint8, int64), each longer than the longest range.

    ``state (N,) uint64``: votes in the upper half, then the best vote of the current probe
    cylinder (16 bits) and that cylinder's number plus one (16 bits). What nothing foretells, the
    rows of near entries and their states, is asked for a pass before its use. Returns how many
    entries were looked at.
    """
    folded, limit, worth = probe
    folds, rows = entries
    near, found = scratch
    word = np.uint64(0xFFFF)
    shift = np.uint64(16)
    half = np.uint64(32)
    looked = np.int64(0)
    for m in range(first, last):
        i = cylinder[pairs[m]]
        begin = np.uint64(ranges[m, 0])
        count = np.uint64(ranges[m, 1]) - begin
        looked += np.int64(count)
        s0 = folded[i, 0]
        s1 = folded[i, 1]
        most = np.uint64(limit[i])
        if m + 1 < last:
            for line in range(LINES):
                prefetch(folds, min(ranges[m + 1, 0] + 4 * line, ranges[m + 1, 1] - 1))
        kept = 0
        for e in range(count):
            d = popcount(folds[begin + e, 0] ^ s0) + popcount(folds[begin + e, 1] ^ s1)
            if d <= most:
                near[kept] = d
                found[kept] = begin + e
                prefetch(rows, begin + e)
                kept += 1
        for t in range(kept):
            r = np.int64(rows[found[t]])
            found[t] = r
            prefetch(seen, r)
            prefetch(state, r)
        mark = np.uint64(i + 1)
        for t in range(kept):
            r = found[t]
            if seen[r] == 0:
                continue
            was = state[r]
            before = ((was >> shift) & word) * np.uint64(was & word == mark)
            best = max(before, np.uint64(worth[i, near[t]]))
            state[r] = (((was >> half) + (best - before)) << half) | (best << shift) | mark
    return looked


@kernel
def add_up(states, first, last, out):
    """Votes of the rows ``first..last`` over all states: ``out (last - first,) int64``."""
    half = np.uint64(32)
    for r in range(first, last):
        votes = np.uint64(0)
        for k in range(states.shape[0]):
            votes += states[k, r] >> half
        out[r - first] = votes


@kernel
def leaders(votes, size, tallies):
    """Lowest vote of the best `size` of some rows (more on a tie), at least 1.

    ``tallies (B,) int64`` is scratch; votes from B - 1 on are taken as equal.
    """
    tallies[:] = 0
    top = tallies.shape[0] - 1
    for r in range(votes.shape[0]):
        tallies[min(votes[r], top)] += 1
    total = 0
    v = top
    while v > 1:
        total += tallies[v]
        if total >= size:
            break
        v -= 1
    return v
