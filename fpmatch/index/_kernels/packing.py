"""Rows without what need not be stored: packed, unpacked, coded, carried over.

The bytes of a row of M minutiae, one after the other::

    1        how it lies: 1 where positions have 16 bits and not 12, 2 where texture is plain, 4
             where there are sketches (segments of version 3 had none), 8 where it is coded
    M        directions
    12 M     sketches

and, unless it is coded::

    5 M      of each code, which of its 40 bytes are not 0 (bit b for byte b)
    ..       those bytes
    3 M      positions: the 12 bits of x, then those of y (4 M where they have 16 bits)
    7 M      of each texture, which of its cells are valid (bit c for cell c)
    ..       of each, the bits of those cells of the first word, then of the second; whole bytes
             (24 M where texture is plain: its three words)

A coded row, which takes two thirds of that and some ten times as long to read, has its positions,
then codes and textures as `coding` has them. Large segments hold such rows.

Nothing is lost: positions have 16 bits where a row has one that does not fit into 12, and texture
is plain where a row has bits of cells that are not valid, or more than 52 cells. The array ends
with `PADDING` zeros, so that nothing that a row may say leads out of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels.bits import SKETCH_WORDS, popcount, prefetch
from fpmatch.index._kernels.coding import decode, encode
from fpmatch.index._kernels.expanding import CODE_BYTES, expand, put_word, word_at
from fpmatch.index._kernels.lanes import ROWS
from fpmatch.jit import kernel
from fpmatch.parameters import DESCRIPTOR

LINE = 64
"""Bytes of memory that come together."""
WIDE = 1
PLAIN = 2
SKETCHED = 4
CODED = 8
SKETCH = 4 * SKETCH_WORDS
"""Bytes of a sketch."""
_MASK = 5
_CELLS = 7
_TEXTURE = 24
PADDING = 64 + DESCRIPTOR.max_minutiae * (1 + SKETCH + _MASK + CODE_BYTES + 4 + _TEXTURE)
"""Zeros after the last row: more than any row takes."""
_CELL_BITS = np.uint64((1 << 52) - 1)
_MASK_BITS = np.uint64((1 << 40) - 1)


def _moved() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(256, 256) uint8 twice: the lowest bits of the second number, put at the set bits of the
    first; and its bits that are there, put together."""
    mask = np.arange(256)[:, None]
    value = np.arange(256)[None, :]
    scattered, gathered = np.zeros((2, 256, 256), np.int64)
    taken = np.zeros((256, 1), np.int64)
    for bit in range(8):
        there = mask >> bit & 1
        scattered |= (value >> taken & there) << bit
        gathered |= (value >> bit & there) << taken
        taken += there
    return scattered.astype(np.uint8), gathered.astype(np.uint8)


SCATTERED, GATHERED = _moved()


@kernel
def row_sizes(codes, texture, x, y, offsets, sizes):
    """Bytes that each row takes: ``sizes (N,) int64``."""
    for r in range(sizes.shape[0]):
        first = offsets[r]
        last = offsets[r + 1]
        many = last - first
        how, valid = _how(texture, x, y, first, last)
        size = 1 + many * (1 + SKETCH + _MASK + (4 if how & WIDE else 3))
        for c in range(first, last):
            for b in range(CODE_BYTES):
                size += np.int64(codes[c, b] != 0)
        if how & PLAIN:
            size += _TEXTURE * many
        else:
            size += valid + _CELLS * many
        sizes[r] = size


@kernel(inner=True)
def _how(texture, x, y, first, last):
    """How a row lies, and the bytes of the bits of its valid cells."""
    how = np.int64(0)
    size = np.int64(0)
    for c in range(first, last):
        if x[c] > 4095 or y[c] > 4095:
            how |= WIDE
        valid = texture[c, 2]
        if (texture[c, 0] | texture[c, 1]) & ~valid != 0 or valid & ~_CELL_BITS != 0:
            how |= PLAIN
        size += (2 * np.int64(popcount(valid)) + 7) >> 3
    return how, size


@kernel
def pack_rows(columns, sketches, offsets, starts, out):
    """Pack rows: ``out (B,) uint8`` gets row r from ``starts[r] (int64)`` on, as `row_sizes` says.

    ``columns`` is (codes (C, 40) uint8, texture (C, 3) uint64, x, y, angle); ``sketches (C, 12)
    uint8``.
    """
    codes, texture, x, y, angle = columns
    byte = np.uint64(0xFF)
    for r in range(offsets.shape[0] - 1):
        first = offsets[r]
        last = offsets[r + 1]
        many = last - first
        at = starts[r]
        how, _ = _how(texture, x, y, first, last)
        out[at] = how | SKETCHED
        at += 1
        for k in range(many):
            out[at + k] = angle[first + k]
            for b in range(SKETCH):
                out[at + many + SKETCH * k + b] = sketches[first + k, b]
        at += (1 + SKETCH) * many
        body = at + _MASK * many
        for k in range(many):
            c = first + k
            mask = np.uint64(0)
            for b in range(CODE_BYTES):
                value = codes[c, b]
                out[body] = value
                body += np.int64(value != 0)
                mask |= np.uint64(value != 0) << np.uint64(b)
            for b in range(_MASK):
                out[at + _MASK * k + b] = (mask >> np.uint64(8 * b)) & byte
        at = body
        for c in range(first, last):
            place = (np.uint64(y[c]) << np.uint64(16)) | np.uint64(x[c])
            many_bytes = 4
            if how & WIDE == 0:
                place = (np.uint64(y[c]) << np.uint64(12)) | np.uint64(x[c])
                many_bytes = 3
            for b in range(many_bytes):
                out[at + b] = (place >> np.uint64(8 * b)) & byte
            at += many_bytes
        if how & PLAIN:
            for c in range(first, last):
                for w in range(3):
                    put_word(texture[c, w], out, np.uint64(at))
                    at += 8
            continue
        for c in range(first, last):
            for b in range(_CELLS):
                out[at + b] = (texture[c, 2] >> np.uint64(8 * b)) & byte
            at += _CELLS
        for c in range(first, last):
            one = np.uint64(0)
            two = np.uint64(0)
            taken = np.uint64(0)
            for b in range(_CELLS):
                shift = np.uint64(8 * b)
                cells = (texture[c, 2] >> shift) & byte
                one |= np.uint64(GATHERED[cells, (texture[c, 0] >> shift) & byte]) << taken
                two |= np.uint64(GATHERED[cells, (texture[c, 1] >> shift) & byte]) << taken
                taken += popcount(cells)
            both = np.int64(taken)
            # The first word's bits end within a byte, where those of the second go on.
            for b in range((2 * both + 7) >> 3):
                bit = 8 * b
                value = np.uint64(0)
                if bit < both:
                    value = one >> np.uint64(bit)
                if bit + 8 > both:
                    if bit >= both:
                        value |= two >> np.uint64(bit - both)
                    else:
                        value |= two << np.uint64(both - bit)
                out[at + b] = value & byte
            at += (2 * both + 7) >> 3


@kernel(inner=True)
def unpack_codes(packed, place, many, out, to):
    """The codes of a row into ``out[to:to + 40 * many] (uint8)``, `SPARE` longer; where they end.

    ``packed (B,) uint8``; which of their bytes are not 0 is from `place` on. All numbers are
    uint64.
    """
    at = place + np.uint64(_MASK) * many
    for _ in range(many):
        mask = word_at(packed, place) & _MASK_BITS
        expand(packed, at, mask, out, to)
        at += popcount(mask)
        place += np.uint64(_MASK)
        to += np.uint64(CODE_BYTES)
    return at


@kernel(inner=True)
def _unpack_positions(packed, at, how, first, many, x, y):
    """The positions of a row; where they end."""
    low, high, size = np.uint64(0xFFF), np.uint64(12), np.uint64(3)
    if how & WIDE:
        low, high, size = np.uint64(0xFFFF), np.uint64(16), np.uint64(4)
    for c in range(first, first + many):
        place = word_at(packed, at)
        x[c] = place & low
        y[c] = (place >> high) & low
        at += size
    return at


@kernel(inner=True)
def _unpack_textures(packed, at, how, first, many, texture):
    """The textures of a row that is not coded."""
    byte = np.uint64(0xFF)
    if how & PLAIN:
        for c in range(first, first + many):
            for w in range(3):
                texture[c, w] = word_at(packed, at)
                at += np.uint64(8)
        return
    cells_at = at
    at += np.uint64(_CELLS) * np.uint64(many)
    for c in range(first, first + many):
        valid = word_at(packed, cells_at) & _CELL_BITS
        cells_at += np.uint64(_CELLS)
        both = popcount(valid)
        one = word_at(packed, at)
        two = word_at(packed, at + (both >> np.uint64(3))) >> (both & np.uint64(7))
        at += (both + both + np.uint64(7)) >> np.uint64(3)
        texture[c, 2] = valid
        first_word = np.uint64(0)
        second_word = np.uint64(0)
        for b in range(_CELLS):
            shift = np.uint64(8 * b)
            cells = (valid >> shift) & byte
            first_word |= np.uint64(SCATTERED[cells, one & byte]) << shift
            second_word |= np.uint64(SCATTERED[cells, two & byte]) << shift
            one >>= popcount(cells)
            two >>= popcount(cells)
        texture[c, 0] = first_word
        texture[c, 1] = second_word


@kernel
def unpack_rows(packed, starts, offsets, rows, new, columns, shares, work, todo):
    """Unpack some rows: row ``rows[k]`` to the entries from ``new[k]`` on of the columns.

    ``columns`` is (codes (40 C,) uint8, texture (C, 3) uint64, x, y, angle), each one entry longer
    than the entries; ``todo (K, 4) int64`` is scratch. Rows that are coded
    are read four at a time, best of one length.
    """
    codes, texture, x, y, angle = columns
    coded = 0
    for k in range(rows.shape[0]):
        if k + 1 < rows.shape[0]:
            for ahead in range(starts[rows[k + 1]], starts[rows[k + 1] + 1], LINE):
                prefetch(packed, ahead)
        many = offsets[rows[k] + 1] - offsets[rows[k]]
        start = np.uint64(starts[rows[k]])
        how = np.int64(packed[start])
        first = new[k]
        for n in range(many):
            angle[first + n] = packed[start + np.uint64(1 + n)]
        at = start + np.uint64(1 + many)
        if how & SKETCHED:
            at += np.uint64(SKETCH * many)
        if how & CODED:
            at = _unpack_positions(packed, at, how, first, many, x, y)
            todo[coded, 0], todo[coded, 1] = np.int64(at), starts[rows[k] + 1]
            todo[coded, 2], todo[coded, 3] = many, first
            coded += 1
            continue
        at = unpack_codes(packed, at, np.uint64(many), codes, np.uint64(CODE_BYTES * first))
        at = _unpack_positions(packed, at, how, first, many, x, y)
        _unpack_textures(packed, at, how, first, many, texture)
    for k in range(0, coded, ROWS):
        decode(packed, todo[k : min(k + ROWS, coded)], shares, work, codes, texture)


@kernel
def code_rows(packed, starts, offsets, rows, wanted, shares, work, new_starts, out):
    """Code some rows, ``rows[k]`` to ``out[new_starts[k]:new_starts[k + 1]] (uint8)``.

    Rows that are not ``wanted (K,) bool``, are coded already, cannot be or would not get shorter
    are copied. ``new_starts (K + 1,) int64`` is filled, all but the first.
    """
    codes, texture = work.codes, work.texture
    for k in range(rows.shape[0]):
        many = offsets[rows[k] + 1] - offsets[rows[k]]
        first, last = starts[rows[k]], starts[rows[k] + 1]
        to = new_starts[k]
        how = np.int64(packed[first])
        head = 1 + (1 + SKETCH) * many
        if wanted[k] and how & (CODED | PLAIN | SKETCHED) == SKETCHED:
            at = np.uint64(first + head)
            at = unpack_codes(packed, at, np.uint64(many), codes, np.uint64(0))
            wide = many * (4 if how & WIDE else 3)
            _unpack_textures(packed, at + np.uint64(wide), how, 0, many, texture)
            whole = True
            for n in range(many):
                # What lies after the last cell has no pair.
                whole = whole and codes[CODE_BYTES * (n + 1) - 1] == 0
            begin = encode(codes, texture, many, shares, work) if whole else 0
            size = work.bytes.shape[0] - begin
            if whole and head + wide + size < last - first:
                out[to] = how | CODED
                for b in range(1, head):
                    out[to + b] = packed[first + b]
                to += head
                for b in range(wide):
                    out[to + b] = packed[np.int64(at) + b]
                to += wide
                for b in range(size):
                    out[to + b] = work.bytes[begin + b]
                new_starts[k + 1] = to + size
                continue
        for b in range(last - first):
            out[to + b] = packed[first + b]
        new_starts[k + 1] = to + last - first


@kernel
def copy_rows(packed, starts, rows, new_starts, new_rows, out):
    """Copy the bytes of rows ``rows[k]`` to those of the rows ``new_rows[k]`` of another part."""
    for k in range(rows.shape[0]):
        at = new_starts[new_rows[k]]
        for b in range(starts[rows[k]], starts[rows[k] + 1]):
            out[at] = packed[b]
            at += 1
