"""Where the finger is: gradient magnitude, thresholded and cleaned."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


@takes(pixels=array_of("uint8", 2))
def segment(
    pixels: NDArray[np.uint8], parameters: MinutiaeParameters = MINUTIAE
) -> NDArray[np.uint8]:
    """Mask of the finger area.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    pixels : (H, W) uint8
        Gray levels at 500 ppi.

    Returns
    -------
    mask : (H, W) uint8
        1 on the largest connected area of ridge-like contrast, holes filled, else 0. All zero
        where the image has no contrast.

    Notes
    -----
    After GMFS (Cappelli 2023): smoothed gradient magnitude over a share of its high percentile,
    then closing, largest component, hole filling, opening. Works at half resolution. O(H W).
    """
    height, width = pixels.shape
    gx, gy = cv2.spatialGradient(pixels)
    magnitude = cv2.magnitude(gx.astype(np.float32), gy.astype(np.float32))
    size = (-(-width // 2), -(-height // 2))
    small = cv2.resize(magnitude, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), parameters.segment_sigma / 2)
    full = float(np.percentile(small, parameters.segment_percentile))
    if full <= 0:
        return np.zeros((height, width), np.uint8)
    area = (small > parameters.segment_threshold * full).astype(np.uint8)
    area = _close(area, parameters.segment_close // 2)
    area = _fill(_largest(area))
    area = _open(area, parameters.segment_open // 2)
    mask = cv2.resize(area, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(mask, np.uint8)


@takes(mask=array_of("uint8", 2), coherence=array_of("float32", 2))
def restrict(
    mask: NDArray[np.uint8],
    coherence: NDArray[np.float32],
    parameters: MinutiaeParameters = MINUTIAE,
) -> NDArray[np.uint8]:
    """The part of the mask where ridges run in a direction.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    mask : (H, W) uint8
        From `segment`; sensor texture, smudges and dust pass it.
    coherence : (ceil(H / 2), ceil(W / 2)) float32
        From `orientation_field`.

    Returns
    -------
    (H, W) uint8
    """
    height, width = mask.shape
    radius = parameters.coherence_clean // 2
    smooth = cv2.GaussianBlur(coherence, (0, 0), parameters.coherence_smooth / 2)
    # A print that is faint all over is measured by its own standard, or it would fall to pieces.
    own = coherence[mask[::2, ::2] > 0]
    least = parameters.coherence_least
    if own.size:
        least = min(least, parameters.coherence_share * float(np.median(own)))
    area = (smooth > least).astype(np.uint8)
    area = cv2.morphologyEx(area, cv2.MORPH_CLOSE, _CROSS, iterations=radius)
    area = cv2.morphologyEx(area, cv2.MORPH_OPEN, _CROSS, iterations=radius)
    rows, columns = area.shape
    large = cv2.resize(area, (2 * columns, 2 * rows), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(mask & large[:height, :width])


_CROSS = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def _close(area: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    out: NDArray[np.uint8] = cv2.morphologyEx(area, cv2.MORPH_CLOSE, _CROSS, iterations=radius)
    return out


def _open(area: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    p = radius + 4
    padded = cv2.copyMakeBorder(area, p, p, p, p, cv2.BORDER_CONSTANT, value=0)
    padded = cv2.morphologyEx(padded, cv2.MORPH_OPEN, _CROSS, iterations=radius)
    return np.ascontiguousarray(padded[p:-p, p:-p])


def _largest(area: NDArray[np.uint8]) -> NDArray[np.uint8]:
    count, label, statistics, _ = cv2.connectedComponentsWithStats(area, connectivity=4)
    if count <= 2:
        return area
    best = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return (label == best).astype(np.uint8)


def _fill(area: NDArray[np.uint8]) -> NDArray[np.uint8]:
    outside = cv2.copyMakeBorder(1 - area, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, label = cv2.connectedComponents(outside, connectivity=4)
    filled = label != label[0, 0]
    return np.ascontiguousarray(filled[1:-1, 1:-1]).astype(np.uint8)
