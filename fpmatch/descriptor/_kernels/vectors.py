"""Sums of a few numbers at once: what loops of vector code cannot say, written for LLVM.

A compiler may not take eight steps of a loop together where what is written could be what is read
next. Any machine runs it; without compilation plain Python does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.descriptor._kernels.cells import LANES, PADDED
from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, spread


def above(values: Any, at: Any, low: Any) -> Any:
    """Which of ``values[at:at + 64] (int32)`` are above `low`, a bit for each; `at` is uint64."""
    bits = np.packbits(values[int(at) : int(at) + 64] > low, bitorder="little")
    return bits.view("<u8")[0]


def many_above(values: Any, low: Any) -> Any:
    """How many of ``values (320,) int32`` are above `low`."""
    return np.int64((values > low).sum())


def largest(values: Any) -> Any:
    """The largest of ``values (320,) int32``."""
    return values.max()


def _above() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def above(typingctx: Any, values: Any, at: Any, low: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.VectorType(ir.IntType(32), 64)
            place = address_of(context, builder, signature.args[0], args[0], args[1], kind)
            larger = builder.icmp_signed(
                ">", builder.load(place, align=4), spread(builder, args[2], kind)
            )
            return builder.bitcast(larger, ir.IntType(64))

        return types.uint64(values, types.uint64, types.int32), codegen

    return above


def _each_sixteen(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """All of the numbers, 16 in a vector."""
    from llvmlite import ir

    vector = ir.VectorType(ir.IntType(32), LANES)
    for first in range(0, PADDED, LANES):
        place = address_of(context, builder, kind, array, ir.IntType(64)(first), vector)
        yield builder.load(place, align=4)


def _reduced(builder: Any, how: str, vector: Any) -> Any:
    from llvmlite import ir
    from numba.core import cgutils

    form = ir.FunctionType(vector.type.element, [vector.type])
    name = f"llvm.vector.reduce.{how}.v{vector.type.count}i32"
    return builder.call(cgutils.get_or_insert_function(builder.module, form, name), [vector])


def _many_above() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def many_above(typingctx: Any, values: Any, low: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, word = ir.VectorType(ir.IntType(32), LANES), ir.IntType(64)
            bound, total = spread(builder, args[1], kind), word(0)
            for found in _each_sixteen(context, builder, signature.args[0], args[0]):
                larger = builder.bitcast(builder.icmp_signed(">", found, bound), ir.IntType(LANES))
                total = builder.add(total, builder.ctpop(builder.zext(larger, word)))
            return total

        return types.int64(values, types.int32), codegen

    return many_above


def _largest() -> Any:
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def largest(typingctx: Any, values: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            best = None
            for found in _each_sixteen(context, builder, signature.args[0], args[0]):
                if best is None:
                    best = found
                else:
                    best = builder.select(builder.icmp_signed(">", found, best), found, best)
            return _reduced(builder, "smax", best)

        return types.int32(values), codegen

    return largest


if jit_enabled():
    above = Lazy(_above, above)  # type: ignore[assignment]
    many_above = Lazy(_many_above, many_above)  # type: ignore[assignment]
    largest = Lazy(_largest, largest)  # type: ignore[assignment]
