"""Between the cells of a field: what loops of vector code cannot say, written for LLVM.

A cell has its numbers side by side with those of the cell below it, so that one step multiplies
both and adds them up; two cells side by side are one vector. Without compilation plain Python does
the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, chosen, pair_sums, spread

CHANNELS = 8
"""Numbers of a cell: three, each followed by that of the cell below, and two of no use."""


def between(
    vectors: Any, places: Any, fx: Any, fy: Any, count: Any, cell: Any, a: Any, b: Any, c: Any
) -> None:
    """Bilinear at many places of a field: its three numbers, times ``cell * cell``.

    ``vectors (cells * 8,) int16``. Of the first `count` places (uint64) ``places (64,) int32`` is
    the cell on the upper left, ``fx`` and ``fy (64,) int32`` how far from its middle to the right
    and down, of `cell` (int32, 128 at most). ``a``, ``b`` and ``c (64,) int32`` are written.
    """
    size, cell = int(count), int(cell)
    at = places[:size].astype(np.int64)
    flat = vectors.reshape(-1, CHANNELS).astype(np.int64)
    right, down = fx[:size].astype(np.int64), fy[:size].astype(np.int64)
    for channel, out in enumerate((a, b, c)):
        upper, lower = flat[:, 2 * channel], flat[:, 2 * channel + 1]
        out[:size] = (
            (cell - down) * (cell - right) * upper[at]
            + (cell - down) * right * upper[at + 1]
            + down * (cell - right) * lower[at]
            + down * right * lower[at + 1]
        )


def _between() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, half = ir.IntType(64), ir.IntType(32)
    cells = ir.VectorType(ir.IntType(16), 2 * CHANNELS)

    @intrinsic
    def between(
        typingctx: Any,
        vectors: Any,
        places: Any,
        fx: Any,
        fy: Any,
        count: Any,
        cell: Any,
        a: Any,
        b: Any,
        c: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            with cgutils.for_range(builder, args[4], intp=word) as loop:
                place = builder.sext(builder.load(data(1, loop.index)), word)
                found = builder.load(data(0, builder.mul(place, word(CHANNELS)), cells), align=2)
                right, down = (builder.load(data(k, loop.index)) for k in (2, 3))
                left, up = (builder.sub(args[5], one) for one in (right, down))
                # 16 bits each: up, then down.
                both = builder.or_(up, builder.shl(down, half(16)))
                sides = [
                    builder.bitcast(
                        spread(
                            builder, builder.mul(both, side), ir.VectorType(half, CHANNELS // 2)
                        ),
                        ir.VectorType(ir.IntType(16), CHANNELS),
                    )
                    for side in (left, right)
                ]
                weights = chosen(builder, sides[0], sides[1], range(2 * CHANNELS))
                sums = pair_sums(builder, found, weights)
                total = builder.add(*(chosen(builder, sums, sums, range(k, k + 4)) for k in (0, 4)))
                for k in range(3):
                    number = builder.extract_element(total, half(k))
                    builder.store(number, data(6 + k, loop.index))
            return context.get_dummy_value()

        number = types.uint64
        form = types.void(vectors, places, fx, fy, number, types.int32, a, b, c)
        return form, codegen

    return between


if jit_enabled():
    between = Lazy(_between, between)  # type: ignore[assignment]
