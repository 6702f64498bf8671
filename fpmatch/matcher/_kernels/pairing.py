"""Similar pairs of minutiae, and the one-to-one assignment among them."""

from __future__ import annotations

import numpy as np

from fpmatch.jit import Lazy, jit_enabled, kernel


def popcount(word):
    """Bits set in a uint64."""
    return int(word).bit_count()


def _popcount():
    """As one machine instruction where there is one."""
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def popcount(context, word):
        def codegen(context, builder, signature, arguments):
            count = builder.module.declare_intrinsic("llvm.ctpop", [arguments[0].type])
            return builder.call(count, [arguments[0]])

        return types.uint64(types.uint64), codegen

    return popcount


if jit_enabled():
    popcount = Lazy(_popcount, popcount)


@kernel(inner=True, borrows=True)
def _spread(codes, texture, angle, words, below):
    """Lay out one side by words, and count its minutiae below every angle."""
    w0, w1, w2, w3, w4 = words[0], words[1], words[2], words[3], words[4]
    w5, w6, w7 = words[5], words[6], words[7]
    turn = 0
    for j in range(angle.shape[0]):
        w0[j] = codes[j, 0]
        w1[j] = codes[j, 1]
        w2[j] = codes[j, 2]
        w3[j] = codes[j, 3]
        w4[j] = codes[j, 4]
        w5[j] = texture[j, 0]
        w6[j] = texture[j, 1]
        w7[j] = texture[j, 2]
        while turn <= np.int64(angle[j]):
            below[turn] = j
            turn += 1
    below[turn:257] = angle.shape[0]


@kernel(inner=True, borrows=True)
def _agree(code, texture, words, j):
    """Common code bits, cells valid in both and differing texture bits, in 7 bits each."""
    common = popcount(code[0] & words[0, j]) + popcount(code[1] & words[1, j])
    common += popcount(code[2] & words[2, j]) + popcount(code[3] & words[3, j])
    common += popcount(code[4] & words[4, j])
    both = texture[2] & words[7, j]
    differ = popcount((texture[0] ^ words[5, j]) & both)
    differ += popcount((texture[1] ^ words[6, j]) & both)
    return (
        (np.uint64(common) << np.uint64(14))
        | (np.uint64(popcount(both)) << np.uint64(7))
        | np.uint64(differ)
    )


@kernel(inner=True, borrows=True)
def _ranges(angle, window, below, nb):
    """The one or two ranges of sorted angles within the window, the second after wrapping."""
    low = angle - window
    high = angle + window + 1
    first = np.int64(below[max(low, 0)])
    last = np.int64(below[min(high, 256)])
    if low < 0:
        return first, last, np.int64(below[low + 256]), np.int64(nb)
    if high > 256:
        return first, last, np.int64(0), np.int64(below[high - 256])
    return first, last, np.int64(0), np.int64(0)


@kernel(inner=True, borrows=True)
def _similar(codes_a, texture_a, angle_a, nb, words, below, window, turned, wanted, counts, listed):
    """List the pairs within the window that are similar enough; returns their number.

    listed : minutia of the first side in bits 32 and up, of the second in 21 to 31,
    common code bits in 14 to 20, valid cells in 7 to 13, differing texture bits in 0 to 6.
    """
    number = np.uint64(0)
    for i in range(angle_a.shape[0]):
        code = (codes_a[i, 0], codes_a[i, 1], codes_a[i, 2], codes_a[i, 3], codes_a[i, 4])
        around = (texture_a[i, 0], texture_a[i, 1], texture_a[i, 2])
        middle = (np.int64(angle_a[i]) + turned) & 255
        first, last, wrapped, end = _ranges(middle, window, below, nb)
        row = np.uint64(i) << np.uint64(32)
        for _ in range(2):
            # Unsigned, so that no index can be negative and the loops become vector code.
            for j in range(np.uint64(first), np.uint64(last)):
                counts[j] = _agree(code, around, words, j)
            # Written always and counted where it holds: no branch that nobody can foresee.
            for j in range(np.uint64(first), np.uint64(last)):
                k = counts[j]
                listed[number] = row | (np.uint64(j) << np.uint64(21)) | k
                number += np.uint64(k >> np.uint64(14) >= wanted[k & np.uint64(16383)])
            first, last = wrapped, end
    return np.int64(number)


@kernel(inner=True, borrows=True)
def _sort(number, listed, cylinder, texture, least, bucket, queue):
    """Sort the listed pairs into `queue`, by buckets of equal similarity.

    Bits 40 and up hold how far the similarity is below the highest. Of equal pairs first those of
    the smaller i + j, then of the smaller abs(i - j), then of the smaller i: two pairs that are
    equal in both sums share no minutia, so exchanging the sides changes nothing but their order.
    """
    beyond = bucket.shape[0] - 1
    bucket[: beyond - least] = 0
    for z in range(number):
        k = np.int64(listed[z])
        i = k >> 32
        j = k >> 21 & 2047
        lacks = np.int64(beyond - (cylinder[k >> 14 & 127] + texture[k >> 7 & 127, k & 127]))
        bucket[lacks] += 1
        listed[z] = np.uint64(lacks << 40 | (i + j) << 24 | abs(i - j) << 16 | i << 8 | j)
    total = 0
    for s in range(beyond - least):
        total += bucket[s]
        bucket[s] = total - bucket[s]
    for z in range(number):
        k = np.int64(listed[z])
        at = bucket[k >> 40]
        bucket[k >> 40] = at + 1
        queue[at] = np.uint64(k)
    # What is out of order is within a bucket, and few.
    for z in range(1, number):
        k = queue[z]
        y = z
        while y > 0 and queue[y - 1] > k:
            queue[y] = queue[y - 1]
            y -= 1
        queue[y] = k


@kernel(inner=True, borrows=True)
def queue_pairs(codes_a, texture_a, angle_a, codes_b, texture_b, angle_b, tables, scratch):
    """Queue all pairs within the window of directions that are similar enough; their number.

    The window lies about `tables.turned`: how far the first side is thought to be turned.
    `scratch.queue` has the most similar pair first.
    """
    # Passing a tuple of arrays costs as much as ten pairs: what is below sees plain arrays.
    words, below, listed = scratch.words, scratch.below, scratch.listed
    _spread(codes_b, texture_b, angle_b, words, below)
    near = (words, below, tables.window, tables.turned, tables.wanted, scratch.counts, listed)
    number = _similar(codes_a, texture_a, angle_a, angle_b.shape[0], *near)
    sums = (tables.cylinder, tables.texture, tables.least)
    _sort(number, listed, *sums, scratch.bucket, scratch.queue)
    return number


@kernel(inner=True, borrows=True)
def assign(number, na, nb, scratch):
    """One-to-one pairs from the queue, the most similar first; returns their number."""
    queue, used_a, used_b = scratch.queue, scratch.used_a, scratch.used_b
    pair_a, pair_b, start = scratch.pair_a, scratch.pair_b, scratch.start
    beyond = scratch.bucket.shape[0] - 1
    used_a[:na] = 0
    used_b[:nb] = 0
    count = 0
    for z in range(number):
        k = np.int64(queue[z])
        i = k >> 8 & 255
        j = k & 255
        # Written always; it stays where both are free.
        free = (1 - used_a[i]) & (1 - used_b[j])
        pair_a[count] = i
        pair_b[count] = j
        start[count] = (beyond - (k >> 40)) << 4
        used_a[i] |= free
        used_b[j] |= free
        count += free
    return count
