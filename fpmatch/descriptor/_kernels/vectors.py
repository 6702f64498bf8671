"""Sums of a few numbers at once: what loops of vector code cannot say, written for LLVM.

A compiler may not take eight steps of a loop together where what is written could be what is read
next. Any machine runs it; without compilation plain Python does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, spread

LANES = 8
"""Numbers at once: the sections of a cell."""
CHANNELS = 4
"""Numbers of a cell of a field of vectors."""


def add_weighted(values: Any, at: Any, shares: Any, first: Any, weight: Any) -> None:
    """``values[at:at + 8] += weight * shares.ravel()[first:first + 8]``, all int32.

    ``at`` and ``first`` are uint64; ``shares`` has no gaps.
    """
    flat = shares.ravel()[int(first) : int(first) + LANES]
    values[int(at) : int(at) + LANES] += np.int32(weight) * flat


def between(vectors: Any, at: Any, width: Any, fx: Any, fy: Any, cell: Any) -> tuple[Any, ...]:
    """Bilinear in a field: the first three numbers, times ``cell * cell``.

    ``vectors (h, w, 4) int32`` without gaps, `width` its w; `at` is the number of the upper left of
    four cells, and ``fx`` and ``fy`` say how far from it to the right and down, of `cell`. int64.
    """
    flat = vectors.reshape(-1, CHANNELS).astype(np.int64)
    total = (
        (cell - fy) * (cell - fx) * flat[at]
        + (cell - fy) * fx * flat[at + 1]
        + fy * (cell - fx) * flat[at + width]
        + fy * fx * flat[at + width + 1]
    )
    return total[0], total[1], total[2]


def _add_weighted() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def add_weighted(
        typingctx: Any, values: Any, at: Any, shares: Any, first: Any, weight: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.VectorType(ir.IntType(32), LANES)
            there = address_of(context, builder, signature.args[0], args[0], args[1], kind)
            share = builder.load(
                address_of(context, builder, signature.args[2], args[2], args[3], kind), align=4
            )
            more = builder.mul(share, spread(builder, args[4], kind))
            builder.store(builder.add(builder.load(there, align=4), more), there, align=4)
            return context.get_dummy_value()

        number = types.uint64
        return types.void(values, number, shares, number, types.int32), codegen

    return add_weighted


def _between() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def between(
        typingctx: Any, vectors: Any, at: Any, width: Any, fx: Any, fy: Any, cell: Any
    ) -> Any:
        number = types.int64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _, at, width, fx, fy, cell = args
            kind = ir.VectorType(ir.IntType(32), CHANNELS)
            total = ir.Constant(kind, [0] * CHANNELS)
            one = ir.IntType(64)(1)
            for down, y in ((None, builder.sub(cell, fy)), (width, fy)):
                row = at if down is None else builder.add(at, down)
                for right, x in ((None, builder.sub(cell, fx)), (one, fx)):
                    place = row if right is None else builder.add(row, right)
                    place = builder.mul(place, ir.IntType(64)(CHANNELS))
                    address = address_of(context, builder, signature.args[0], args[0], place, kind)
                    weight = builder.trunc(builder.mul(x, y), ir.IntType(32))
                    found = builder.load(address, align=4)
                    total = builder.add(total, builder.mul(found, spread(builder, weight, kind)))
            parts = [
                builder.sext(builder.extract_element(total, ir.IntType(32)(k)), ir.IntType(64))
                for k in range(3)
            ]
            return context.make_tuple(builder, signature.return_type, parts)

        made: Any = types.UniTuple(number, 3)  # type: ignore[attr-defined]
        return made(vectors, number, number, number, number, number), codegen

    return between


if jit_enabled():
    add_weighted = Lazy(_add_weighted, add_weighted)  # type: ignore[assignment]
    between = Lazy(_between, between)  # type: ignore[assignment]
