"""The cells of a cylinder, of codes and of sketches alike: one way through the neighbours.

Sixteen cells at once, two rows of the grid of eight by eight: the weights that a neighbour has
there are one vector, and what it adds to each section another product. Two neighbours are taken
together, as machines multiply pairs of 16-bit numbers and add them up in one step. Neighbours that
are out of reach, or reach none of the two rows, are left out before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fpmatch.jit import Lazy, jit_enabled, kernel
from fpmatch.parameters import DESCRIPTOR
from fpmatch.vector_code import address_of, chosen, pair_sums, spread

SIDE = DESCRIPTOR.side
"""Cells of a row of the grid, and rows: eight, the 16-bit numbers of a register."""
SECTIONS = DESCRIPTOR.sections
LANES = 16
"""Cells at once."""
QUARTERS = SIDE * SIDE // LANES
PLACE_BITS = 11
"""Of a place that reaches a cell, in a neighbour's number."""
WEIGHT_BITS = 4
"""By how much a place's weights are larger than of 1 024: a product's upper 16 bits are then that
of two weights, of 4 096, so that those of 64 neighbours, with the sections', fit 32 bits."""


_MIDDLES = [2 * k + 1 - SIDE for k in range(SIDE)]
DISC = tuple(
    row * SIDE + column
    for row, y in enumerate(_MIDDLES)
    for column, x in enumerate(_MIDDLES)
    if x * x + y * y <= SIDE * SIDE
)
"""The cells whose centres are in the disc: their numbers in the square grid, row by row."""
CELLS = SECTIONS * len(DISC)
"""Cells of all sections: number ``6 n + k`` is section k of the n-th."""
PADDED = -(-CELLS // LANES) * LANES
"""The same and what fills the last vector up, always 0."""


def padded(count: int) -> int:
    """Room for the minutiae of a row, whole vectors of them, and one more."""
    return -(-(count + 1) // LANES) * LANES


@kernel(inner=True)
def see_cells(x, y, angle, many, a, turns, near, touched, shares, work, cells):
    """The cells around minutia `a` of the first `many`: ``cells (320,) int32``.

    x, y : (P,) int32, eighths of a pixel; angle : (P,) int32, 65536 a turn; P as `padded` says.
    turns : (1024, 2) int32, cosine and sine; near, touched, shares : see
    `fpmatch.descriptor.tables`. work : scratch, (6, P) int32.
    """
    every, inside = work[4], work[5]
    turn = ((angle[a] + 32) >> 6) & 1023
    reach = np.int32(near.shape[0] >> 1)
    size = np.uint64(many)
    blocks = (size + np.uint64(LANES - 1)) // np.uint64(LANES)
    number_neighbours(
        x, y, angle, blocks, np.uint64(a), turns[turn, 0], turns[turn, 1], reach, every
    )  # fmt: skip
    every[a] = -1
    there = np.uint64(0)
    for b in range(size):
        number = every[b]
        inside[there] = number
        there += np.uint64(number >= 0)
    one = np.uint64(1)
    n0 = n1 = n2 = n3 = np.uint64(0)
    for b in range(there):
        number = inside[b]
        rows = np.uint64(touched[(number >> PLACE_BITS) & ((1 << PLACE_BITS) - 1)])
        work[0, n0] = number
        n0 += rows & one
        work[1, n1] = number
        n1 += (rows >> one) & one
        work[2, n2] = number
        n2 += (rows >> np.uint64(2)) & one
        work[3, n3] = number
        n3 += rows >> np.uint64(3)
    work[0, n0] = work[1, n1] = work[2, n2] = work[3, n3] = 0
    add_neighbours(work[:4], n0, n1, n2, n3, near, shares, cells)


def number_neighbours(
    x: Any, y: Any, angle: Any, blocks: Any, a: Any, c: Any, s: Any, reach: Any, every: Any
) -> None:
    """Number the minutiae of whole vectors as neighbours of `a`: ``every (P,) int32``.

    Where it lies across, down, and how it is turned; -1 where it reaches no cell. No turned vector
    is longer than 31 bits. `blocks` and `a` are uint64, `c`, `s` and `reach` int32.
    """
    size, a = int(blocks) * LANES, int(a)
    dx = x[:size].astype(np.int64) - int(x[a])
    dy = y[:size].astype(np.int64) - int(y[a])
    u = ((int(c) * dx + int(s) * dy + 8192) >> 14) + int(reach)
    v = ((int(c) * dy - int(s) * dx + 8192) >> 14) + int(reach)
    away = ((int(angle[a]) - angle[:size].astype(np.int64) + 128) >> 8) & 255
    near = (u > 0) & (u < 2 * int(reach)) & (v > 0) & (v < 2 * int(reach))
    every[:size] = np.where(near, u | (v << PLACE_BITS) | (away << (2 * PLACE_BITS)), -1)


def add_neighbours(
    numbers: Any, n0: Any, n1: Any, n2: Any, n3: Any, near: Any, shares: Any, cells: Any
) -> None:
    """What neighbours add up to in all cells.

    ``numbers (4, P) int32``: of each two rows of cells the neighbours that reach them, as many as
    `n0` to `n3` say (uint64), and a 0. ``near (U, 8) int16``, ``shares (256, 8) int16``,
    ``cells (320,) int32``.
    """
    place = (1 << PLACE_BITS) - 1
    total = np.zeros((QUARTERS, SECTIONS, LANES), np.int64)
    for quarter, many in enumerate((n0, n1, n2, n3)):
        for number in numbers[quarter, : int(many)].tolist():
            across = near[number & place].astype(np.int64)
            down = near[(number >> PLACE_BITS) & place].astype(np.int64)
            weight = np.outer(down[2 * quarter : 2 * quarter + 2], across).ravel() >> 16
            share = shares[number >> (2 * PLACE_BITS), :SECTIONS].astype(np.int64)
            total[quarter] += share[:, None] * weight
    cells[:] = 0
    cells[:CELLS] = total.transpose(0, 2, 1).reshape(-1, SECTIONS)[list(DISC)].ravel()


def _number_neighbours() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, kind = ir.IntType(64), ir.VectorType(ir.IntType(32), LANES)

    @intrinsic
    def number_neighbours(
        typingctx: Any,
        x: Any,
        y: Any,
        angle: Any,
        blocks: Any,
        a: Any,
        c: Any,
        s: Any,
        reach: Any,
        every: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            def all_lanes(value: Any) -> Any:
                number = isinstance(value, int)
                return (
                    ir.Constant(kind, [value] * LANES) if number else spread(builder, value, kind)
                )

            here, there, towards = (all_lanes(builder.load(data(k, args[4]))) for k in range(3))
            c, s, reach = (all_lanes(args[k]) for k in (5, 6, 7))
            half, widest = all_lanes(8192), builder.sub(builder.add(reach, reach), all_lanes(1))
            shift = all_lanes(14)
            with cgutils.for_range(builder, args[3], intp=word) as loop:
                at = builder.mul(loop.index, word(LANES))
                xs, ys, angles = (builder.load(data(k, at, kind), align=4) for k in range(3))
                dx, dy = builder.sub(xs, here), builder.sub(ys, there)
                u = builder.add(builder.mul(c, dx), builder.mul(s, dy))
                v = builder.sub(builder.mul(c, dy), builder.mul(s, dx))
                u, v = (
                    builder.add(builder.ashr(builder.add(one, half), shift), reach)
                    for one in (u, v)
                )
                near = builder.and_(
                    *(
                        builder.icmp_unsigned("<", builder.sub(one, all_lanes(1)), widest)
                        for one in (u, v)
                    )
                )
                away = builder.add(builder.sub(towards, angles), all_lanes(128))
                away = builder.and_(builder.ashr(away, all_lanes(8)), all_lanes(255))
                number = builder.or_(u, builder.shl(v, all_lanes(PLACE_BITS)))
                number = builder.or_(number, builder.shl(away, all_lanes(2 * PLACE_BITS)))
                number = builder.select(near, number, all_lanes(-1))
                builder.store(number, data(8, at, kind), align=4)
            return context.get_dummy_value()

        number, half = types.uint64, types.int32
        form = types.void(x, y, angle, number, number, half, half, half, every)
        return form, codegen

    return number_neighbours


def _by_turns(builder: Any, one: Any, other: Any) -> Any:
    """First numbers of both, second numbers of both, and so on, as 32 bits each."""
    from llvmlite import ir

    count = one.type.count
    each = chosen(builder, one, other, [k + count * s for k in range(count) for s in (0, 1)])
    return builder.bitcast(each, ir.VectorType(ir.IntType(32), count))


def _upper_halves(builder: Any, one: Any, other: Any) -> Any:
    """The upper 16 bits of products of 16-bit numbers."""
    from llvmlite import ir

    wide = ir.VectorType(ir.IntType(32), one.type.count)
    product = builder.mul(builder.sext(one, wide), builder.sext(other, wide))
    product = builder.lshr(product, ir.Constant(wide, [16] * wide.count))
    return builder.trunc(product, one.type)


def _in_order(builder: Any, sections: Sequence[Any], cells: Sequence[int]) -> Any:
    """Vectors of the chosen cells one after the other, all sections of each together."""
    wanted = [(k, cell) for cell in cells for k in range(len(sections))]
    for first in range(0, len(wanted), LANES):
        some = wanted[first : first + LANES]
        some += [(0, 0)] * (LANES - len(some))
        found = None
        # Two sections at a time, each number put where it belongs; then what is whose is chosen.
        for k in range(0, len(sections), 2):
            places = [cell + LANES * (of - k) if of - k in (0, 1) else 0 for of, cell in some]
            two = chosen(builder, sections[k], sections[k + 1], places)
            if found is not None:
                places = [n + LANES * (of - k in (0, 1)) for n, (of, _) in enumerate(some)]
                two = chosen(builder, found, two, places)
            found = two
        yield found


def _add_neighbours() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    word, half, short = ir.IntType(64), ir.IntType(32), ir.IntType(16)
    eight, pair = ir.VectorType(short, SIDE), ir.VectorType(short, 2)
    lanes, flat = ir.VectorType(half, LANES), ir.VectorType(short, 2 * LANES)

    @intrinsic
    def add_neighbours(
        typingctx: Any,
        numbers: Any,
        n0: Any,
        n1: Any,
        n2: Any,
        n3: Any,
        near: Any,
        shares: Any,
        cells: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def data(which: int, at: Any, of: Any = None) -> Any:
                return address_of(context, builder, signature.args[which], args[which], at, of)

            def neighbour(place: Any, rows: int) -> tuple[Any, Any, Any]:
                """Its weights by column, those of two rows, and its share of the sections."""
                number = builder.zext(builder.load(data(0, place)), word)
                mask = word((1 << PLACE_BITS) - 1)
                across = builder.mul(builder.and_(number, mask), word(SIDE))
                down = builder.and_(builder.lshr(number, word(PLACE_BITS)), mask)
                down = builder.add(builder.mul(down, word(SIDE)), word(rows))
                away = builder.mul(builder.lshr(number, word(2 * PLACE_BITS)), word(SIDE))
                return (
                    builder.load(data(5, across, eight), align=2),
                    builder.load(data(5, down, pair), align=2),
                    builder.load(data(6, away, eight), align=2),
                )

            none = ir.Constant(lanes, [0] * LANES)
            room = builder.extract_value(args[0], 5)
            room = builder.extract_value(room, 1)
            for last in range(CELLS, PADDED):
                builder.store(half(0), data(7, word(last)))
            for quarter in range(QUARTERS):
                totals = [cgutils.alloca_once_value(builder, none) for _ in range(SECTIONS)]
                for total in totals:
                    builder.store(none, total)
                row = builder.mul(room, word(quarter))
                pairs = builder.lshr(builder.add(args[1 + quarter], word(1)), word(1))
                with cgutils.for_range(builder, pairs, intp=word) as loop:
                    first = builder.add(row, builder.mul(loop.index, word(2)))
                    one = neighbour(first, 2 * quarter)
                    other = neighbour(builder.add(first, word(1)), 2 * quarter)
                    columns, rows, shared = (
                        _by_turns(builder, *two) for two in zip(one, other, strict=True)
                    )
                    columns = chosen(builder, columns, columns, [*range(SIDE)] * 2)
                    rows = chosen(builder, rows, rows, [0] * SIDE + [1] * SIDE)
                    both = (builder.bitcast(of, flat) for of in (columns, rows))
                    weights = _upper_halves(builder, *both)
                    for k, total in enumerate(totals):
                        share = builder.extract_element(shared, half(k))
                        share = builder.bitcast(spread(builder, share, lanes), flat)
                        more = pair_sums(builder, weights, share)
                        builder.store(builder.add(builder.load(total), more), total)
                of = [n for n, cell in enumerate(DISC) if cell // LANES == quarter]
                sums = [builder.load(total) for total in totals]
                at = SECTIONS * of[0]
                for found in _in_order(builder, sums, [DISC[n] % LANES for n in of]):
                    # What is too much of the last is overwritten by the next, or not stored.
                    left = min(LANES, SECTIONS * (of[-1] + 1) - at)
                    if left < LANES:
                        found = chosen(builder, found, found, range(left))
                    kind = ir.VectorType(half, left)
                    builder.store(found, data(7, word(at), kind), align=4)
                    at += LANES
            return context.get_dummy_value()

        number = types.uint64
        form = types.void(numbers, number, number, number, number, near, shares, cells)
        return form, codegen

    return add_neighbours


if jit_enabled():
    number_neighbours = Lazy(_number_neighbours, number_neighbours)  # type: ignore[assignment]
    add_neighbours = Lazy(_add_neighbours, add_neighbours)  # type: ignore[assignment]
