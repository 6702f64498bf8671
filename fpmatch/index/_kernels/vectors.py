"""Eight distances at once: what loops of vector code cannot say, written for LLVM.

Any machine runs it; one with 512-bit vectors and their population count takes some twenty
instructions for eight distances of folded codes. Without compilation plain Python does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.index._kernels.bits import BITS, WORDS, popcount
from fpmatch.jit import Lazy, jit_enabled

LANES = 8
"""Distances at once."""


def near_ones(folds: Any, at: Any, q0: Any, q1: Any, most: Any) -> Any:
    """Which of the entries ``at..at + 7`` are near a folded code: bit k of the answer is entry k's.

    ``folds (C, 2) uint64``, at least eight from `at` on; near is a distance up to `most`. All
    numbers are uint64.
    """
    bits = 0
    for k in range(LANES):
        one, other = folds[at + k]
        bits |= int(int(popcount(one ^ q0)) + int(popcount(other ^ q1)) <= int(most)) << k
    return np.uint64(bits)


def meet(soa: Any, first: Any, codes: Any, c: Any, low: Any, high: Any, best: Any) -> None:
    """Lower ``best[first:first + 8]`` to the distances of code c to the columns of that number.

    ``soa (5, L) uint64`` holds codes in columns, ``codes (C, 5) uint64`` in rows, ``best (L,)
    uint64``; only columns from `low` to ``high - 1`` count. All numbers are uint64.
    """
    for n in range(int(first), int(first) + LANES):
        if low <= n < high:
            apart = sum(int(popcount(soa[w, n] ^ codes[c, w])) for w in range(WORDS))
            best[n] = min(int(best[n]), apart)


class _Vectors:
    """What both intrinsics write: vectors of 64-bit numbers."""

    def __init__(self, context: Any, builder: Any) -> None:
        from llvmlite import ir

        self._context, self._builder, self._ir = context, builder, ir
        self.word = ir.IntType(64)

    def of(self, lanes: int) -> Any:
        return self._ir.VectorType(self.word, lanes)

    def call(self, name: str, *args: Any) -> Any:
        """An intrinsic of LLVM whose arguments and result are one kind of vector."""
        from numba.core import cgutils

        kind = args[0].type
        form = self._ir.FunctionType(kind, [kind] * len(args))
        full = f"llvm.{name}.v{kind.count}i64"
        return self._builder.call(
            cgutils.get_or_insert_function(self._builder.module, form, full), args
        )

    def spread(self, values: Any, lanes: int) -> Any:
        """A vector that repeats one or two numbers."""
        small = self.of(len(values))
        short = self._ir.Constant(small, self._ir.Undefined)
        for k, value in enumerate(values):
            short = self._builder.insert_element(short, value, self._ir.IntType(32)(k))
        return self.pick(short, [k % len(values) for k in range(lanes)])

    def pick(self, vector: Any, lanes: list[int]) -> Any:
        """Some lanes of a vector."""
        kind = self._ir.VectorType(self._ir.IntType(32), len(lanes))
        return self._builder.shuffle_vector(vector, vector, self._ir.Constant(kind, lanes))

    def constant(self, values: list[int]) -> Any:
        return self._ir.Constant(self.of(len(values)), values)

    def data(self, kind: Any, array: Any, at: Any) -> Any:
        """Address of the number of this place in an array without gaps."""
        from numba.np import arrayobj

        view = arrayobj.make_array(kind)(self._context, self._builder, array)
        return self._builder.gep(view.data, [at])

    def load(self, address: Any, lanes: int) -> Any:
        wide = self._builder.bitcast(address, self.of(lanes).as_pointer())
        return self._builder.load(wide, align=8)

    def store(self, vector: Any, address: Any) -> None:
        wide = self._builder.bitcast(address, vector.type.as_pointer())
        self._builder.store(vector, wide, align=8)


def _near_ones() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def near_ones(typingctx: Any, folds: Any, at: Any, q0: Any, q1: Any, most: Any) -> Any:
        number = types.uint64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            v = _Vectors(context, builder)
            place = builder.mul(args[1], v.word(2))
            words = v.load(v.data(signature.args[0], args[0], place), 2 * LANES)
            apart = v.call("ctpop", builder.xor(words, v.spread(args[2:4], 2 * LANES)))
            total = builder.add(
                v.pick(apart, list(range(0, 2 * LANES, 2))),
                v.pick(apart, list(range(1, 2 * LANES, 2))),
            )
            close = builder.icmp_unsigned("<=", total, v.spread(args[4:], LANES))
            return builder.zext(builder.bitcast(close, ir.IntType(LANES)), v.word)

        return number(folds, number, number, number, number), codegen

    return near_ones


def _meet() -> Any:
    from numba.core import cgutils, types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    @intrinsic
    def meet(
        typingctx: Any, soa: Any, first: Any, codes: Any, c: Any, low: Any, high: Any, best: Any
    ) -> Any:
        number = types.uint64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            v = _Vectors(context, builder)
            kinds = signature.args
            columns = arrayobj.make_array(kinds[0])(context, builder, args[0])
            length = cgutils.unpack_tuple(builder, columns.shape, 2)[1]
            row = builder.mul(args[3], v.word(WORDS))
            total = v.constant([0] * LANES)
            for w in range(WORDS):
                code = builder.load(v.data(kinds[2], args[2], builder.add(row, v.word(w))))
                place = builder.add(builder.mul(length, v.word(w)), args[1])
                words = v.load(v.data(kinds[0], args[0], place), LANES)
                apart = v.call("ctpop", builder.xor(words, v.spread([code], LANES)))
                total = builder.add(total, apart)
            lane = builder.add(v.spread([args[1]], LANES), v.constant(list(range(LANES))))
            inside = builder.and_(
                builder.icmp_unsigned(">=", lane, v.spread([args[4]], LANES)),
                builder.icmp_unsigned("<", lane, v.spread([args[5]], LANES)),
            )
            total = builder.select(inside, total, v.constant([BITS] * LANES))
            there = v.data(kinds[6], args[6], args[1])
            v.store(v.call("umin", v.load(there, LANES), total), there)
            return context.get_dummy_value()

        return types.void(soa, number, codes, number, number, number, best), codegen

    return meet


if jit_enabled():
    near_ones = Lazy(_near_ones, near_ones)  # type: ignore[assignment]
    meet = Lazy(_meet, meet)  # type: ignore[assignment]
