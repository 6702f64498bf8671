"""Output maps of the learned extractor -> minutiae."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import NEURAL, NeuralParameters

_NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
_SAME = 0.75
"""Neighbouring cells that place a minutia this close, cells, speak of the same one."""


def decode(
    maps: NDArray[np.float32],
    mask: NDArray[np.uint8],
    stride: int,
    least: float,
    parameters: NeuralParameters = NEURAL,
    odds: tuple[float, float] = (1.0, 0.0),
) -> NDArray[np.float32]:
    """Local maxima of the confidence inside the finger.

    Parameters
    ----------
    parameters : NeuralParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    maps : (>= 6, h, w) float32
        Confidence (logit), offset x and y (cells), cos and sin of the direction, type (logit).
    mask : (H, W) uint8
    stride : int
        Pixels per cell.
    least : float
        Lowest confidence.
    odds : tuple of float
        Slope and offset of the confidence's log-odds.

    Returns
    -------
    (M, 5) float32
        x, y, direction (radians), kind, confidence; in raster order of their cells.

    Notes
    -----
    Position and direction are means over the peak's cell and those of its neighbours that point
    to the same place, weighed by their confidence.
    """
    heat = 1 / (1 + np.exp(-(odds[0] * maps[0] + odds[1])))
    peak = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= least)
    row, column = np.nonzero(peak)
    x, y, angle = _refine(heat, maps, row, column)
    x, y = x * stride - 0.5, y * stride - 0.5
    height, width = mask.shape
    xi = np.clip(np.rint(x), 0, width - 1).astype(np.intp)
    yi = np.clip(np.rint(y), 0, height - 1).astype(np.intp)
    kind = np.where(maps[5, row, column] > 0, 2, 1)
    out = np.stack([x, y, angle, kind, heat[row, column]], axis=1).astype(np.float32)
    out = out[mask[yi, xi] > 0]
    return out[_apart(out, parameters.min_distance)]


def _refine(
    heat: NDArray[np.float32],
    maps: NDArray[np.float32],
    row: NDArray[np.intp],
    column: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """x, y (cells) and direction (radians in [0, 2 pi)) of the peaks."""
    weight = np.pad(heat, 1)
    value = np.pad(maps[1:5], ((0, 0), (1, 1), (1, 1)))
    own_x = column + 0.5 + maps[1, row, column]
    own_y = row + 0.5 + maps[2, row, column]
    total = np.zeros((5, len(row)))
    for i, j in _NEIGHBOURS:
        dx, dy, cos, sin = value[:, row + i + 1, column + j + 1]
        x, y = column + j + 0.5 + dx, row + i + 0.5 + dy
        same = np.hypot(x - own_x, y - own_y) < _SAME
        w = np.where(same, weight[row + i + 1, column + j + 1], 0)
        total += w * np.stack([x, y, cos, sin, np.ones_like(x)])
    x, y, cos, sin, w = total
    return x / w, y / w, np.mod(np.arctan2(sin, cos), 2 * np.pi)


def _apart(found: NDArray[np.float32], distance: float) -> NDArray[np.intp]:
    """Indices kept, in raster order, when of any two too close the less confident one goes."""
    order = np.argsort(-found[:, 4], kind="stable")
    near = np.hypot(*(found[:, None, :2] - found[None, :, :2]).transpose(2, 0, 1)) < distance
    kept: list[int] = []
    for i in order:
        if not near[i, kept].any():
            kept.append(int(i))
    return np.sort(np.array(kept, np.intp))
