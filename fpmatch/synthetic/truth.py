"""The ridge pattern's own minutiae: what every impression's ground truth comes from."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels

_DIAGONAL = np.ones((3, 3), np.int64)


def tidy(ridge: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sink islands and fill lakes too small to be drawn by any sensor.

    Returns
    -------
    (H, W) int16
        The profile with the sign of these spots turned.
    """
    out = ridge.copy()
    for sign, structure in ((1, _DIAGONAL), (-1, None)):
        label, count = ndimage.label(sign * out > 0, structure)
        size = np.bincount(label.ravel(), minlength=count + 1)
        small = (size < SYNTHETIC.smallest_spot)[label] & (label > 0)
        out[small] = -sign * np.maximum(np.abs(out[small]), 1)
    return out


@functools.cache
def _thinning_table() -> NDArray[np.uint8]:
    """Deletable neighbourhoods of the two half passes (Zhang and Suen, 1984)."""
    table = np.zeros((2, 256), np.uint8)
    for code in range(256):
        n, _, e, _, s, _, w, _ = bits = [(code >> k) & 1 for k in range(8)]
        rises = sum(bits[k] == 0 and bits[(k + 1) % 8] == 1 for k in range(8))
        if 2 <= sum(bits) <= 6 and rises == 1:
            table[0, code] = not (n and e and s) and not (e and s and w)
            table[1, code] = not (n and e and w) and not (n and s and w)
    return table


def skeleton(pattern: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Thin a ridge pattern to lines of one pixel, without staircases and short spurs."""
    lines = np.zeros(pattern.shape, np.uint8)
    _kernels.thin(pattern.astype(np.uint8), _thinning_table(), lines)
    lines = _without_corners(lines)
    pruned = lines.copy()
    _kernels.prune(lines, SYNTHETIC.longest_spur, pruned)
    out = np.zeros_like(pruned)
    _kernels.thin(pruned, _thinning_table(), out)
    return _without_corners(out)


def _without_corners(lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop the middle pixel of right-angled corners, which would count as forks."""
    out = np.pad(lines, 1)
    n, s = out[:-2, 1:-1], out[2:, 1:-1]
    w, e = out[1:-1, :-2], out[1:-1, 2:]
    me = out[1:-1, 1:-1]
    corners = (out[:-2, :-2], out[:-2, 2:], out[2:, 2:], out[2:, :-2])  # nw ne se sw
    for one, two, gone, far, opposite in (
        (n, e, s, w, corners[3]),
        (e, s, n, w, corners[0]),
        (s, w, n, e, corners[1]),
        (w, n, s, e, corners[2]),
    ):
        me[(me & one & two & (1 - gone) & (1 - far) & (1 - opposite)) > 0] = 0
    return np.ascontiguousarray(me)


def pattern_minutiae(
    lines: NDArray[np.uint8], orientation: NDArray[np.float64], inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Endings and bifurcations of thinned ridges.

    Returns
    -------
    xy : (M, 2) float64, angle : (M,) float64 in [0, 2 pi), kind : (M,) uint8
        The direction is the orientation field's, on the side to which the branches lead.
    """
    found = np.empty((4000, 4))
    count = _kernels.find_minutiae(lines, SYNTHETIC.branch_reach, found)
    found = found[:count]
    x, y = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
    found = found[inside[y, x]]
    x, y = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
    flow = orientation[y, x]
    angle = np.where(np.cos(found[:, 2] - flow) >= 0, flow, flow + np.pi)
    return found[:, :2].copy(), np.mod(angle, 2 * np.pi), found[:, 3].astype(np.uint8)
