"""Pairs of cells of 32 minutiae at once: what loops of vector code cannot say, written for LLVM.

Any machine runs it; one with AVX-512 has an instruction for most of it. Without compilation plain
Python does the same. The minutiae are of four rows, eight of each, so that a machine has other
pairs to work on while some are looked up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, spread

LANES = 8
"""Minutiae of a row at a time."""
ROWS = 4
"""Rows at a time."""
ALL = ROWS * LANES
WIDE = 5
"""Pairs in a row of the grid, with its margin."""
CODE_BITS = 11
"""A share of a code's pairs is so many parts of 2048."""
TEXTURE_BITS = 9
"""Of a texture's of 512."""
LEAST = 1 << 16
"""A lane's number is never less, between pairs."""
OTHER = 0xFFFF
"""In place of a pair that has no number of its own."""
PAIR = 0xFFF
"""Bits of such a pair."""


def _take(
    kind: int, slots: Any, pairs: Any, grid: Any, places: Any, packed: Any,
    numbers: Any, ats: Any, ends: Any, reading: Any,
) -> None:  # fmt: skip
    """Both ways, in plain Python."""
    bits = (CODE_BITS, TEXTURE_BITS)[kind]

    def word(lane: int) -> int:
        row = lane // LANES
        at = int(ats[row])
        ats[row] = at + 2
        return int(packed[at]) | int(packed[at + 1]) << 8

    for place in places:
        lacking = []
        values = []
        for lane in range(ALL):
            first = int(place) * ALL + lane
            left, above = (int(grid[first - back]) for back in (ALL, WIDE * ALL))
            given = (left & 0x38) << 3 | above if kind else left >> 6 | (above | above >> 6) & 63
            x = int(numbers[lane])
            slot = int(slots[given << bits | x & (1 << bits) - 1])
            x = (slot >> 8 & PAIR) * (x >> bits) + (slot >> 20)
            reads = int(reading[0]) >> lane & 1
            if x < LEAST and reads:
                x = x << 16 | word(lane)
            numbers[lane] = x
            values.append(slot & 255 if kind else int(pairs[slot & 255]))
            lacking.append(reads)
        for lane, value in enumerate(values):
            if value == OTHER:
                value = word(lane) & PAIR if lacking[lane] else 0
            grid[int(place) * ALL + lane] = value
        ats[:] = np.minimum(ats, ends)


def take_codes(
    slots: Any, pairs: Any, grid: Any, places: Any, packed: Any,
    numbers: Any, ats: Any, ends: Any, reading: Any,
) -> None:  # fmt: skip
    """Take the pairs of codes off the lanes' numbers.

    ``slots`` and ``pairs (256,)`` are uint32, as in `PairShares`; the pairs go to the `places` of
    ``grid (46 * 32,) uint16``, whose margin is 0. ``packed (B,) uint8`` are the rows' bytes,
    ``ats (4,) uint64`` where each row's go on, ``ends (4,) uint64`` where they end; ``numbers (32,)
    uint32``. Bit k of ``reading (1,) uint64`` says that lane k has a minutia.
    """
    _take(0, slots, pairs, grid, places, packed, numbers, ats, ends, reading)


def take_textures(
    slots: Any, grid: Any, places: Any, packed: Any, numbers: Any, ats: Any, ends: Any, reading: Any
) -> None:
    """The same of textures, whose pairs are their own numbers."""
    _take(1, slots, None, grid, places, packed, numbers, ats, ends, reading)


def gather_bits(words: Any, row: Any, grid: Any, place: Any, down: Any, most: Any, up: Any) -> None:
    """Of each lane's pair the bits ``(pair >> down) & most``, moved up by `up`, into its word.

    Row `row` of ``words (W, 32) uint64``, the pairs from `place` on; all numbers are uint64.
    """
    for lane in range(ALL):
        value = (int(grid[int(place) + lane]) >> int(down) & int(most)) << int(up)
        words[int(row), lane] |= np.uint64(value & (1 << 64) - 1)


class _Lanes:
    """Vectors of 32 numbers of 32 bits, as they are written for LLVM."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        from llvmlite import ir

        self.context, self.builder, self.ir = context, builder, ir
        self.kinds, self.args = signature.args, args
        self.word, self.lane, self.short = ir.IntType(64), ir.IntType(32), ir.IntType(16)
        self.vector = ir.VectorType(self.lane, ALL)
        self.shorts = ir.VectorType(self.short, ALL)
        self.half = ir.VectorType(self.short, LANES)
        self.flags = ir.VectorType(ir.IntType(1), ALL)

    def number(self, value: int) -> Any:
        return self.ir.Constant(self.vector, [value] * ALL)

    def call(self, name: str, result: Any, *args: Any) -> Any:
        from numba.core import cgutils

        form = self.ir.FunctionType(result, [arg.type for arg in args])
        made = cgutils.get_or_insert_function(self.builder.module, form, name)
        return self.builder.call(made, args)

    def address(self, which: int, index: Any, of: Any) -> Any:
        kind, array = self.kinds[which], self.args[which]
        return address_of(self.context, self.builder, kind, array, index, of)

    def gather(self, which: int, index: Any) -> Any:
        """Numbers of an array of 32 bits each."""
        builder = self.builder
        found = self.number(0)
        for lane in range(ALL):
            at = builder.zext(builder.extract_element(index, self.lane(lane)), self.word)
            one = builder.load(self.address(which, at, None))
            found = builder.insert_element(found, one, self.lane(lane))
        return found

    def read(self, which: int, ats: list[Any], wanted: Any) -> Any:
        """The next 16 bits of each row for each of its lanes that wants them; `ats` move on."""
        builder, ir = self.builder, self.ir
        parts = []
        for row in range(ROWS):
            lanes = ir.Constant(
                ir.VectorType(self.lane, LANES), list(range(LANES * row, LANES * (row + 1)))
            )
            mine = builder.shuffle_vector(wanted, wanted, lanes)
            at = builder.load(ats[row])
            none = ir.Constant(self.half, [0] * LANES)
            where = self.address(which, at, self.short)
            name = f"llvm.masked.expandload.v{LANES}i16"
            parts.append(self.call(name, self.half, where, mine, none))
            mask = builder.zext(builder.bitcast(mine, ir.IntType(LANES)), self.word)
            taken = self.call("llvm.ctpop.i64", self.word, mask)
            builder.store(builder.add(at, builder.shl(taken, self.word(1))), ats[row])
        while len(parts) > 1:
            long = 2 * parts[0].type.count
            order = ir.Constant(ir.VectorType(self.lane, long), list(range(long)))
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [builder.shuffle_vector(one, other, order) for one, other in pairs]
        return builder.zext(parts[0], self.vector)


def _write(kind: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """The loop of `take_codes` (0) or `take_textures` (1)."""
    from numba.core import cgutils

    v = _Lanes(context, builder, signature, args)
    slots, grid, places, packed = (0, 2, 3, 4) if kind == 0 else (0, 1, 2, 3)
    numbers, at, end, read = range(packed + 1, packed + 5)
    bits = (CODE_BITS, TEXTURE_BITS)[kind]
    to = v.address(numbers, v.word(0), v.vector)
    held = cgutils.alloca_once_value(builder, builder.load(to, align=4))
    ats = [
        cgutils.alloca_once_value(builder, builder.load(v.address(at, v.word(row), v.word)))
        for row in range(ROWS)
    ]
    ends = [builder.load(v.address(end, v.word(row), v.word)) for row in range(ROWS)]
    mask = builder.load(v.address(read, v.word(0), v.word))
    reading = builder.bitcast(builder.trunc(mask, v.ir.IntType(ALL)), v.flags)
    with cgutils.for_range(builder, v.word(28)) as loop:
        place = builder.mul(builder.load(v.address(places, loop.index, v.word)), v.word(ALL))

        def pairs_at(back: int, place: Any = place) -> Any:
            found = v.address(grid, builder.sub(place, v.word(back)), v.shorts)
            return builder.zext(builder.load(found, align=2), v.vector)

        left, above = pairs_at(ALL), pairs_at(WIDE * ALL)
        if kind:
            beside = builder.shl(builder.and_(left, v.number(0x38)), v.number(3))
            given = builder.or_(beside, above)
        else:
            both = builder.or_(above, builder.lshr(above, v.number(6)))
            given = builder.or_(builder.lshr(left, v.number(6)), builder.and_(both, v.number(63)))
        x = builder.load(held)
        part = builder.and_(x, v.number((1 << bits) - 1))
        slot = v.gather(slots, builder.or_(builder.shl(given, v.number(bits)), part))
        size = builder.and_(builder.lshr(slot, v.number(8)), v.number(PAIR))
        x = builder.mul(size, builder.lshr(x, v.number(bits)))
        x = builder.add(x, builder.lshr(slot, v.number(20)))
        lacking = builder.and_(builder.icmp_unsigned("<", x, v.number(LEAST)), reading)
        longer = builder.or_(builder.shl(x, v.number(16)), v.read(packed, ats, lacking))
        builder.store(builder.select(lacking, longer, x), held)
        value = builder.and_(slot, v.number(255))
        where = v.address(grid, place, v.shorts)
        if kind:
            builder.store(builder.trunc(value, v.shorts), where, align=2)
        else:
            value = v.gather(1, value)
            builder.store(builder.trunc(value, v.shorts), where, align=2)
            other = builder.icmp_unsigned("==", value, v.number(OTHER))
            found = builder.bitcast(other, v.ir.IntType(ALL))
            some = builder.icmp_unsigned("!=", found, found.type(0))
            with builder.if_then(some, likely=False):
                asked = v.read(packed, ats, builder.and_(other, reading))
                value = builder.select(other, builder.and_(asked, v.number(PAIR)), value)
                builder.store(builder.trunc(value, v.shorts), where, align=2)
        for row in range(ROWS):
            now = builder.load(ats[row])
            over = builder.icmp_unsigned(">", now, ends[row])
            builder.store(builder.select(over, ends[row], now), ats[row])
    builder.store(builder.load(held), to, align=4)
    for row in range(ROWS):
        builder.store(builder.load(ats[row]), v.address(at, v.word(row), v.word))
    return context.get_dummy_value()


def _take_codes() -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def take_codes(
        typingctx: Any, slots: Any, pairs: Any, grid: Any, places: Any, packed: Any,
        numbers: Any, ats: Any, ends: Any, reading: Any,
    ) -> Any:  # fmt: skip
        arrays = (slots, pairs, grid, places, packed, numbers, ats, ends, reading)
        return types.void(*arrays), lambda *given: _write(0, *given)

    return take_codes


def _take_textures() -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def take_textures(
        typingctx: Any, slots: Any, grid: Any, places: Any, packed: Any,
        numbers: Any, ats: Any, ends: Any, reading: Any,
    ) -> Any:  # fmt: skip
        arrays = (slots, grid, places, packed, numbers, ats, ends, reading)
        return types.void(*arrays), lambda *given: _write(1, *given)

    return take_textures


def _gather_bits() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def gather_bits(
        typingctx: Any, words: Any, row: Any, grid: Any, place: Any, down: Any, most: Any, up: Any
    ) -> Any:
        number = types.uint64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            word, short = ir.IntType(64), ir.IntType(16)
            vector, shorts = ir.VectorType(word, ALL), ir.VectorType(short, ALL)
            first = builder.mul(args[1], word(ALL))
            to = address_of(context, builder, signature.args[0], args[0], first, vector)
            held = address_of(context, builder, signature.args[2], args[2], args[3], shorts)
            value = builder.zext(builder.load(held, align=2), vector)
            value = builder.lshr(value, spread(builder, args[4], vector))
            value = builder.and_(value, spread(builder, args[5], vector))
            value = builder.shl(value, spread(builder, args[6], vector))
            builder.store(builder.or_(builder.load(to, align=8), value), to, align=8)
            return context.get_dummy_value()

        return types.void(words, number, grid, number, number, number, number), codegen

    return gather_bits


if jit_enabled():
    take_codes = Lazy(_take_codes, take_codes)  # type: ignore[assignment]
    take_textures = Lazy(_take_textures, take_textures)  # type: ignore[assignment]
    gather_bits = Lazy(_gather_bits, gather_bits)  # type: ignore[assignment]
