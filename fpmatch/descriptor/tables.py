"""The look-up tables of the descriptor, computed once from the parameters."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from fpmatch.descriptor._kernels import CodeTables, TextureTables
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
    # Of every place that reaches a cell, from -reach to reach: the weight of each, and which.
    most = int(axis[-1]) + len(gauss)
    away = np.abs(axis[None] - np.arange(-most, most + 1)[:, None])
    near = np.append(gauss, 0).astype(np.int32)[np.minimum(away, len(gauss))]
    there = away < len(gauss)
    first = there.argmax(axis=1)
    last = np.where(there.any(axis=1), p.side - there[:, ::-1].argmax(axis=1), first)
    # One vector register of 32-bit numbers each, of which the last are 0.
    shares = np.zeros((len(section), 8), np.int32)
    shares[:, : p.sections] = section
    return CodeTables(
        cosine=cosine,
        sine=sine,
        gauss=np.array(gauss, np.int32),
        section=section,
        shares=shares,
        number=number,
        axis=axis,
        near=near,
        reached=np.stack([first, last], axis=1).astype(np.uint8),
        weight=p.weight,
        words=-(-len(centres) * p.sections // 64),
    )


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
def texture_tables(p: DescriptorParameters = DESCRIPTOR) -> TextureTables:
    """Tables of the orientation texture."""
    cosine, sine = rotation()
    double = np.zeros((256, 2), np.int32)
    for value in range(1, 256):
        # A cell's byte stands for the middle of its 1/255 of the half turn.
        angle = 2 * math.pi * (value - 0.5) / 255
        double[value] = round(ONE * math.cos(angle)), round(ONE * math.sin(angle))
    cell = TEMPLATE.orientation_cell * TEMPLATE.subpixel
    return TextureTables(
        cosine=cosine,
        sine=sine,
        centres=np.ascontiguousarray(cell_centres(p)[:, :2]),
        double=double,
        cell=cell,
        cell_bits=cell.bit_length() - 1,
        margin=2 + round(p.radius * TEMPLATE.subpixel) // cell,
        least=round(p.texture_share * cell * cell),
    )
