"""Votes of whole rows: every cylinder of the probe against every cylinder of the row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import distance, prefetch
from fpmatch.jit import kernel


@kernel(inner=True)
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


@kernel(inner=True)
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
        if r + 2 < stop:
            prefetch(offsets, rows[r + 2])
        if r + 1 < stop:
            for c in range(offsets[rows[r + 1]], offsets[rows[r + 1] + 1]):
                prefetch(codes, c)
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
