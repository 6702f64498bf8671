"""Votes of whole rows: every cylinder of the probe against every cylinder of the row."""

from __future__ import annotations

import numpy as np

from fpmatch.descriptor._kernels import SKETCH_BITS
from fpmatch.index._kernels.bits import SKETCH_WORDS, prefetch
from fpmatch.index._kernels.packing import LINE, SKETCH
from fpmatch.index._kernels.vectors import LANES, meet
from fpmatch.jit import kernel


@kernel(inner=True)
def unroll(sketches, angle, window):
    """Lay a probe out by word, with the ends of the turn repeated.

    Returns ``soa (3, L) uint32`` with the words in columns, whose directions ascend from -window
    to 255 + window; ``spans (256, 2) uint64``, the columns that a minutia of each direction
    meets; the number of columns before the first of the probe itself, and of all that hold
    something. L is a multiple of `LANES`.
    """
    many = sketches.shape[0]
    soa = np.zeros((SKETCH_WORDS, (3 * many + LANES - 1) & ~(LANES - 1)), np.uint32)
    turn = np.zeros(soa.shape[1], np.int64)
    before = np.int64(0)
    n = 0
    for lap in range(-1, 2):
        for k in range(many):
            a = np.int64(angle[k]) + 256 * lap
            if a < -window or a > 255 + window:
                continue
            for w in range(SKETCH_WORDS):
                soa[w, n] = sketches[k, w]
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
def lowest(probe, many, angle, held, at, best):
    """Lowest Hamming distance of each probe minutia to the minutiae of a row.

    ``probe`` is what `unroll` made of `many` minutiae. The row's directions are ``angle (M,)
    uint8``, its sketches are the 12 M bytes of ``held (B,) uint8`` from `at` on. ``best (L,)
    uint32`` gets the distance of probe minutia i at ``probe[2] + i``; 96 where none is within the
    window. Columns of the probe are met sixteen at a time by one minutia of the row, so that
    nothing of the row is moved and nothing is added up across a vector.
    """
    soa, spans, before, n = probe
    best[:] = SKETCH_BITS
    step = np.uint64(LANES)
    place = np.uint64(at)
    for c in range(np.uint64(angle.shape[0])):
        low = spans[angle[c], 0]
        high = spans[angle[c], 1]
        first = low & ~np.uint64(LANES - 1)
        while first < high:
            meet(soa, first, held, place, low, high, best)
            first += step
        place += np.uint64(SKETCH)
    # The repeated ends are the same minutiae.
    for k in range(before):
        best[many + k] = min(best[many + k], best[k])
    for k in range(before + many, n):
        best[k - many] = min(best[k - many], best[k])


@kernel
def best_distances(q_sketches, q_angle, held, angle, offsets, window, out):
    """Best distance of every probe minutia (ascending direction) in every row.

    ``held (12 C,) uint8`` are the sketches of the rows. ``out (P, N) uint16``; 96 where no minutia
    of the row lies in the window.
    """
    many = q_sketches.shape[0]
    probe = unroll(q_sketches, q_angle, window)
    best = np.zeros(probe[0].shape[1], np.uint32)
    for t in range(offsets.shape[0] - 1):
        turns = angle[offsets[t] : offsets[t + 1]]
        lowest(probe, many, turns, held, SKETCH * offsets[t], best)
        for i in range(many):
            out[i, t] = best[probe[2] + i]


@kernel
def vote_rows(q_sketches, q_angle, table, packed, starts, offsets, window, rows, start, stop, out):
    """Votes of the rows ``rows[start:stop]`` into ``out[start:stop] (int64)``.

    The probe's minutiae must ascend in direction; ``table (P, 97) uint16``. ``packed (B,) uint8``
    holds the rows, from ``starts (N + 1,) int64`` on, as `packing` lays them.
    """
    many = q_sketches.shape[0]
    probe = unroll(q_sketches, q_angle, window)
    first = probe[2]
    best = np.zeros(probe[0].shape[1], np.uint32)
    for r in range(start, stop):
        if r + 2 < stop:
            prefetch(starts, rows[r + 2])
            prefetch(offsets, rows[r + 2])
        if r + 1 < stop:
            ahead = rows[r + 1]
            # Directions and sketches: the beginning of the row.
            length = 1 + (1 + SKETCH) * (offsets[ahead + 1] - offsets[ahead])
            for at in range(starts[ahead], starts[ahead] + length, LINE):
                prefetch(packed, at)
        t = rows[r]
        here = offsets[t + 1] - offsets[t]
        at = starts[t] + 1
        lowest(probe, many, packed[at : at + here], packed, at + here, best)
        votes = np.int64(0)
        for i in range(many):
            votes += np.int64(table[i, best[first + i]])
        out[r] = votes
