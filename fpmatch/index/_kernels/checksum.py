"""Checksums of the blocks of a segment."""

from __future__ import annotations

import numpy as np

from fpmatch.jit import kernel


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
