"""Votes from the lists: entries that may be near, their full distances, sums by row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import popcount, prefetch
from fpmatch.jit import kernel

AHEAD = 12
"""Entries between asking for a line of memory and using it."""


@kernel
def sift(
    cylinder,
    short,
    need,
    ranges,
    q_angle,
    window,
    entries,
    seen,
    begin,
    marks,
    out_entry,
    out_probe,
):
    """Entries that may be near: pass over short codes, stop when the output may overflow.

    Pair k is probe cylinder ``cylinder[k]`` with the entries ``ranges[k]``: an entry stays if it
    shares at least ``need[k]`` set bits with ``short[k]``, its direction is within the window,
    and its row is visible. Returns the pair to go on with, and the entries kept.

    ``marks`` is scratch, as long as the longest range: the first pass writes it as vector code.
    Each further pass writes every entry and advances only for those that stay: no branch to
    mispredict.
    """
    low, high, rows, directions = entries
    kept = np.uint64(0)
    room = np.uint64(out_entry.shape[0] - 1)
    wide = np.uint8(2 * window)
    k = begin
    while k < cylinder.shape[0]:
        first = np.uint64(ranges[k, 0])
        count = np.uint64(ranges[k, 1]) - first
        if kept + count > room:
            break
        i = cylinder[k]
        a = np.uint8((np.int64(q_angle[i]) - window) & 255)
        s0 = short[k, 0]
        s1 = short[k, 1]
        least = np.uint64(need[k])
        for e in range(count):
            common = popcount(low[first + e] & s0) + popcount(high[first + e] & s1)
            turn = np.uint8((directions[first + e] - a) & 255)
            marks[e] = np.uint8(common >= least) & np.uint8(turn <= wide)
        end = kept
        for e in range(count):
            out_entry[end] = first + e
            end += np.uint64(marks[e])
        for t in range(kept, end):
            e = out_entry[t]
            out_entry[kept] = e
            out_probe[kept] = i
            kept += np.uint64(seen[rows[e]] != 0)
        k += 1
    return k, np.int64(kept)


@kernel
def measure(found, probe, kept, entries, codes, offsets, q_codes, table, cut, out):
    """Votes of kept entries at their full distance; those too far are left out.

    ``out`` is (row (K,) uint32, vote (K,) uint16, probe (K,) uint8, cylinder (K,) int64), the
    last of them scratch. Returns how many there are. Two lines of memory that nothing foretells
    are needed for every entry: they are asked for ahead.
    """
    rows, places = entries
    out_row, out_vote, out_probe, where = out
    count = np.int64(0)
    for k in range(-2 * AHEAD, kept):
        if k + 2 * AHEAD < kept:
            prefetch(offsets, np.int64(rows[found[k + 2 * AHEAD]]))
        t = k + AHEAD
        if 0 <= t < kept:
            e = found[t]
            c = offsets[np.int64(rows[e])] + np.int64(places[e])
            where[t] = c
            prefetch(codes, c)
        if k < 0:
            continue
        c = where[k]
        i = np.int64(probe[k])
        d = (
            popcount(codes[c, 0] ^ q_codes[i, 0])
            + popcount(codes[c, 1] ^ q_codes[i, 1])
            + popcount(codes[c, 2] ^ q_codes[i, 2])
            + popcount(codes[c, 3] ^ q_codes[i, 3])
            + popcount(codes[c, 4] ^ q_codes[i, 4])
        )
        out_row[count] = rows[found[k]]
        out_vote[count] = table[i, d]
        out_probe[count] = i
        count += np.int64(np.int64(d) <= cut[i])
    return count


@kernel
def tally(votes, count, base, state):
    """Add votes to the rows they belong to: of each probe cylinder the best counts.

    ``votes`` is (row, vote, probe) as `measure` gives them, in ascending order of probe
    cylinders; ``state (N,) uint64`` of rows ``base`` on: votes in the upper half, then the best
    vote of the current probe cylinder (16 bits) and that cylinder's number plus one (16 bits).
    """
    rows, worth, probe = votes
    low = np.uint64(0xFFFF)
    shift = np.uint64(16)
    half = np.uint64(32)
    for k in range(count):
        if k + AHEAD < count:
            prefetch(state, np.int64(rows[k + AHEAD]) - base)
        r = np.int64(rows[k]) - base
        word = state[r]
        mark = np.uint64(probe[k]) + np.uint64(1)
        before = ((word >> shift) & low) * np.uint64(word & low == mark)
        best = max(before, np.uint64(worth[k]))
        state[r] = (((word >> half) + (best - before)) << half) | (best << shift) | mark


@kernel
def leaders(state, size, tallies):
    """Lowest vote of the best `size` rows (more on a tie), at least 1.

    ``tallies (B,) int64`` is scratch; votes from B - 1 on are taken as equal.
    """
    tallies[:] = 0
    top = tallies.shape[0] - 1
    half = np.uint64(32)
    for r in range(state.shape[0]):
        tallies[min(np.int64(state[r] >> half), top)] += 1
    total = 0
    v = top
    while v > 1:
        total += tallies[v]
        if total >= size:
            break
        v -= 1
    return v
