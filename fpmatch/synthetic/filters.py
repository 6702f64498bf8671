"""Filters on patterns, in plain sums of a fixed order: the same prints on every machine."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def smoothed(image: NDArray, sigma: float, *, reach: float = 3.0) -> NDArray:
    """Gaussian filter; beyond its edges a picture is mirrored.

    Parameters
    ----------
    image : (H, W) number
        Of whole numbers each direction is cut to whole numbers again.
    sigma : float
        Pixels.
    reach : float
        Where the bell ends, in sigmas.

    Returns
    -------
    (H, W), as `image`
    """
    radius = int(reach * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    out = image
    for axis in (0, 1):
        wide = np.pad(
            out.astype(np.float64), [(radius * (axis == a),) * 2 for a in (0, 1)], "symmetric"
        )
        rows = np.moveaxis(wide, axis, 0)
        count = image.shape[axis]
        total = rows[radius : radius + count] * weights[radius]
        for k in range(radius):
            far = 2 * radius - k
            total += (rows[k : k + count] + rows[far : far + count]) * weights[k]
        out = np.moveaxis(total, 0, axis).astype(image.dtype)
    return out


def without_necks(pattern: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Opened, then closed, by a pixel and its four neighbours; outside is nothing.

    Parameters
    ----------
    pattern : (H, W) bool
    """
    return _worn(_grown(_grown(_worn(pattern))))


def parts(pattern: NDArray[np.bool_], *, corners: bool) -> NDArray[np.int32]:
    """Number the connected parts from 1; 0 where there is none.

    Parameters
    ----------
    pattern : (H, W) bool
    corners : bool
        Whether pixels that touch at a corner are connected.

    Returns
    -------
    (H, W) int32
    """
    mask = np.ascontiguousarray(pattern, np.uint8)
    return np.asarray(cv2.connectedComponents(mask, connectivity=8 if corners else 4)[1], np.int32)


def _grown(pattern: NDArray[np.bool_]) -> NDArray[np.bool_]:
    p = np.pad(pattern, 1)
    return p[1:-1, 1:-1] | p[:-2, 1:-1] | p[2:, 1:-1] | p[1:-1, :-2] | p[1:-1, 2:]


def _worn(pattern: NDArray[np.bool_]) -> NDArray[np.bool_]:
    p = np.pad(pattern, 1)
    return p[1:-1, 1:-1] & p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:]
