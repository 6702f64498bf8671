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
MANY = 4
"""Minutiae that are projected together: weights are read once for all of them."""
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


def project(fours: Any, projections: Any, medians: Any, out: Any, row: Any) -> None:
    """Which projections of `MANY` minutiae are above their medians, into ``out[row:row + MANY]``.

    ``fours (MANY, R) uint32``: four bytes each; ``projections (F, 96, 4) int8`` of the first F,
    ``medians (96,) int32``, ``out (C, 3) uint32``; `row` is uint64.
    """
    octets = fours.astype("<u4").view(np.uint8)[:, : 4 * len(projections)].astype(np.int64)
    weights = projections.transpose(0, 2, 1).reshape(-1, SKETCH_BITS).astype(np.int64)
    above = octets @ weights > medians
    out[int(row) : int(row) + MANY] = np.packbits(above, axis=1, bitorder="little").view("<u4")


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


def project_with(add: Any, pieces: int) -> Any:
    """`project`, compiled.

    Parameters
    ----------
    add : callable
        `add_at_once` or `add_in_pairs`.
    pieces : int
        How many vectors of 16 projections are summed up at a time: 1, 2, 3 or 6.
    """
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, half = ir.IntType(64), ir.IntType(32)
    lanes = ir.VectorType(half, _LANES)
    small = ir.IntType(_LANES)

    @intrinsic
    def project(
        typingctx: Any, fours: Any, projections: Any, medians: Any, out: Any, row: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            def shape(which: int, axis: int) -> Any:
                return builder.extract_value(builder.extract_value(args[which], 5), axis)

            none = ir.Constant(lanes, [0] * _LANES)
            room = shape(0, 1)
            for first in range(0, SKETCH_BITS // _LANES, pieces):
                totals = [
                    [cgutils.alloca_once(builder, lanes) for _ in range(pieces)]
                    for _ in range(MANY)
                ]
                for total in (one for each in totals for one in each):
                    builder.store(none, total)
                with cgutils.for_range(builder, shape(1, 0), intp=word) as loop:
                    start = builder.mul(loop.index, word(4 * SKETCH_BITS))
                    weights = [
                        builder.load(
                            data(1, builder.add(start, word(4 * _LANES * (first + k))), lanes),
                            align=1,
                        )
                        for k in range(pieces)
                    ]
                    for n, each in enumerate(totals):
                        place = builder.add(loop.index, builder.mul(room, word(n)))
                        octets = spread(builder, builder.load(data(0, place)), lanes)
                        for total, some in zip(each, weights, strict=True):
                            builder.store(add(builder, builder.load(total), octets, some), total)
                for n, each in enumerate(totals):
                    start = builder.mul(builder.add(args[4], word(n)), word(SKETCH_BITS // 32))
                    for k, total in enumerate(each):
                        median = builder.load(data(2, word(_LANES * (first + k)), lanes), align=4)
                        above = builder.icmp_signed(">", builder.load(total), median)
                        place = builder.bitcast(data(3, start), small.as_pointer())
                        place = builder.gep(place, [word(first + k)])
                        builder.store(builder.bitcast(above, small), place, align=1)
            return context.get_dummy_value()

        return types.void(fours, projections, medians, out, types.uint64), codegen

    return project


def _project() -> Any:
    if has_products_of_bytes():
        return project_with(add_at_once, SKETCH_BITS // _LANES)
    return project_with(add_in_pairs, 1)


if jit_enabled():
    roots = Lazy(_roots, roots)  # type: ignore[assignment]
    signs = Lazy(_signs, signs)  # type: ignore[assignment]
    project = Lazy(_project, project)  # type: ignore[assignment]
