"""Search forms of many templates, one after the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels.cells import LANES, PADDED, see_cells
from fpmatch.descriptor._kernels.cylinder import set_largest
from fpmatch.descriptor._kernels.texture import CHANNELS, ROOM, lay_field_out, see_texture
from fpmatch.jit import kernel


class Given(NamedTuple):
    """Templates: of minutiae their place, direction, quality and number in the template.

    ``xy (M, 2) uint16``, ``angle (M,) uint16``, ``quality`` and ``source (M,) uint8``, of template
    t from ``starts[t]`` on. ``fields (F,) uint8``: cells of orientation, of template t
    ``shapes[t]``: where they begin, their rows and columns (int64); no rows where there are none.
    """

    xy: np.ndarray
    angle: np.ndarray
    quality: np.ndarray
    source: np.ndarray
    starts: np.ndarray
    fields: np.ndarray
    shapes: np.ndarray


class Columns(NamedTuple):
    """What is made, as in `PackedTemplates`, with room for all minutiae."""

    codes: np.ndarray
    texture: np.ndarray
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    quality: np.ndarray
    source: np.ndarray


@kernel(inner=True)
def _codes(columns, many, tables, work, cells, codes, order):
    """Codes of the minutiae of a template; which are usable, by direction: their number.

    columns : (3, P) int32; work : (6, P) int32; cells : (320,) int32; codes : (P, 5) uint64;
    order : (P,) int64.
    """
    turns, near, touched, shares = tables.turns, tables.near, tables.touched, tables.shares
    x, y, angle = columns[0], columns[1], columns[2]
    found = 0
    for a in range(many):
        see_cells(x, y, angle, many, a, turns, near, touched, shares, work, cells)
        if set_largest(cells, tables.weight, codes[a]):
            turn = direction(angle[a])
            # The first of equal ones stays before the others.
            at = found
            while at > 0 and direction(angle[order[at - 1]]) > turn:
                order[at] = order[at - 1]
                at -= 1
            order[at] = a
            found += 1
    return found


@kernel(inline=True)
def direction(angle):
    """In 256 units a turn, of 65536."""
    return ((angle + 128) >> 8) & 255


@kernel
def search_forms(given, tables, around, out, offsets):
    """Search forms of templates, one after the other: row t lies up to ``offsets[t + 1]``.

    given : `Given`; tables, around : `FormTables`, `TextureTables`; out : `Columns`;
    offsets : (T + 1,) int64.
    """
    longest = 0
    largest = 0
    for t in range(given.shapes.shape[0]):
        longest = max(longest, given.starts[t + 1] - given.starts[t])
        height, width = given.shapes[t, 1], given.shapes[t, 2]
        largest = max(largest, (height + 2 * around.margin) * (width + 2 * around.margin))
    room = (longest // LANES + 1) * LANES
    columns = np.zeros((3, room), np.int32)
    scratch = np.empty((6, room), np.int32)
    cells = np.empty(PADDED, np.int32)
    codes = np.empty((room, out.codes.shape[1]), np.uint64)
    order = np.empty(room, np.int64)
    vectors = np.empty(CHANNELS * largest, np.int16)
    work = np.empty((9, ROOM), np.int32)
    work[:] = -1
    total = 0
    offsets[0] = 0
    for t in range(given.shapes.shape[0]):
        first = given.starts[t]
        many = given.starts[t + 1] - first
        for a in range(many):
            columns[0, a] = given.xy[first + a, 0]
            columns[1, a] = given.xy[first + a, 1]
            columns[2, a] = given.angle[first + a]
        found = _codes(columns, many, tables, scratch, cells, codes, order)
        begin, height, width = given.shapes[t, 0], given.shapes[t, 1], given.shapes[t, 2]
        if height > 0:
            field = given.fields[begin : begin + height * width]
            lay_field_out(field, height, width, around.double, around.margin, vectors)
        across = width + 2 * around.margin
        for k in range(found):
            a = order[k]
            # Copied as a whole, it would be compiled with the text of an error: a second longer.
            for word in range(codes.shape[1]):
                out.codes[total, word] = codes[a, word]
            out.x[total] = given.xy[first + a, 0]
            out.y[total] = given.xy[first + a, 1]
            out.angle[total] = direction(columns[2, a])
            out.quality[total] = given.quality[first + a]
            out.source[total] = given.source[first + a]
            if height > 0:
                see_texture(
                    columns[0, a], columns[1, a], columns[2, a], across, around, vectors, work,
                    out.texture[total],
                )  # fmt: skip
            else:
                out.texture[total] = 0
            total += 1
        offsets[t + 1] = total
