"""Projections of bytes: what loops of vector code cannot say, written for LLVM.

A machine with AVX-512 VNNI multiplies four bytes with four and adds them up in one instruction; any
other takes two products of 16-bit numbers. Both give the same numbers, and so does plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.descriptor._kernels.cells import PADDED
from fpmatch.jit import Lazy, jit_enabled
from fpmatch.vector_code import address_of, pair_sums, spread

SKETCH_BITS = 96
"""Bits of a sketch: three words of 32."""
SIGN = 32
"""A sign of the texture; bytes that are projected are larger by it."""
_LANES = 16


ROOT = 7.65
"""Of a square root of a cell, so that one neighbour at its centre is some 64."""
SHIFT = 15
"""Bits of a cell that are left out before."""
_MOST = 255


def roots(cells: Any, out: Any) -> None:
    """``out[:320] (uint8)``: square roots of ``cells (320,) int32``, from 0 to 122.

    In 32 bits of floating point, whose roots and products are rounded alike on any machine.
    """
    value = np.minimum(cells >> SHIFT, _MOST).astype(np.float32)
    out[: len(cells)] = np.rint(np.float32(ROOT) * np.sqrt(value)).astype(np.uint8)


def signs(word: Any, there: Any, out: Any, at: Any) -> None:
    """Signs of 64 cells into ``out[at:at + 64] (uint8)``, larger by `SIGN`; words are uint64.

    Of a cell that is not there none; else 1 where the bit of `word` is set, -1 where it is not.
    """
    lanes = np.arange(64, dtype=np.uint64)
    bit = (np.uint64(word) >> lanes) & np.uint64(1)
    valid = (np.uint64(there) >> lanes) & np.uint64(1)
    out[int(at) : int(at) + 64] = np.where(valid, 2 * SIGN * bit, SIGN)


def project(
    places: Any, fours: Any, many: Any, projections: Any, medians: Any, out: Any, row: Any
) -> None:
    """Which projections are above their medians, into ``out[row]``.

    ``fours (F,) uint32``: four bytes each, of which ``places[:many] (uint64)`` count;
    ``projections (F, 96, 4) int8``, ``medians (96,) int32``, ``out (C, 3) uint32``.
    """
    chosen = places[: int(many)].astype(np.int64)
    octets = fours[chosen].astype("<u4").view(np.uint8).reshape(-1, 4)
    total = np.einsum("fj,fbj->b", octets.astype(np.int64), projections[chosen].astype(np.int64))
    out[int(row)] = np.packbits(total > medians, bitorder="little").view("<u4")


def _roots() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    kind, real = ir.VectorType(ir.IntType(32), _LANES), ir.VectorType(ir.FloatType(), _LANES)
    small = ir.VectorType(ir.IntType(8), _LANES)

    @intrinsic
    def roots(typingctx: Any, cells: Any, out: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def number(value: Any, of: Any = kind) -> Any:
                return ir.Constant(of, [value] * _LANES)

            def same(name: str, value: Any) -> Any:
                form = ir.FunctionType(real, [real])
                name = f"llvm.{name}.v{_LANES}f32"
                return builder.call(
                    cgutils.get_or_insert_function(builder.module, form, name), [value]
                )

            for first in range(0, PADDED, _LANES):
                at = ir.IntType(64)(first)
                place = address_of(context, builder, signature.args[0], args[0], at, kind)
                value = builder.ashr(builder.load(place, align=4), number(SHIFT))
                few = builder.icmp_signed("<", value, number(_MOST))
                value = builder.sitofp(builder.select(few, value, number(_MOST)), real)
                value = builder.fmul(same("sqrt", value), number(float(np.float32(ROOT)), real))
                found = builder.trunc(builder.fptosi(same("rint", value), kind), small)
                place = address_of(context, builder, signature.args[1], args[1], at, small)
                builder.store(found, place, align=1)
            return context.get_dummy_value()

        return types.void(cells, out), codegen

    return roots


def _signs() -> Any:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    @intrinsic
    def signs(typingctx: Any, word: Any, there: Any, out: Any, at: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind, flags = ir.VectorType(ir.IntType(8), 64), ir.VectorType(ir.IntType(1), 64)
            bits, valid = (builder.bitcast(one, flags) for one in args[:2])
            no, yes, none = (ir.Constant(kind, [n * SIGN] * 64) for n in (0, 2, 1))
            found = builder.select(valid, builder.select(bits, yes, no), none)
            place = address_of(context, builder, signature.args[2], args[2], args[3], kind)
            builder.store(found, place, align=1)
            return context.get_dummy_value()

        return types.void(types.uint64, types.uint64, out, types.uint64), codegen

    return signs


def has_products_of_bytes() -> bool:
    """Whether products of four bytes are added up in one instruction where kernels run."""
    from llvmlite import binding
    from numba import config

    if config.CPU_NAME is not None or config.CPU_FEATURES is not None:
        return "+avx512vnni" in (config.CPU_FEATURES or "")
    return bool(binding.get_host_cpu_features().get("avx512vnni"))


def add_at_once(builder: Any, total: Any, octets: Any, weights: Any) -> Any:
    """``total + products`` of four unsigned and four signed bytes in each lane: AVX-512 VNNI."""
    from llvmlite import binding, ir

    # An intrinsic's name and types have changed between versions of LLVM; the instruction has not.
    binding.initialize_native_asmparser()
    form = ir.FunctionType(total.type, [total.type, octets.type, weights.type])
    code = ir.InlineAsm(form, "vpdpbusd $3, $2, $0", "=v,0,v,v", side_effect=False)
    return builder.call(code, [total, octets, weights])


def add_in_pairs(builder: Any, total: Any, octets: Any, weights: Any) -> Any:
    """As `add_at_once`, on any machine: bytes 0 and 2 of each four, then 1 and 3."""
    from llvmlite import ir

    shorts = ir.VectorType(ir.IntType(16), 2 * _LANES)
    octets, weights = builder.bitcast(octets, shorts), builder.bitcast(weights, shorts)
    eight = ir.Constant(shorts, [8] * shorts.count)
    low = builder.and_(octets, ir.Constant(shorts, [255] * shorts.count))
    high = builder.lshr(octets, eight)
    under = builder.ashr(builder.shl(weights, eight), eight)
    over = builder.ashr(weights, eight)
    total = builder.add(total, pair_sums(builder, low, under))
    return builder.add(total, pair_sums(builder, high, over))


def project_with(add: Any) -> Any:
    """`project`, compiled.

    Parameters
    ----------
    add : callable
        `add_at_once` or `add_in_pairs`.
    """
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, half = ir.IntType(64), ir.IntType(32)
    lanes = ir.VectorType(half, _LANES)
    pieces = range(SKETCH_BITS // _LANES)

    @intrinsic
    def project(
        typingctx: Any,
        places: Any,
        fours: Any,
        many: Any,
        projections: Any,
        medians: Any,
        out: Any,
        row: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            none = ir.Constant(lanes, [0] * _LANES)
            totals = [cgutils.alloca_once_value(builder, none) for _ in pieces]
            with cgutils.for_range(builder, args[2], intp=word) as loop:
                which = builder.load(data(0, loop.index))
                octets = spread(builder, builder.load(data(1, which)), lanes)
                first = builder.mul(which, word(4 * SKETCH_BITS))
                for k, total in zip(pieces, totals, strict=True):
                    place = builder.add(first, word(4 * _LANES * k))
                    weights = builder.load(data(3, place, lanes), align=1)
                    builder.store(add(builder, builder.load(total), octets, weights), total)
            first = builder.mul(args[6], word(SKETCH_BITS // 32))
            for k in range(SKETCH_BITS // 32):
                found = word(0)
                for side in (0, 1):
                    piece = 2 * k + side
                    median = builder.load(data(4, word(_LANES * piece), lanes), align=4)
                    above = builder.icmp_signed(">", builder.load(totals[piece]), median)
                    bits = builder.zext(builder.bitcast(above, ir.IntType(_LANES)), word)
                    found = builder.or_(found, builder.shl(bits, word(_LANES * side)))
                builder.store(builder.trunc(found, half), data(5, builder.add(first, word(k))))
            return context.get_dummy_value()

        number = types.uint64
        return types.void(places, fours, number, projections, medians, out, number), codegen

    return project


def _project() -> Any:
    return project_with(add_at_once if has_products_of_bytes() else add_in_pairs)


if jit_enabled():
    roots = Lazy(_roots, roots)  # type: ignore[assignment]
    signs = Lazy(_signs, signs)  # type: ignore[assignment]
    project = Lazy(_project, project)  # type: ignore[assignment]
