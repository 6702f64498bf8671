"""The look-up tables of the descriptor, computed once from the parameters."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from fpmatch.descriptor._kernels import WEIGHT_BITS, FormTables, TextureTables
from fpmatch.parameters import DESCRIPTOR, TEMPLATE, DescriptorParameters

TURN = 1024
"""Units a turn of the tables of cosine and sine."""
ONE = 1024
"""Fixed-point one of the tables of weights."""


@cache
def cell_centres(p: DescriptorParameters = DESCRIPTOR) -> np.ndarray:
    """Centres of the cells inside the disc.

    Returns
    -------
    (C, 3) int32
        x and y in eighths of a pixel relative to the minutia, and the cell's number in the square
        grid, counted row by row.
    """
    step = 2 * p.radius / p.side
    rows = []
    for row in range(p.side):
        for column in range(p.side):
            x = (column + 0.5) * step - p.radius
            y = (row + 0.5) * step - p.radius
            if x * x + y * y <= p.radius * p.radius:
                unit = TEMPLATE.subpixel
                rows.append((round(x * unit), round(y * unit), row * p.side + column))
    return np.array(rows, np.int32)


@cache
def rotation() -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of `TURN` angles, (1024,) int32, scaled by 2**14."""
    turn = [2 * math.pi * k / TURN for k in range(TURN)]
    cosine = np.array([round(16384 * math.cos(t)) for t in turn], np.int32)
    sine = np.array([round(16384 * math.sin(t)) for t in turn], np.int32)
    return cosine, sine


class CodeTables(NamedTuple):
    """What cylinder codes and sketches are made with.

    Parameters
    ----------
    cosine, sine : (1024,) int32
        As `rotation` gives them.
    gauss : (G,) int32
        Weight of a neighbour by how far away it is, eighths of a pixel.
    section : (256, 6) int32
        Share of a neighbour's direction that falls in each section.
    number : (64,) int32
        Of each cell of the grid its number in the disc, or -1.
    axis : (8,) int32
        Middle of each column and each row, eighths of a pixel.
    turns : (1024, 2) int32
        Cosine and sine.
    near : (U, 8) int16
        Of every place that reaches a cell, from -reach to reach: the weight of each, times 16.
    touched : (U,) uint8
        Which pairs of rows such a place reaches, a bit for each.
    shares : (256, 8) int16
        As `section`, the last two 0.
    weight, words : int
        Bits set in a code, and its words of 64.
    """

    cosine: np.ndarray
    sine: np.ndarray
    gauss: np.ndarray
    section: np.ndarray
    number: np.ndarray
    axis: np.ndarray
    turns: np.ndarray
    near: np.ndarray
    touched: np.ndarray
    shares: np.ndarray
    weight: int
    words: int


@cache
def code_tables(p: DescriptorParameters = DESCRIPTOR) -> CodeTables:
    """Tables of the cylinder codes."""
    unit = TEMPLATE.subpixel
    reach = round(p.spatial_reach * unit)
    gauss = [
        round(ONE * math.exp(-((k / unit) ** 2) / (2 * p.spatial_deviation**2)))
        for k in range(reach + 1)
    ]
    number = np.full(p.side * p.side, -1, np.int32)
    centres = cell_centres(p)
    number[centres[:, 2]] = np.arange(len(centres))
    cosine, sine = rotation()
    section = _section_weights(p)
    axis = np.array(
        [round(((k + 0.5) * 2 / p.side - 1) * p.radius * unit) for k in range(p.side)], np.int32
    )
    most = int(axis[-1]) + len(gauss)
    away = np.abs(axis[None] - np.arange(-most, most + 1)[:, None])
    near = np.append(gauss, 0)[np.minimum(away, len(gauss))]
    there = (away < len(gauss)).reshape(len(away), -1, 2).any(axis=2)
    shares = np.zeros((len(section), 8), np.int16)
    shares[:, : p.sections] = section
    return CodeTables(
        cosine=cosine,
        sine=sine,
        gauss=np.array(gauss, np.int32),
        section=section,
        number=number,
        axis=axis,
        turns=turns(),
        near=(near << WEIGHT_BITS).astype(np.int16),
        touched=(there @ (1 << np.arange(there.shape[1]))).astype(np.uint8),
        shares=shares,
        weight=p.weight,
        words=-(-len(centres) * p.sections // 64),
    )


@cache
def form_tables() -> FormTables:
    """What a kernel needs of `code_tables`."""
    tables = code_tables()
    return FormTables(tables.turns, tables.near, tables.touched, tables.shares, tables.weight)


def _section_weights(p: DescriptorParameters) -> np.ndarray:
    """Share of a neighbour's direction that falls in each section, (256, sections) int32."""
    width = 2 * math.pi / p.sections
    scale = 1 / (p.direction_deviation * math.sqrt(2))
    table = np.zeros((256, p.sections), np.int32)
    for k in range(256):
        for s in range(p.sections):
            away = (s + 0.5) * width - 2 * math.pi * k / 256
            away = (away + math.pi) % (2 * math.pi) - math.pi
            share = 0.5 * (
                math.erf((away + width / 2) * scale) - math.erf((away - width / 2) * scale)
            )
            table[k, s] = round(ONE * share)
    return table


@cache
def turns() -> np.ndarray:
    """Cosine and sine side by side, (1024, 2) int32."""
    return np.ascontiguousarray(np.stack(rotation(), axis=1))


@cache
def texture_tables(p: DescriptorParameters = DESCRIPTOR) -> TextureTables:
    """Tables of the orientation texture."""
    double = np.zeros((256, 2), np.int16)
    for value in range(1, 256):
        # A cell's byte stands for the middle of its 1/255 of the half turn.
        angle = 2 * math.pi * (value - 0.5) / 255
        double[value] = round(ONE * math.cos(angle)), round(ONE * math.sin(angle))
    cell = TEMPLATE.orientation_cell * TEMPLATE.subpixel
    return TextureTables(
        turns=turns(),
        centres=np.ascontiguousarray(cell_centres(p)[:, :2].T),
        double=double,
        cell=cell,
        cell_bits=cell.bit_length() - 1,
        margin=2 + round(p.radius * TEMPLATE.subpixel) // cell,
        least=round(p.texture_share * cell * cell),
    )
