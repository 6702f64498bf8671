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
