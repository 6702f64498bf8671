"""Bytes put back where zeros were left out: what loops cannot say, written for LLVM.

A machine with AVX-512 VBMI2 does it for a whole code in one instruction; any other in three steps
a word (a sheep-and-goats expansion by bytes). Both give the same bytes, and so does plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels.bits import WORDS, popcount
from fpmatch.jit import Lazy, jit_enabled, kernel
from fpmatch.vector_code import address_of

CODE_BYTES = 8 * WORDS
"""Bytes of a code."""
SPARE = 8
"""Bytes past the last code that are written too."""


def word_at(values: Any, at: Any) -> Any:
    """The 64-bit number, little-endian, of ``values[at:at + 8] (uint8)``; `at` is uint64."""
    return np.uint64(int.from_bytes(values[int(at) : int(at) + 8].tobytes(), "little"))


def put_word(word: Any, out: Any, at: Any) -> None:
    """Write a 64-bit number, little-endian, to ``out[at:at + 8] (uint8)``; `at` is uint64."""
    out[int(at) : int(at) + 8] = np.frombuffer(int(word).to_bytes(8, "little"), np.uint8)


def _moves() -> NDArray[np.uint64]:
    """(256, 4) uint64, by which bytes of a word are not 0: the bytes that there are, and those that
    move by four, by two and by one place."""
    table = np.zeros((256, 4), np.uint64)
    for mask in range(256):
        places = [p for p in range(8) if mask >> p & 1]
        table[mask, 0] = (1 << 8 * len(places)) - 1
        at = list(range(len(places)))
        for column, step in ((1, 4), (2, 2), (3, 1)):
            moved = [k for k, p in enumerate(places) if (p - k) & step]
            table[mask, column] = sum(255 << 8 * at[k] for k in moved)
            for k in moved:
                at[k] += step
    return table


MOVES = _moves()


@kernel(inner=True)
def expand_by_words(values, at, mask, out, to):
    """Write the 40 bytes of a code to ``out[to:to + 40]``: those of `mask` are ``values[at:]``.

    ``values`` and ``out`` are uint8, the others uint64. Up to eight bytes past either are touched.
    """
    byte = np.uint64(0xFF)
    eight = np.uint64(8)
    for _ in range(WORDS):
        present = mask & byte
        word = word_at(values, at) & MOVES[present, 0]
        moved = word & MOVES[present, 1]
        word = (word ^ moved) | (moved << np.uint64(32))
        moved = word & MOVES[present, 2]
        word = (word ^ moved) | (moved << np.uint64(16))
        moved = word & MOVES[present, 3]
        word = (word ^ moved) | (moved << eight)
        put_word(word, out, to)
        at += popcount(present)
        to += eight
        mask >>= eight


def expand(values: Any, at: Any, mask: Any, out: Any, to: Any) -> None:
    """As `expand_by_words`, in the way that this machine is quickest."""
    expand_by_words(values, at, mask, out, to)


def _word_at() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def word_at(typingctx: Any, values: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = address_of(context, builder, signature.args[0], *args)
            return builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)

        return types.uint64(values, types.uint64), codegen

    return word_at


def _put_word() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def put_word(typingctx: Any, word: Any, out: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = address_of(context, builder, signature.args[1], args[1], args[2])
            builder.store(args[0], builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.uint64, out, types.uint64), codegen

    return put_word


def has_expansion() -> bool:
    """Whether this machine has an instruction that expands bytes."""
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx512vbmi2"))


def _expand_at_once() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    lanes = CODE_BYTES + SPARE

    @intrinsic
    def expand(typingctx: Any, values: Any, at: Any, mask: Any, out: Any, to: Any) -> Any:
        number = types.uint64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(ir.IntType(8), lanes)
            flags = ir.VectorType(ir.IntType(1), lanes)
            source = address_of(context, builder, signature.args[0], args[0], args[1])
            target = address_of(context, builder, signature.args[3], args[3], args[4])
            wanted = builder.bitcast(builder.trunc(args[2], ir.IntType(lanes)), flags)
            form = ir.FunctionType(vector, [source.type, flags, vector])
            name = f"llvm.masked.expandload.v{lanes}i8"
            load = cgutils.get_or_insert_function(builder.module, form, name)
            found = builder.call(load, [source, wanted, ir.Constant(vector, [0] * lanes)])
            builder.store(found, builder.bitcast(target, vector.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(values, number, number, out, number), codegen

    return expand


def _expand() -> Any:
    if has_expansion():
        return _expand_at_once()
    return expand_by_words.made() if isinstance(expand_by_words, Lazy) else expand_by_words


if jit_enabled():
    word_at = Lazy(_word_at, word_at)  # type: ignore[assignment]
    put_word = Lazy(_put_word, put_word)  # type: ignore[assignment]
    expand = Lazy(_expand, expand)  # type: ignore[assignment]
