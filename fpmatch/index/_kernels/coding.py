"""Codes and textures of a row in as few bits as they need: range asymmetric numeral systems.

A minutia is 52 cells in a disc, taken by two that lie side by side: of a code the bits of their six
sections each, of a texture whether each is valid and the signs of cosine and sine. How often a
pair comes is known beforehand, given the cells to its left and above: neighbours repeat each other
(`PairShares`). The pairs of a minutia become one long number (Duda 2013), those of `LANES` minutiae
side by side; where a number has less than 17 bits it takes the next 16 of the row's bytes.

A row's pairs lie there as the first 4 bytes of each lane's number, as many lanes as it has minutiae
but no more than `LANES`, and 16 bits after 16 bits as they are asked for: of the first lanes'
minutiae the codes, then their textures, then those of the next. Pairs of a code that are none of
the 255 most frequent are one number together, after which their 12 bits follow in 16.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.index._kernels.expanding import CODE_BYTES, SPARE, put_word, word_at
from fpmatch.index._kernels.lanes import (
    ALL,
    CODE_BITS,
    LANES,
    LEAST,
    ROWS,
    TEXTURE_BITS,
    WIDE,
    gather_bits,
    take_codes,
    take_textures,
)
from fpmatch.jit import kernel
from fpmatch.parameters import DESCRIPTOR

PLACES = 9 * WIDE + 1
"""Of pairs in the grid: a row above the disc's, and one place on the left of each."""
ESCAPE = 255
"""Number of all pairs of a code that have none of their own."""
CODE_PAIRS = 1 << 12
TEXTURE_PAIRS = 1 << 6
"""Values of a pair. A texture's cell is three bits: valid, cosine, sine."""
CODE_CONTEXTS = 64
TEXTURE_CONTEXTS = 512
STATE = 4
"""Bytes of a lane's first number."""
MOST = STATE * LANES + DESCRIPTOR.max_minutiae * 28 * (2 + 2 + 2)
"""Bytes that the pairs of a row take at most."""
_WORDS = CODE_BYTES // 8
_SPREAD = np.array([0, 1, 8, 9], np.uint64)
"""Two bits, three places apart."""


class PairShares(NamedTuple):
    """What pairs are coded with; see `fpmatch.index.pair_shares`.

    code_slots : (64 * 2048,) uint32, texture_slots : (512 * 512,) uint32
        Of each context and part: whose share it is (8 bits), how large that is (12 bits), how
        many of its parts come before (12 bits).
    code_shares : (64 * 256, 2) uint32, texture_shares : (512 * 64, 2) uint32
        Of each context and number the first part of its share, and how many parts it has.
    pairs : (256,) uint32
        Of each number of a pair of a code its bits; `numbers (4096,) uint8` the other way.
    places : (28,) int64
        Of each pair in the grid.
    halves : (28, 2) int64
        Its cells; -1 where the disc has none.
    cells : (28,) int64
        Its first cell; where the disc has but the second, the one before that.
    """

    code_slots: np.ndarray
    texture_slots: np.ndarray
    code_shares: np.ndarray
    texture_shares: np.ndarray
    pairs: np.ndarray
    numbers: np.ndarray
    places: np.ndarray
    halves: np.ndarray
    cells: np.ndarray


class CodingWork(NamedTuple):
    """Scratch of one thread.

    grid : (PLACES * 32,) uint16
        Its margin is 0.
    numbers : (32,) uint32
    ats, ends : (4,) uint64
    reading : (1,) uint64
    words : (6, 32) uint64
    bytes : (MOST,) uint8
    codes : (40 * 64 + 8,) uint8, texture : (64, 3) uint64
        A row that is to be coded.
    """

    grid: np.ndarray
    numbers: np.ndarray
    ats: np.ndarray
    ends: np.ndarray
    reading: np.ndarray
    words: np.ndarray
    bytes: np.ndarray
    codes: np.ndarray
    texture: np.ndarray


def coding_work() -> CodingWork:
    """What `decode` and `encode` work in."""
    return CodingWork(
        np.zeros(PLACES * ALL, np.uint16),
        np.zeros(ALL, np.uint32),
        np.zeros(ROWS, np.uint64),
        np.zeros(ROWS, np.uint64),
        np.zeros(1, np.uint64),
        np.zeros((_WORDS + 1, ALL), np.uint64),
        np.zeros(MOST, np.uint8),
        np.zeros(CODE_BYTES * DESCRIPTOR.max_minutiae + SPARE, np.uint8),
        np.zeros((DESCRIPTOR.max_minutiae, 3), np.uint64),
    )


@kernel(inner=True)
def _lanes_of(many, done):
    """How many lanes a row has after so many of its minutiae."""
    return min(max(many - done, 0), LANES)


@kernel(inner=True)
def _put_codes(shares, work, todo, done, codes):
    """The codes of the pairs in the grid."""
    grid, words = work.grid, work.words
    words[:] = 0
    every = np.uint64(CODE_PAIRS - 1)
    for pair in range(shares.places.shape[0]):
        place = np.uint64(shares.places[pair] * ALL)
        bit = np.uint64(6 * shares.cells[pair])
        word = bit >> np.uint64(6)
        shift = bit & np.uint64(63)
        gather_bits(words, word, grid, place, np.uint64(0), every, shift)
        if shift > np.uint64(52):
            over = np.uint64(64) - shift
            gather_bits(words, word + np.uint64(1), grid, place, over, every, np.uint64(0))
    for row in range(todo.shape[0]):
        for lane in range(_lanes_of(todo[row, 2], done)):
            to = np.uint64(CODE_BYTES * (todo[row, 3] + done + lane))
            for w in range(_WORDS):
                put_word(words[w, LANES * row + lane], codes, to + np.uint64(8 * w))


@kernel(inner=True)
def _put_textures(shares, work, todo, done, texture):
    """The textures of the pairs in the grid."""
    grid, words = work.grid, work.words
    words[:] = 0
    one, two = np.uint64(1), np.uint64(2)
    for pair in range(shares.places.shape[0]):
        place = np.uint64(shares.places[pair] * ALL)
        shift = np.uint64(shares.cells[pair])
        for bit in range(3):
            word, down = np.uint64((bit + 2) % 3), np.uint64(bit)
            gather_bits(words, word, grid, place, down, one, shift)
            # The second cell's bit lies three higher and belongs one higher.
            gather_bits(words, word, grid, place, down + two, two, shift)
    for row in range(todo.shape[0]):
        for lane in range(_lanes_of(todo[row, 2], done)):
            to = todo[row, 3] + done + lane
            for w in range(3):
                texture[to, w] = words[w, LANES * row + lane]


@kernel(inner=True)
def decode(packed, todo, shares, work, codes, texture):
    """The codes and textures of one to four rows.

    ``todo (1 to 4, 4) int64``: where in ``packed (B,) uint8`` a row's pairs begin and end, how many
    minutiae it has, and which entry is its first of ``codes (40 C,) uint8`` and ``texture (C, 3)
    uint64``. Reads up to 96 bytes past an end, whatever the bytes are.
    """
    grid, numbers, ats, ends, reading = work.grid, work.numbers, work.ats, work.ends, work.reading
    numbers[:] = 0
    ats[:] = 0
    ends[:] = 0
    longest = 0
    for row in range(todo.shape[0]):
        at, end = np.uint64(todo[row, 0]), np.uint64(todo[row, 1])
        for lane in range(_lanes_of(todo[row, 2], 0)):
            numbers[LANES * row + lane] = word_at(packed, at) & np.uint64(0xFFFFFFFF)
            at = min(at + np.uint64(STATE), end)
        ats[row], ends[row] = at, end
        longest = max(longest, todo[row, 2])
    for done in range(0, longest, LANES):
        mask = np.uint64(0)
        for row in range(todo.shape[0]):
            lanes = np.uint64(_lanes_of(todo[row, 2], done))
            some = (np.uint64(1) << lanes) - np.uint64(1)
            mask |= some << np.uint64(LANES * row)
        reading[0] = mask
        take_codes(
            shares.code_slots, shares.pairs, grid, shares.places, packed,
            numbers, ats, ends, reading,
        )  # fmt: skip
        _put_codes(shares, work, todo, done, codes)
        take_textures(
            shares.texture_slots, grid, shares.places, packed, numbers, ats, ends, reading
        )
        _put_textures(shares, work, todo, done, texture)


@kernel(inner=True)
def _see(codes, texture, c, shares, grid, lane, kind):
    """The pairs of a minutia's code (0) or texture (1) into a lane of the grid."""
    places, cells, halves = shares.places, shares.cells, shares.halves
    every = np.uint64(CODE_PAIRS - 1)
    both, three = np.uint64(0b11), np.uint64(3)
    valid, cosine, sine = texture[c, 2], texture[c, 0], texture[c, 1]
    for pair in range(places.shape[0]):
        if kind == 0:
            bit = np.uint64(6 * cells[pair])
            at = np.uint64(CODE_BYTES * c) + (bit >> three)
            value = (word_at(codes, at) >> (bit & np.uint64(7))) & every
            width = np.uint64(6)
        else:
            shift = np.uint64(cells[pair])
            value = _SPREAD[(valid >> shift) & both]
            value |= _SPREAD[(cosine >> shift) & both] << np.uint64(1)
            value |= _SPREAD[(sine >> shift) & both] << np.uint64(2)
            width = three
        # Of a pair of one cell the other's bits are a neighbour's.
        if halves[pair, 0] < 0:
            value = value >> width << width
        if halves[pair, 1] < 0:
            value &= (np.uint64(1) << width) - np.uint64(1)
        grid[places[pair] * ALL + lane] = value


@kernel(inner=True)
def _context(grid, place, kind):
    """What is known of a pair; as in `lanes`."""
    left = np.uint64(grid[place - ALL])
    above = np.uint64(grid[place - WIDE * ALL])
    if kind:
        return ((left & np.uint64(0x38)) << np.uint64(3)) | above
    return (left >> np.uint64(6)) | ((above | (above >> np.uint64(6))) & np.uint64(63))


@kernel(inner=True)
def _put_half(value, out, at):
    """Write 16 bits before `at`; where they begin."""
    out[at - 2] = value & np.uint64(0xFF)
    out[at - 1] = (value >> np.uint64(8)) & np.uint64(0xFF)
    return at - 2


@kernel(inner=True)
def _put(numbers, lane, shares, entry, bits, out, at):
    """Put a pair of this entry of the shares onto a lane's number; where bytes begin."""
    x = np.uint64(numbers[lane])
    first, parts = np.uint64(shares[entry, 0]), np.uint64(shares[entry, 1])
    if x >= (np.uint64(LEAST) >> bits << np.uint64(16)) * parts:
        at = _put_half(x, out, at)
        x >>= np.uint64(16)
    numbers[lane] = (x // parts << bits) + x % parts + first
    return at


@kernel(inner=True)
def encode(codes, texture, many, shares, work):
    """The bytes of the pairs of a row: they end where ``work.bytes`` ends; where they begin.

    ``codes (40 * many or more,) uint8``, ``texture (many or more, 3) uint64``. What is taken last
    is put first.
    """
    grid, numbers, out, places = work.grid, work.numbers, work.bytes, shares.places
    pairs, textures = shares.code_shares, shares.texture_shares
    at = out.shape[0]
    numbers[:] = LEAST
    done = LANES * ((many + LANES - 1) // LANES)
    while done > 0:
        done -= LANES
        lanes = _lanes_of(many, done)
        for kind in (1, 0):
            for lane in range(lanes):
                _see(codes, texture, done + lane, shares, grid, lane, kind)
            for pair in range(places.shape[0] - 1, -1, -1):
                first = places[pair] * ALL
                if kind == 0:
                    for lane in range(lanes - 1, -1, -1):
                        value = np.uint64(grid[first + lane])
                        if shares.numbers[value] == ESCAPE:
                            at = _put_half(value, out, at)
                for lane in range(lanes - 1, -1, -1):
                    given = _context(grid, first + lane, kind)
                    value = np.uint64(grid[first + lane])
                    if kind:
                        entry = given * np.uint64(TEXTURE_PAIRS) + value
                        at = _put(numbers, lane, textures, entry, np.uint64(TEXTURE_BITS), out, at)
                    else:
                        number = np.uint64(shares.numbers[value])
                        entry = given * np.uint64(256) + number
                        at = _put(numbers, lane, pairs, entry, np.uint64(CODE_BITS), out, at)
    for lane in range(_lanes_of(many, 0) - 1, -1, -1):
        x = np.uint64(numbers[lane])
        at = _put_half(x & np.uint64(0xFFFF), out, _put_half(x >> np.uint64(16), out, at))
    return at
