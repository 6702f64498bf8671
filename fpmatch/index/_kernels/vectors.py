"""Sixteen distances at once: what loops of vector code cannot say, written for LLVM.

Any machine runs it; one with 512-bit vectors and their population count takes some twenty
instructions for sixteen distances of sketches. Without compilation plain Python does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.descriptor._kernels import SKETCH_BITS
from fpmatch.index._kernels.bits import SKETCH_WORDS, popcount
from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, spread

LANES = 16
"""Distances at once."""


def near_ones(sketches: Any, at: Any, q0: Any, q1: Any, q2: Any, most: Any) -> Any:
    """Which of the entries ``at..at + 15`` are near a sketch: bit k of the answer is entry k's.

    ``sketches (C, 3) uint32``, at least sixteen from `at` on; near is a distance up to `most`. The
    words are uint32, the other numbers uint64.
    """
    bits = 0
    for k in range(LANES):
        words = zip(sketches[int(at) + k], (q0, q1, q2), strict=True)
        apart = sum((int(one) ^ int(other)).bit_count() for one, other in words)
        bits |= int(apart <= int(most)) << k
    return np.uint64(bits)


def meet(soa: Any, first: Any, held: Any, at: Any, low: Any, high: Any, best: Any) -> None:
    """Lower ``best[first:first + 16]`` to the distances of a sketch to the columns of that number.

    ``soa (3, L) uint32`` holds sketches in columns; the other is in the twelve bytes from `at` on
    of ``held (B,) uint8``. ``best (L,) uint32``; only columns from `low` to ``high - 1`` count.
    All numbers are uint64.
    """
    words = held[int(at) : int(at) + 4 * SKETCH_WORDS].view("<u4")
    for n in range(int(first), int(first) + LANES):
        if low <= n < high:
            apart = sum(int(popcount(soa[w, n] ^ words[w])) for w in range(SKETCH_WORDS))
            best[n] = min(int(best[n]), apart)


class _Vectors:
    """What both intrinsics write: vectors of sixteen 32-bit numbers."""

    def __init__(self, context: Any, builder: Any) -> None:
        from llvmlite import ir

        self._context, self._builder, self._ir = context, builder, ir
        self.word, self.lane = ir.IntType(64), ir.IntType(32)
        self.vector = ir.VectorType(self.lane, LANES)

    def call(self, name: str, *args: Any) -> Any:
        """An intrinsic of LLVM whose arguments and result are one kind of vector."""
        from numba.core import cgutils

        kind = args[0].type
        form = self._ir.FunctionType(kind, [kind] * len(args))
        full = f"llvm.{name}.v{kind.count}i32"
        return self._builder.call(
            cgutils.get_or_insert_function(self._builder.module, form, full), args
        )

    def spread(self, value: Any) -> Any:
        """A vector that repeats a number; of one of 64 bits the lower half."""
        if value.type == self.word:
            value = self._builder.trunc(value, self.lane)
        return spread(self._builder, value, self.vector)

    def pick(self, one: Any, other: Any, lanes: list[int]) -> Any:
        """Some lanes of two vectors, which are counted through."""
        kind = self._ir.VectorType(self.lane, len(lanes))
        return self._builder.shuffle_vector(one, other, self._ir.Constant(kind, lanes))

    def constant(self, values: list[int]) -> Any:
        return self._ir.Constant(self.vector, values)

    def data(self, kind: Any, array: Any, at: Any) -> Any:
        """Address of the number of this place in an array without gaps."""
        return address_of(self._context, self._builder, kind, array, at)

    def load(self, address: Any) -> Any:
        wide = self._builder.bitcast(address, self.vector.as_pointer())
        return self._builder.load(wide, align=4)

    def store(self, vector: Any, address: Any) -> None:
        wide = self._builder.bitcast(address, vector.type.as_pointer())
        self._builder.store(vector, wide, align=4)


def _near_ones() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def near_ones(
        typingctx: Any, sketches: Any, at: Any, q0: Any, q1: Any, q2: Any, most: Any
    ) -> Any:
        number, half = types.uint64, types.uint32

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            v = _Vectors(context, builder)
            first = builder.mul(args[1], v.word(SKETCH_WORDS))
            loaded = [
                v.load(v.data(signature.args[0], args[0], builder.add(first, v.word(LANES * k))))
                for k in range(SKETCH_WORDS)
            ]
            # Three words of an entry lie together: every third, of three vectors.
            start = v.pick(loaded[0], loaded[1], list(range(2 * LANES)))
            rest = v.pick(loaded[2], loaded[2], list(range(2 * LANES)))
            total = v.constant([0] * LANES)
            for w, code in enumerate(args[2:5]):
                words = v.pick(start, rest, list(range(w, SKETCH_WORDS * LANES, SKETCH_WORDS)))
                apart = v.call("ctpop", builder.xor(words, v.spread(code)))
                total = builder.add(total, apart)
            close = builder.icmp_unsigned("<=", total, v.spread(args[5]))
            return builder.zext(builder.bitcast(close, ir.IntType(LANES)), v.word)

        return number(sketches, number, half, half, half, number), codegen

    return near_ones


def _meet() -> Any:
    from numba.core import cgutils, types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    @intrinsic
    def meet(
        typingctx: Any, soa: Any, first: Any, held: Any, at: Any, low: Any, high: Any, best: Any
    ) -> Any:
        number = types.uint64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            v = _Vectors(context, builder)
            kinds = signature.args
            columns = arrayobj.make_array(kinds[0])(context, builder, args[0])
            length = cgutils.unpack_tuple(builder, columns.shape, 2)[1]
            total = v.constant([0] * LANES)
            for w in range(SKETCH_WORDS):
                address = v.data(kinds[2], args[2], builder.add(args[3], v.word(4 * w)))
                word = builder.bitcast(address, v.lane.as_pointer())
                code = builder.load(word, align=1)
                place = builder.add(builder.mul(length, v.word(w)), args[1])
                words = v.load(v.data(kinds[0], args[0], place))
                apart = v.call("ctpop", builder.xor(words, v.spread(code)))
                total = builder.add(total, apart)
            lane = builder.add(v.spread(args[1]), v.constant(list(range(LANES))))
            inside = builder.and_(
                builder.icmp_unsigned(">=", lane, v.spread(args[4])),
                builder.icmp_unsigned("<", lane, v.spread(args[5])),
            )
            total = builder.select(inside, total, v.constant([SKETCH_BITS] * LANES))
            there = v.data(kinds[6], args[6], args[1])
            v.store(v.call("umin", v.load(there), total), there)
            return context.get_dummy_value()

        return types.void(soa, number, held, number, number, number, best), codegen

    return meet


if jit_enabled():
    near_ones = Lazy(_near_ones, near_ones)  # type: ignore[assignment]
    meet = Lazy(_meet, meet)  # type: ignore[assignment]
