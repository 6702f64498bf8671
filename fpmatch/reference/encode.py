"""The descriptor once more, in plain NumPy: one array operation per sentence of its definition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.parameters import DESCRIPTOR, TEMPLATE
from fpmatch.template import Template


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceForm:
    """The usable minutiae of one impression, sorted by angle, with one array entry per bit.

    Parameters
    ----------
    bits : (M, 312) int64
        Cylinder code, 0 or 1.
    texture : (M, 52, 2) int64
        Orientation texture, 0 or 1; 0 where not valid.
    valid : (M, 52) int64
        Texture cells inside the finger, 0 or 1.
    xy : (M, 2) int64
        Eighths of a pixel at 500 ppi.
    angle : (M,) int64
        256 units a turn.
    source : (M,) int64
        Index in the `Template`.
    """

    bits: NDArray[np.int64]
    texture: NDArray[np.int64]
    valid: NDArray[np.int64]
    xy: NDArray[np.int64]
    angle: NDArray[np.int64]
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.angle)


@takes(template=Template)
def encode(template: Template) -> ReferenceForm:
    """Compute the same codes as `fpmatch.descriptor.encode`, bit for bit, only slower."""
    best = sorted(range(len(template)), key=lambda k: (-int(template.quality[k]), k))
    chosen = np.array(sorted(best[: DESCRIPTOR.max_minutiae]), np.int64)
    xy = template.xy[chosen].astype(np.int64)
    angle = template.angle[chosen].astype(np.int64)
    bits = _cylinders(xy, angle)
    texture, valid = _texture(xy, angle, template.orientation)
    turn = (angle + 128) // 256 % 256
    usable = bits.sum(axis=1) == DESCRIPTOR.weight
    order = np.array([k for k in np.argsort(turn, kind="stable") if usable[k]], np.int64)
    return ReferenceForm(
        bits[order], texture[order], valid[order], xy[order], turn[order], chosen[order]
    )


def _turned(angle: NDArray[np.int64], times: int = 1) -> tuple[NDArray, NDArray]:
    """Cosine and sine of (a multiple of) angles, rounded to 1/1024 turn and scaled by 2**14."""
    turn = (angle + 32) // 64 * times % 1024
    cosine, sine = _circle()
    return cosine[turn], sine[turn]


@cache
def _circle() -> tuple[NDArray, NDArray]:
    turns = [2 * math.pi * k / 1024 for k in range(1024)]
    cosine = np.array([round(16384 * math.cos(t)) for t in turns])
    return cosine, np.array([round(16384 * math.sin(t)) for t in turns])


@cache
def _grid() -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Cell centres along one axis, eighths of a pixel, and which cells lie in the disc."""
    p = DESCRIPTOR
    axis = [((k + 0.5) * 2 / p.side - 1) * p.radius for k in range(p.side)]
    inside = [[x * x + y * y <= p.radius * p.radius for x in axis] for y in axis]
    return np.array([round(a * TEMPLATE.subpixel) for a in axis]), np.array(inside)


def _cylinders(xy: NDArray[np.int64], angle: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M, 312) codes: the largest cells of every minutia's cylinder."""
    p = DESCRIPTOR
    m = len(angle)
    axis, inside = _grid()
    cosine, sine = (side[:, None] for side in _turned(angle))
    dx = xy[None, :, 0] - xy[:, None, 0]
    dy = xy[None, :, 1] - xy[:, None, 1]
    u = (cosine * dx + sine * dy + 8192) // 16384
    v = (cosine * dy - sine * dx + 8192) // 16384
    reach = round(p.spatial_reach * TEMPLATE.subpixel)

    gauss = [
        round(1024 * math.exp(-((k / TEMPLATE.subpixel) ** 2) / (2 * p.spatial_deviation**2)))
        for k in range(reach + 1)
    ]
    weight = np.array([*gauss, 0])
    across = weight[np.minimum(np.abs(axis - u[:, :, None]), reach + 1)]
    down = weight[np.minimum(np.abs(axis - v[:, :, None]), reach + 1)]
    near = down[:, :, :, None] * across[:, :, None, :] // 256
    near[np.arange(m), np.arange(m)] = 0
    turned = ((angle[:, None] - angle[None, :]) % 65536 + 128) // 256 % 256
    cells = near[:, :, inside]
    values = np.einsum("abc,abs->acs", cells, _sections()[turned])
    values = values.reshape(m, inside.sum() * p.sections)
    bits = np.zeros_like(values)
    for row, value in zip(bits, values, strict=True):
        ranked = np.argsort(-value, kind="stable")[: p.weight]
        row[ranked[value[ranked] > 0]] = 1
    return bits


@cache
def _sections() -> NDArray[np.int64]:
    """Share of a neighbour's direction, Gaussian about its value, in each direction section."""
    p = DESCRIPTOR
    width = 2 * math.pi / p.sections
    scale = 1 / (p.direction_deviation * math.sqrt(2))
    rows = []
    for k in range(256):
        row = []
        for s in range(p.sections):
            away = (s + 0.5) * width - 2 * math.pi * k / 256
            away = (away + math.pi) % (2 * math.pi) - math.pi
            high, low = (away + width / 2) * scale, (away - width / 2) * scale
            row.append(round(1024 * (0.5 * (math.erf(high) - math.erf(low)))))
        rows.append(row)
    return np.array(rows)


def _texture(
    xy: NDArray[np.int64], angle: NDArray[np.int64], field: NDArray[np.uint8] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(M, 52, 2) signs of the cosine and sine of twice the relative orientation; (M, 52) valid."""
    axis, inside = _grid()
    rows, columns = np.nonzero(inside)
    m = len(angle)
    if field is None:
        return np.zeros((m, len(rows), 2), np.int64), np.zeros((m, len(rows)), np.int64)
    cosine, sine = (side[:, None] for side in _turned(angle))
    ox, oy = axis[columns], axis[rows]
    px = xy[:, :1] + (cosine * ox - sine * oy + 8192) // 16384
    py = xy[:, 1:] + (sine * ox + cosine * oy + 8192) // 16384
    vector, weight = _interpolate(field, px, py)
    cosine, sine = (side[:, None] for side in _turned(angle, times=2))
    along = vector[..., 0] * cosine + vector[..., 1] * sine
    aside = vector[..., 1] * cosine - vector[..., 0] * sine
    cell = TEMPLATE.orientation_cell * TEMPLATE.subpixel
    valid = weight >= round(DESCRIPTOR.texture_share * cell * cell)
    texture = np.stack([along >= 0, aside >= 0], axis=-1) & valid[..., None]
    return texture.astype(np.int64), valid.astype(np.int64)


def _interpolate(
    field: NDArray[np.uint8], px: NDArray[np.int64], py: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Doubled-angle vectors (..., 2) between the four nearest cell centres; weight inside."""
    cell = TEMPLATE.orientation_cell * TEMPLATE.subpixel
    angles = [2 * math.pi * (value - 0.5) / 255 for value in range(256)]
    double = np.array([[round(1024 * math.cos(a)), round(1024 * math.sin(a))] for a in angles])
    double[0] = 0
    padded = np.pad(field, 1).astype(np.int64)
    gx, gy = px - cell // 2, py - cell // 2
    column, row = gx // cell, gy // cell
    vector = np.zeros((*px.shape, 2), np.int64)
    inside = np.zeros(px.shape, np.int64)
    for down in (0, 1):
        for right in (0, 1):
            w = np.abs(gy - (row + 1 - down) * cell) * np.abs(gx - (column + 1 - right) * cell)
            r = np.clip(row + down + 1, 0, padded.shape[0] - 1)
            c = np.clip(column + right + 1, 0, padded.shape[1] - 1)
            value = padded[r, c]
            vector += w[..., None] * double[value]
            inside += w * (value != 0)
    return vector, inside
