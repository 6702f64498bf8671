"""Votes from the lists: entries that are near, and the sums of their votes by row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import popcount, prefetch
from fpmatch.jit import kernel

AHEAD = 12
"""Entries between asking for a line of memory and using it."""


@kernel
def sift(pairs, ranges, first, last, cylinder, probe, entries, seen, scratch, state):
    """Add the votes of the near entries of ``ranges[first:last]`` to the rows they belong to.

    Range m is looked into by probe cylinder ``cylinder[pairs[m]]``; all ranges of a cylinder are
    handed over one after the other, with the same state. ``probe`` is (folded (P, 2) uint64,
    limit (P,) int64, worth (P, 129) uint16): an entry at folded distance d up to the limit is worth
    ``worth[i, d]``. ``entries`` is (low, high, row) of the lists. Of a row and a probe cylinder the
    best entry counts. ``scratch`` is (uint8, int64), each longer than the longest range.

    ``state (N,) uint64``: votes in the upper half, then the best vote of the current probe
    cylinder (16 bits) and that cylinder's number plus one (16 bits). The first pass writes
    distances as vector code; the second writes every entry and advances only for those that stay:
    no branch to mispredict. Returns how many entries were looked at.
    """
    folded, limit, worth = probe
    low, high, rows = entries
    near, found = scratch
    word = np.uint64(0xFFFF)
    shift = np.uint64(16)
    half = np.uint64(32)
    looked = 0
    for m in range(first, last):
        i = cylinder[pairs[m]]
        begin = np.uint64(ranges[m, 0])
        count = np.uint64(ranges[m, 1]) - begin
        looked += np.int64(count)
        s0 = folded[i, 0]
        s1 = folded[i, 1]
        for e in range(count):
            near[e] = np.uint8(popcount(low[begin + e] ^ s0) + popcount(high[begin + e] ^ s1))
        most = np.uint8(limit[i])
        kept = np.uint64(0)
        for e in range(count):
            found[kept] = e
            kept += np.uint64(near[e] <= most)
        mark = np.uint64(i + 1)
        for t in range(np.int64(kept)):
            if t + AHEAD < kept:
                prefetch(state, np.int64(rows[begin + found[t + AHEAD]]))
            r = rows[begin + found[t]]
            if seen[r] == 0:
                continue
            was = state[r]
            before = ((was >> shift) & word) * np.uint64(was & word == mark)
            best = max(before, np.uint64(worth[i, near[found[t]]]))
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
