"""Kernels of the index: block checksums, cylinder distances, votes.

A vote of a candidate row is the sum over the probe's cylinders of ``table[i, d]``, d the lowest
Hamming distance of probe cylinder i to a cylinder of the row whose direction differs by at most
``window`` (256 units a turn). Everything is integer arithmetic: sums do not depend on order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.jit import jit_enabled, kernel

WORDS = 5
"""64-bit words of a cylinder code."""
BITS = 64 * WORDS
"""Largest Hamming distance of two codes; the last column of a vote table."""

if jit_enabled():
    from numba.extending import intrinsic

    @intrinsic
    def popcount(typingctx: Any, x: Any) -> Any:
        """Number of set bits of an unsigned integer."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = builder.module.declare_intrinsic("llvm.ctpop", [args[0].type])
            return builder.call(function, [args[0]])

        return x(x), codegen

else:

    def popcount(x: Any) -> Any:
        """Number of set bits of an unsigned integer."""
        return np.uint64(int(x).bit_count())


@kernel
def checksum_blocks(words, per_block, first, last, out):
    """Mix each block of 64-bit words into one 64-bit word.

    Every step is a bijection of its lane, so that a change inside any one word is always seen.
    """
    prime = np.uint64(0x9E3779B97F4A7C15)
    left = np.uint64(29)
    right = np.uint64(35)
    for b in range(first, last):
        a0 = np.uint64(b + 1)
        a1 = np.uint64(0x243F6A8885A308D3)
        a2 = np.uint64(0x13198A2E03707344)
        a3 = np.uint64(0xA4093822299F31D0)
        for w in range(b * per_block, (b + 1) * per_block, 4):
            a0 = (a0 ^ words[w]) * prime
            a0 = (a0 << left) | (a0 >> right)
            a1 = (a1 ^ words[w + 1]) * prime
            a1 = (a1 << left) | (a1 >> right)
            a2 = (a2 ^ words[w + 2]) * prime
            a2 = (a2 << left) | (a2 >> right)
            a3 = (a3 ^ words[w + 3]) * prime
            a3 = (a3 << left) | (a3 >> right)
        h = a0
        h = ((h << left) | (h >> right)) * prime ^ a1
        h = ((h << left) | (h >> right)) * prime ^ a2
        h = ((h << left) | (h >> right)) * prime ^ a3
        out[b - first] = (h ^ (h >> np.uint64(32))) * prime


@kernel
def unroll(codes, angle, first, last, window, soa, turn):
    """Lay one template out by word, with the ends of the turn repeated; returns its length.

    ``soa (5, L) uint64`` receives the words, ``turn (L,) int64`` the directions from -window to
    255 + window, ascending. L must be at least three times the template's cylinders, and 8 more.
    """
    n = 0
    for lap in range(-1, 2):
        for k in range(first, last):
            a = np.int64(angle[k]) + 256 * lap
            if a < -window:
                continue
            if a > 255 + window:
                break
            for w in range(5):
                soa[w, n] = codes[k, w]
            turn[n] = a
            n += 1
    return n


@kernel(inline=True)
def distance(soa, j, q0, q1, q2, q3, q4):
    """Hamming distance of a code to column j."""
    return (
        popcount(soa[0, j] ^ q0)
        + popcount(soa[1, j] ^ q1)
        + popcount(soa[2, j] ^ q2)
        + popcount(soa[3, j] ^ q3)
        + popcount(soa[4, j] ^ q4)
    )


@kernel
def lowest(q_codes, i, soa, lo, hi):
    """Lowest Hamming distance of probe cylinder i to the columns lo..hi; 320 if there is none.

    Runs over whole groups of eight, so that the loop is vector code without a tail.
    """
    q0 = q_codes[i, 0]
    q1 = q_codes[i, 1]
    q2 = q_codes[i, 2]
    q3 = q_codes[i, 3]
    q4 = q_codes[i, 4]
    none = np.uint64(320)
    best = none
    end = np.uint64(hi)
    for j in range(np.uint64(lo), np.uint64(lo + ((hi - lo + 7) & ~7))):
        x = distance(soa, j, q0, q1, q2, q3, q4)
        if j >= end:
            x = none
        best = min(best, x)
    return best


@kernel
def best_distances(q_codes, q_angle, codes, angle, offsets, window, out):
    """Best distance of every probe cylinder (ascending direction) in every template.

    ``out (P, N) uint16``; 320 where no cylinder of the template lies in the window.
    """
    soa = np.zeros((5, 3 * 255 + 16), np.uint64)
    turn = np.zeros(3 * 255 + 16, np.int64)
    for t in range(offsets.shape[0] - 1):
        n = unroll(codes, angle, offsets[t], offsets[t + 1], window, soa, turn)
        lo = 0
        hi = 0
        for i in range(q_codes.shape[0]):
            a = np.int64(q_angle[i])
            while lo < n and turn[lo] < a - window:
                lo += 1
            while hi < n and turn[hi] <= a + window:
                hi += 1
            out[i, t] = lowest(q_codes, i, soa, lo, hi)


@kernel
def vote_rows(q_codes, q_angle, table, codes, angle, offsets, window, rows, start, stop, out):
    """Votes of the rows ``rows[start:stop]`` into ``out[start:stop] (int64)``.

    The probe's cylinders must ascend in direction; ``table (P, 321) uint16``.
    """
    soa = np.zeros((5, 3 * 255 + 16), np.uint64)
    turn = np.zeros(3 * 255 + 16, np.int64)
    for r in range(start, stop):
        t = rows[r]
        n = unroll(codes, angle, offsets[t], offsets[t + 1], window, soa, turn)
        lo = 0
        hi = 0
        votes = np.int64(0)
        for i in range(q_codes.shape[0]):
            a = np.int64(q_angle[i])
            while lo < n and turn[lo] < a - window:
                lo += 1
            while hi < n and turn[hi] <= a + window:
                hi += 1
            votes += np.int64(table[i, lowest(q_codes, i, soa, lo, hi)])
        out[r] = votes


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
    for k in range(first, last):
        q0 = codes[k, 0]
        q1 = codes[k, 1]
        q2 = codes[k, 2]
        q3 = codes[k, 3]
        q4 = codes[k, 4]
        for h in range(np.uint64(0), np.uint64(count)):
            near[h] = (distance(heads, h, q0, q1, q2, q3, q4) << shift) | h
        chosen = np.sort(near[:count])[:beam]
        best = np.uint64(0xFFFFFFFFFFFFFFFF)
        for b in range(chosen.shape[0]):
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


@kernel
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
        r = np.searchsorted(offsets, c, side="right") - 1
        row[e] = r
        place[e] = c - offsets[r]


@kernel
def list_ranges(lists, starts, rows, low, high, out):
    """Entries of rows ``low..high`` in each of some lists: ``out (K, 2) int64``."""
    for k in range(lists.shape[0]):
        first = starts[lists[k]]
        last = starts[lists[k] + 1]
        part = rows[first:last]
        out[k, 0] = first + np.searchsorted(part, low)
        out[k, 1] = first + np.searchsorted(part, high)


@kernel
def sift(
    cylinder, short, need, ranges, q_angle, window, entries, seen, begin, out_entry, out_probe
):
    """Entries that may be near: pass over short codes, stop when the output may overflow.

    Pair k is probe cylinder ``cylinder[k]`` with the entries ``ranges[k]``: an entry stays if it
    shares at least ``need[k]`` set bits with ``short[k]``, its direction is within the window,
    and its row is visible. Returns the pair to go on with, and the entries kept.

    Both passes write every entry and advance only for those that stay: no branch to mispredict.
    """
    low, high, rows, directions = entries
    kept = np.uint64(0)
    room = np.uint64(out_entry.shape[0] - 1)
    k = begin
    while k < cylinder.shape[0]:
        first = np.uint64(ranges[k, 0])
        last = np.uint64(ranges[k, 1])
        if kept + (last - first) > room:
            break
        i = cylinder[k]
        a = np.int64(q_angle[i]) - window
        s0 = short[k, 0]
        s1 = short[k, 1]
        least = np.uint64(need[k])
        end = kept
        for e in range(first, last):
            out_entry[end] = e
            end += np.uint64(popcount(low[e] & s0) + popcount(high[e] & s1) >= least)
        for t in range(kept, end):
            e = out_entry[t]
            out_entry[kept] = e
            out_probe[kept] = i
            near = ((np.int64(directions[e]) - a) & 255) <= 2 * window
            kept += np.uint64(near and seen[rows[e]] != 0)
        k += 1
    return k, np.int64(kept)


@kernel
def tally(found, probe, kept, entries, codes, offsets, q_codes, table, cut, base, state):
    """Add the votes of kept entries, at their full distance, to the rows they belong to.

    ``state (N,) uint64`` of rows ``base`` on: votes in the upper half, then the best vote of the
    current probe cylinder (16 bits) and that cylinder's number plus one (16 bits). Entries must
    come in ascending order of probe cylinders.
    """
    rows, places = entries
    low = np.uint64(0xFFFF)
    shift = np.uint64(16)
    half = np.uint64(32)
    for k in range(kept):
        e = found[k]
        i = np.int64(probe[k])
        r = np.int64(rows[e])
        c = offsets[r] + np.int64(places[e])
        d = (
            popcount(codes[c, 0] ^ q_codes[i, 0])
            + popcount(codes[c, 1] ^ q_codes[i, 1])
            + popcount(codes[c, 2] ^ q_codes[i, 2])
            + popcount(codes[c, 3] ^ q_codes[i, 3])
            + popcount(codes[c, 4] ^ q_codes[i, 4])
        )
        if np.int64(d) > cut[i]:
            continue
        vote = np.uint64(table[i, d])
        word = state[r - base]
        votes = word >> half
        best = (word >> shift) & low
        mark = np.uint64(i + 1)
        if word & low != mark:
            votes += vote
            best = vote
        elif vote > best:
            votes += vote - best
            best = vote
        else:
            continue
        state[r - base] = (votes << half) | (best << shift) | mark


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
