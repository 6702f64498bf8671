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


@kernel(inner=True)
def _insert(i, j, nb, s, head, after):
    """Queue a pair by similarity; equal ones in an order that exchanging the sides keeps."""
    this = i * nb + j
    before = -1
    at = head[s]
    # i + j, then |i - j|: two pairs equal in both share no minutia, so their order is no matter.
    while at >= 0:
        p = at // nb
        q = at - p * nb
        if p + q > i + j or (p + q == i + j and abs(p - q) > abs(i - j)):
            break
        before = at
        at = after[at]
    after[this] = at
    if before < 0:
        head[s] = this
    else:
        after[before] = this


@kernel(inner=True)
def _spread(codes, texture, angle, words, below):
    """Lay out one side by words, and count its minutiae below every angle."""
    for j in range(angle.shape[0]):
        for w in range(5):
            words[w, j] = codes[j, w]
        for w in range(3):
            words[5 + w, j] = texture[j, w]
    j = 0
    for turn in range(257):
        while j < angle.shape[0] and np.int32(angle[j]) < turn:
            j += 1
        below[turn] = j


@kernel(inner=True)
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


@kernel(inner=True)
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


@kernel(inner=True)
def queue_pairs(codes_a, texture_a, angle_a, codes_b, texture_b, angle_b, tables, scratch):
    """Queue all pairs within the window of directions that are similar enough.

    The window lies about `tables.turned`: how far the first side is thought to be turned.

    `scratch.head[s]` is the first pair ``i * nb + j`` of similarity s, `scratch.after` the next.
    """
    # Passing a tuple of arrays costs as much as ten pairs: inner loops see plain arrays.
    head, after, words, below = scratch.head, scratch.after, scratch.words, scratch.below
    counts = scratch.counts
    cylinder, texture = tables.cylinder, tables.texture
    nb = angle_b.shape[0]
    head[:] = -1
    _spread(codes_b, texture_b, angle_b, words, below)
    for i in range(angle_a.shape[0]):
        code = (codes_a[i, 0], codes_a[i, 1], codes_a[i, 2], codes_a[i, 3], codes_a[i, 4])
        around = (texture_a[i, 0], texture_a[i, 1], texture_a[i, 2])
        middle = (np.int64(angle_a[i]) + tables.turned) & 255
        first, last, wrapped, end = _ranges(middle, tables.window, below, nb)
        for _ in range(2):
            # Unsigned, so that no index can be negative and the loops become vector code.
            for j in range(np.uint64(first), np.uint64(last)):
                counts[j] = _agree(code, around, words, j)
            for j in range(np.uint64(first), np.uint64(last)):
                k = np.int64(counts[j])
                s = cylinder[k >> 14] + texture[(k >> 7) & 127, k & 127]
                if s > tables.least:
                    _insert(i, np.int64(j), nb, s, head, after)
            first, last = wrapped, end


@kernel(inner=True)
def assign(na, nb, tables, scratch):
    """One-to-one pairs from the queue, the most similar first; returns their number."""
    scratch.used_a[:na] = 0
    scratch.used_b[:nb] = 0
    most = min(na, nb)
    count = 0
    for s in range(scratch.head.shape[0] - 1, tables.least, -1):
        at = scratch.head[s]
        while at >= 0:
            i = at // nb
            j = at - i * nb
            if scratch.used_a[i] == 0 and scratch.used_b[j] == 0:
                scratch.used_a[i] = 1
                scratch.used_b[j] = 1
                scratch.pair_a[count] = i
                scratch.pair_b[count] = j
                scratch.start[count] = s << 4
                count += 1
                if count == most:
                    return count
            at = scratch.after[at]
    return count
