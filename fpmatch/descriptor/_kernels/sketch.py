"""Sketches: what surrounds a minutia, as the signs of learned projections. Integers only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.cylinder import accumulate
from fpmatch.jit import Lazy, jit_enabled, kernel
from fpmatch.vector_code import address_of, spread

SKETCH_BITS = 96
"""Bits of a sketch: three words of 32."""


_LANES = 32
"""Bits that are worked out together: a word."""


class SketchTables(NamedTuple):
    """What `sketch_minutiae` looks up; see `fpmatch.descriptor.sketches`."""

    cosine: np.ndarray
    sine: np.ndarray
    shares: np.ndarray
    near: np.ndarray
    reached: np.ndarray
    cells: np.ndarray
    roots: np.ndarray
    shift: int
    sign: int
    projections: np.ndarray
    medians: np.ndarray


@kernel
def see_minutiae(x, y, angle, texture, offsets, tables, padded, seen):
    """What is projected of every minutia: ``seen (C, 6 n + 2 t) int32``.

    The roots of the n cells of its cylinder in their six sections, then a sign for each of t cells
    of the cosines and of the sines of the texture, 0 where no finger is. ``padded (side * side *
    8,) int32`` is scratch; row r has the minutiae ``offsets[r]`` to ``offsets[r + 1]``.
    """
    one = np.uint64(1)
    near, reached, shares, roots = tables.near, tables.reached, tables.shares, tables.roots
    cells, shift, sign = tables.cells, tables.shift, tables.sign
    most = roots.shape[0] - 1
    reach = near.shape[0] >> 1
    for r in range(offsets.shape[0] - 1):
        for a in range(offsets[r], offsets[r + 1]):
            padded[:] = 0
            turn = (np.int64(angle[a]) * 4) & 1023
            c = np.int64(tables.cosine[turn])
            s = np.int64(tables.sine[turn])
            for b in range(offsets[r], offsets[r + 1]):
                dx = np.int64(x[b]) - np.int64(x[a])
                dy = np.int64(y[b]) - np.int64(y[a])
                u = ((c * dx + s * dy + 8192) >> 14) + reach
                v = ((c * dy - s * dx + 8192) >> 14) + reach
                if b != a and 0 < u < 2 * reach and 0 < v < 2 * reach:
                    away = (np.int64(angle[a]) - np.int64(angle[b])) & 255
                    accumulate(np.uint64(u), np.uint64(v), away, shares, near, reached, padded)
            n = 0
            for cell in cells:
                for k in range(cell, cell + 6):
                    seen[a, n] = roots[min(padded[k] >> shift, most)]
                    n += 1
            for word in range(2):
                for k in range(cells.shape[0]):
                    bit = (texture[a, word] >> np.uint64(k)) & one
                    there = (texture[a, 2] >> np.uint64(k)) & one
                    seen[a, n] = (2 * np.int64(bit) - 1) * np.int64(there) * sign
                    n += 1


@kernel
def sketch_minutiae(x, y, angle, texture, offsets, tables, scratch, out):
    """Sketches of the minutiae of rows: ``out (C, 3) uint32``.

    Bit b is set where projection b of what `see_minutiae` gives is above its median. ``scratch`` is
    (padded, seen (M, S) int32, places (S,) uint64, values (S,) int32), M minutiae of the longest
    row.
    """
    padded, seen, places, values = scratch
    projections, medians = tables.projections, tables.medians
    for r in range(offsets.shape[0] - 1):
        first = offsets[r]
        last = offsets[r + 1]
        alone = np.array([0, last - first])
        see_minutiae(
            x[first:last], y[first:last], angle[first:last], texture[first:last], alone, tables,
            padded, seen,
        )  # fmt: skip
        for a in range(last - first):
            # A third of it is not 0.
            many = np.uint64(0)
            for p in range(np.uint64(places.shape[0])):
                value = seen[a, p]
                places[many] = p
                values[many] = value
                many += np.uint64(value != 0)
            project(places, values, many, projections, medians, out, np.uint64(first + a))


def project(
    places: Any, values: Any, many: Any, projections: Any, medians: Any, out: Any, row: Any
) -> None:
    """The signs of projections of sparse numbers, into ``out[row]``.

    ``places (S,) uint64`` and ``values (S,) int32``, of which the first `many` count;
    ``projections (S, 96) int8``, ``medians (96,) int32``, ``out (C, 3) uint32``.
    """
    chosen = projections[places[: int(many)].astype(np.int64)].astype(np.int64)
    above = values[: int(many)].astype(np.int64) @ chosen > medians
    out[int(row)] = np.packbits(above, bitorder="little").view("<u4")


def _project() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, half = ir.IntType(64), ir.IntType(32)
    wide, small = ir.VectorType(half, _LANES), ir.VectorType(ir.IntType(8), _LANES)
    pieces = range(SKETCH_BITS // _LANES)

    @intrinsic
    def project(
        typingctx: Any,
        places: Any,
        values: Any,
        many: Any,
        projections: Any,
        medians: Any,
        out: Any,
        row: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            none = ir.Constant(wide, [0] * _LANES)
            totals = [cgutils.alloca_once_value(builder, none) for _ in pieces]
            with cgutils.for_range(builder, args[2], intp=word) as loop:
                first = builder.mul(builder.load(data(0, loop.index)), word(SKETCH_BITS))
                value = spread(builder, builder.load(data(1, loop.index)), wide)
                for k, total in zip(pieces, totals, strict=True):
                    place = builder.add(first, word(_LANES * k))
                    weights = builder.sext(builder.load(data(3, place, small), align=1), wide)
                    more = builder.add(builder.load(total), builder.mul(weights, value))
                    builder.store(more, total)
            first = builder.mul(args[6], word(SKETCH_BITS // _LANES))
            for k, total in zip(pieces, totals, strict=True):
                median = builder.load(data(4, word(_LANES * k), wide), align=4)
                above = builder.icmp_signed(">", builder.load(total), median)
                place = builder.add(first, word(k))
                builder.store(builder.bitcast(above, half), data(5, place))
            return context.get_dummy_value()

        number = types.uint64
        return types.void(places, values, number, projections, medians, out, number), codegen

    return project


if jit_enabled():
    project = Lazy(_project, project)  # type: ignore[assignment]
