"""The ridge pattern's own minutiae: what every impression's ground truth comes from."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.filters import parts, smoothed, without_necks


def tidy(ridge: NDArray[np.int16]) -> NDArray[np.int16]:
    """Make a grown pattern decide everywhere: no hair-thin necks and gaps, no specks.

    Necks and gaps under three pixels go first, then islands and lakes; then the profile is mixed
    with that of the pattern so cleaned, so that no detail hangs on a last bit of interpolation.

    Parameters
    ----------
    ridge : (H, W) int16
        Profile; ridges positive.

    Returns
    -------
    (H, W) int16
    """
    top = SYNTHETIC.growth_top
    pattern = without_necks(ridge > 0)
    for sign in (True, False):
        label = parts(pattern == sign, corners=sign)
        size = np.bincount(label.ravel())
        pattern ^= (size < SYNTHETIC.smallest_spot)[label] & (label > 0)
    sharp = smoothed(np.where(pattern, top, -top), 1.0)
    mixed = 0.45 * np.clip(ridge, -top, top) + 0.55 * sharp
    decided = np.where(pattern, np.maximum(mixed, 1), np.minimum(mixed, -1))
    return np.rint(decided).astype(np.int16)


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


def skeleton(ridge: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Thin a ridge profile to lines of one pixel, without staircases and short spurs.

    Thinned at twice the resolution, where it eats less of the ridges' ends.

    Parameters
    ----------
    ridge : (H, W) int16
        Profile; ridges positive.

    Returns
    -------
    (2 H - 1, 2 W - 1) uint8
        Pixel (2 i, 2 j) is pixel (i, j) of the profile.
    """
    height, width = ridge.shape
    wide = np.empty((height, 2 * width - 1), np.int32)
    wide[:, ::2] = 4 * ridge.astype(np.int32)
    wide[:, 1::2] = (wide[:, :-1:2] + wide[:, 2::2]) // 2
    fine = np.empty((2 * height - 1, 2 * width - 1), np.int32)
    fine[::2] = wide
    fine[1::2] = (wide[:-1] + wide[1:]) // 2
    lines = np.zeros(fine.shape, np.uint8)
    _kernels.thin((fine > 0).astype(np.uint8), _thinning_table(), lines)
    lines = _without_corners(lines)
    pruned = lines.copy()
    _kernels.prune(lines, 2 * SYNTHETIC.longest_spur, pruned)
    return _without_corners(pruned)


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

    Parameters
    ----------
    lines : (2 H - 1, 2 W - 1) uint8
        See `skeleton`.
    orientation : (H, W) float64
        Radians in [0, pi), 0 along +x, clockwise.
    inside : (H, W) bool
        Where minutiae count.

    Returns
    -------
    xy : (M, 2) float64, angle : (M,) float64 in [0, 2 pi), kind : (M,) uint8
        The direction is the orientation field's, on the side to which the branches lead.
    """
    found = np.empty((4000, 4))
    count = _kernels.find_minutiae(lines, 2 * SYNTHETIC.branch_reach, found)
    found = found[:count]
    found[:, :2] /= 2
    x, y = np.rint(found[:, :2]).astype(np.int64).T
    found = found[inside[y, x]]
    x, y = np.rint(found[:, :2]).astype(np.int64).T
    flow = orientation[y, x]
    angle = np.where(np.cos(found[:, 2] - flow) >= 0, flow, flow + np.pi)
    return found[:, :2].copy(), np.mod(angle, 2 * np.pi), found[:, 3].astype(np.uint8)
