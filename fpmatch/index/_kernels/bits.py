"""Words, bits and Hamming distances; a hint to the memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.descriptor._kernels import SKETCH_BITS
from fpmatch.jit import Lazy, jit_enabled, kernel

WORDS = 5
"""64-bit words of a cylinder code."""
SKETCH_WORDS = SKETCH_BITS // 32
"""32-bit words of a sketch."""


def popcount(x: Any) -> Any:
    """Number of set bits of an unsigned integer."""
    return np.uint64(int(x).bit_count())


def prefetch(array: Any, index: Any) -> None:
    """Ask for ``array[index]`` ahead of its use; of a row, its first and last element.

    Nothing to do without compilation.
    """


def _popcount() -> Any:
    from numba.extending import intrinsic

    @intrinsic
    def popcount(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = builder.module.declare_intrinsic("llvm.ctpop", [args[0].type])
            return builder.call(function, [args[0]])

        return x(x), codegen

    return popcount


def _prefetch() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic
    from numba.np import arrayobj

    @intrinsic
    def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, number = signature.args
            view = arrayobj.make_array(kind)(context, builder, args[0])
            at = context.cast(builder, args[1], number, types.intp)
            ends = [[at]]
            if kind.ndim == 2:
                width = cgutils.unpack_tuple(builder, view.shape, 2)[1]
                last = builder.sub(width, context.get_constant(types.intp, 1))
                ends = [[at, context.get_constant(types.intp, 0)], [at, last]]
            word = ir.IntType(32)
            for place in ends:
                pointer = cgutils.get_item_pointer(context, builder, kind, view, place, False)
                address = builder.bitcast(pointer, cgutils.voidptr_t)
                form = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
                function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], form)
                builder.call(function, [address, word(0), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, index), codegen

    return prefetch


if jit_enabled():
    popcount = Lazy(_popcount, popcount)  # type: ignore[assignment]
    prefetch = Lazy(_prefetch, prefetch)  # type: ignore[assignment]


@kernel(inline=True)
def distance(soa, j, q0, q1, q2, q3, q4):
    """Hamming distance of a code to column j."""
    return (
        popcount(soa[0, j] ^ q0)
        + popcount(soa[1, j] ^ q1)
        + popcount(soa[2, j] ^ q2)
        + popcount(soa[3, j] ^ q3)
        + popcount(soa[4, j] ^ q4)
    )
