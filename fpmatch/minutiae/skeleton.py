"""Enhanced image -> binary ridges -> lines one pixel wide."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.minutiae._kernels import thin
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


@takes(enhanced=array_of("float32", 2), mask=array_of("uint8", 2))
def binarise(
    enhanced: NDArray[np.float32],
    mask: NDArray[np.uint8],
    parameters: MinutiaeParameters = MINUTIAE,
) -> NDArray[np.uint8]:
    """Sign of the enhanced image, without islands and pores.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    enhanced : (H, W) float32
        Negative on ridges.
    mask : (H, W) uint8

    Returns
    -------
    (H, W) uint8
        1 on ridges.
    """
    ridges = ((enhanced < 0) & (mask > 0)).astype(np.uint8)
    ridges = _drop(ridges, parameters.island_area, 8)
    return 1 - _drop(1 - ridges, parameters.hole_area, 4)


def _drop(image: NDArray[np.uint8], area: int, connectivity: int) -> NDArray[np.uint8]:
    _, label, statistics, _ = cv2.connectedComponentsWithStats(image, connectivity=connectivity)
    large = (statistics[:, cv2.CC_STAT_AREA] >= area).astype(np.uint8)
    large[0] = 0
    return large[label]


@takes(ridges=array_of("uint8", 2))
def skeletonise(ridges: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Thin to lines one pixel wide, 8-connected.

    Parameters
    ----------
    ridges : (H, W) uint8
        0 or 1.

    Returns
    -------
    (H, W) uint8
        The two outermost rows and columns are 0.

    Notes
    -----
    Zhang & Suen (1984) over a shrinking list of pixels, then removal of the corner pixels that
    connectivity does not need. O(ones * width of the widest ridge).
    """
    out = ridges.copy()
    out[:2] = 0
    out[-2:] = 0
    out[:, :2] = 0
    out[:, -2:] = 0
    count = int(out.sum())
    thin(out, REMOVABLE, REDUNDANT, np.empty(count, np.int32), np.empty(count, np.int32))
    return out


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    crossings = np.zeros(256, np.uint8)
    removable = np.zeros((2, 256), np.uint8)
    redundant = np.zeros(256, np.uint8)
    for code in range(256):
        p = [code >> k & 1 for k in range(8)]
        n, _, e, _, s, _, w, _ = p
        rises = sum(p[k] == 0 and p[(k + 1) % 8] == 1 for k in range(8))
        crossings[code] = rises
        if 2 <= sum(p) <= 6 and rises == 1:
            removable[0, code] = not (n and e and s) and not (e and s and w)
            removable[1, code] = not (n and e and w) and not (n and s and w)
        # Neighbours in one 8-connected piece that touches a side, and at least two of them.
        q = p.copy()
        for k in range(1, 8, 2):
            q[k] = p[k] or (p[k - 1] and p[(k + 1) % 8])
        pieces = sum(not p[k] and (p[k + 1] or p[(k + 2) % 8]) for k in range(0, 8, 2))
        redundant[code] = pieces == 1 and sum(p) >= 2
    return crossings, removable, redundant


CROSSINGS, REMOVABLE, REDUNDANT = _tables()
"""By neighbour code: lines that meet; removable by half-step; not needed for connectivity."""
