"""Lists of rows that are kept: carried over from the parts that hold them, not made anew."""

from __future__ import annotations

from fpmatch.index._kernels.bits import SKETCH_WORDS
from fpmatch.jit import kernel


@kernel
def count_kept(starts, owners, target, counts):
    """Add up how many entries of each list belong to rows that are kept.

    ``starts (L + 1,) int64`` and ``owners (E,)``: lists of a part. ``target (N,) int64``:
    the new row of each of its rows, -1 where it is not kept. ``counts (L,) int64``.
    """
    for n in range(counts.shape[0]):
        for e in range(starts[n], starts[n + 1]):
            if target[owners[e]] >= 0:
                counts[n] += 1


@kernel
def carry_over(part, starts, target, positions, new_starts, filled, scratch, out):
    """Merge a part's entries of the rows that are kept into lists that hold other parts' already.

    ``part``, ``scratch`` and ``out`` are tuples of list columns (sketches (C, 3), owner, turn);
    those of ``out`` hold ``filled[n]`` entries of list n from ``new_starts[n]`` on, which grow.
    ``scratch`` is as long as the longest list. ``positions (R,) uint8`` of the new rows. Entries
    lie by finger position, direction and row, and those of one row as they lay.
    """
    sketch, owner, turn = part
    new_sketch, new_owner, new_turn = out
    old_sketch, old_owner, old_turn = scratch
    for n in range(filled.shape[0]):
        first = new_starts[n]
        middle = first + filled[n]
        last = middle
        for e in range(starts[n], starts[n + 1]):
            row = target[owner[e]]
            if row >= 0:
                for w in range(SKETCH_WORDS):
                    new_sketch[last, w] = sketch[e, w]
                new_owner[last] = row
                new_turn[last] = turn[e]
                last += 1
        there = middle - first
        filled[n] = last - first
        if there == 0 or last == middle:
            continue
        for k in range(there):
            for w in range(SKETCH_WORDS):
                old_sketch[k, w] = new_sketch[first + k, w]
            old_owner[k] = new_owner[first + k]
            old_turn[k] = new_turn[first + k]
        k = 0
        e = middle
        at = first
        while k < there:
            before = e == last
            if not before:
                one = positions[old_owner[k]]
                other = positions[new_owner[e]]
                before = one < other
                if one == other:
                    before = old_turn[k] < new_turn[e]
                    if old_turn[k] == new_turn[e]:
                        before = old_owner[k] < new_owner[e]
            if before:
                for w in range(SKETCH_WORDS):
                    new_sketch[at, w] = old_sketch[k, w]
                new_owner[at] = old_owner[k]
                new_turn[at] = old_turn[k]
                k += 1
            else:
                for w in range(SKETCH_WORDS):
                    new_sketch[at, w] = new_sketch[e, w]
                new_owner[at] = new_owner[e]
                new_turn[at] = new_turn[e]
                e += 1
            at += 1
