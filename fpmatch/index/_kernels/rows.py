"""Votes of whole rows: every cylinder of the probe against every cylinder of the row."""

from __future__ import annotations

import numpy as np

from fpmatch.index._kernels.bits import WORDS, prefetch
from fpmatch.index._kernels.packing import LINE, unpack_codes
from fpmatch.index._kernels.vectors import meet
from fpmatch.jit import kernel


@kernel(inner=True)
def unroll(codes, angle, window):
    """Lay a probe out by word, with the ends of the turn repeated.

    Returns ``soa (5, L) uint64`` with the words in columns, whose directions ascend from -window
    to 255 + window; ``spans (256, 2) uint64``, the columns that a cylinder of each direction
    meets; the number of columns before the first of the probe itself, and of all that hold
    something. L is a multiple of eight.
    """
    many = codes.shape[0]
    soa = np.zeros((5, (3 * many + 7) & ~7), np.uint64)
    turn = np.zeros(soa.shape[1], np.int64)
    before = np.int64(0)
    n = 0
    for lap in range(-1, 2):
        for k in range(many):
            a = np.int64(angle[k]) + 256 * lap
            if a < -window or a > 255 + window:
                continue
            for w in range(5):
                soa[w, n] = codes[k, w]
            turn[n] = a
            before += np.int64(lap < 0)
            n += 1
    spans = np.zeros((256, 2), np.uint64)
    low = 0
    high = 0
    for met in range(256):
        while low < n and turn[low] < met - window:
            low += 1
        while high < n and turn[high] <= met + window:
            high += 1
        spans[met, 0] = low
        spans[met, 1] = high
    return soa, spans, before, n


@kernel(inner=True)
def lowest(probe, many, codes, angle, first, last, best):
    """Lowest Hamming distance of each probe cylinder to the cylinders ``first..last`` of a row.

    ``probe`` is what `unroll` made of `many` cylinders. ``best (L,) uint64`` gets the distance of
    probe cylinder i at ``probe[2] + i``; 320 where none is within the window. Columns of the probe
    are met eight at a time by one cylinder of the row, so that no code of the row is moved and
    nothing is added up across a vector.
    """
    soa, spans, before, n = probe
    best[:] = 320
    step = np.uint64(8)
    for c in range(np.uint64(first), np.uint64(last)):
        low = spans[angle[c], 0]
        high = spans[angle[c], 1]
        at = low & ~np.uint64(7)
        while at < high:
            meet(soa, at, codes, c, low, high, best)
            at += step
    # The repeated ends are the same cylinders.
    for k in range(before):
        best[many + k] = min(best[many + k], best[k])
    for k in range(before + many, n):
        best[k - many] = min(best[k - many], best[k])


@kernel
def best_distances(q_codes, q_angle, codes, angle, offsets, window, out):
    """Best distance of every probe cylinder (ascending direction) in every template.

    ``out (P, N) uint16``; 320 where no cylinder of the template lies in the window.
    """
    many = q_codes.shape[0]
    probe = unroll(q_codes, q_angle, window)
    best = np.zeros(probe[0].shape[1], np.uint64)
    for t in range(offsets.shape[0] - 1):
        lowest(probe, many, codes, angle, offsets[t], offsets[t + 1], best)
        for i in range(many):
            out[i, t] = best[probe[2] + i]


@kernel
def vote_rows(q_codes, q_angle, table, packed, starts, offsets, window, rows, start, stop, out):
    """Votes of the rows ``rows[start:stop]`` into ``out[start:stop] (int64)``.

    The probe's cylinders must ascend in direction; ``table (P, 321) uint16``. ``packed (B,) uint8``
    holds the rows, from ``starts (N + 1,) int64`` on, as `packing` lays them.
    """
    many = q_codes.shape[0]
    probe = unroll(q_codes, q_angle, window)
    first = probe[2]
    best = np.zeros(probe[0].shape[1], np.uint64)
    longest = np.int64(0)
    for r in range(start, stop):
        longest = max(longest, offsets[rows[r] + 1] - offsets[rows[r]])
    words = np.zeros(WORDS * longest + 1, np.uint64)
    flat = words.view(np.uint8)
    codes = words[: WORDS * longest].reshape(longest, WORDS)
    for r in range(start, stop):
        if r + 2 < stop:
            prefetch(starts, rows[r + 2])
            prefetch(offsets, rows[r + 2])
        if r + 1 < stop:
            ahead = rows[r + 1]
            # Directions and codes: a half of the row, or a little more.
            share = (starts[ahead + 1] - starts[ahead]) * 5 // 8
            for at in range(starts[ahead], starts[ahead] + share, LINE):
                prefetch(packed, at)
        t = rows[r]
        here = offsets[t + 1] - offsets[t]
        unpack_codes(packed, np.uint64(starts[t]), np.uint64(here), flat, np.uint64(0))
        angle = packed[starts[t] + 1 : starts[t] + 1 + here]
        lowest(probe, many, codes, angle, 0, here, best)
        votes = np.int64(0)
        for i in range(many):
            votes += np.int64(table[i, best[first + i]])
        out[r] = votes
