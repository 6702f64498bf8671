"""Confidence of minutiae and quality of the whole impression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.minutiae.orientation import OrientationField
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


def quality_map(
    enhanced: NDArray[np.float32], mask: NDArray[np.uint8], field: OrientationField
) -> NDArray[np.float32]:
    """Local clarity of the ridges, 0 to 1, at half resolution.

    Enhanced amplitude relative to the best of the image, times orientation coherence.

    Parameters
    ----------
    enhanced : ndarray of float32
        (H, W) enhanced ridges.
    mask : ndarray of uint8
        (H, W), not 0 where the finger is.
    field : OrientationField
        Ridge directions in blocks.
    """
    rows, columns = field.cosine.shape
    size = (columns, rows)
    power = cv2.resize(enhanced * enhanced, size, interpolation=cv2.INTER_AREA)
    amplitude = np.sqrt(cv2.GaussianBlur(power, (0, 0), 3.0))
    inside = mask[::2, ::2] > 0
    if not inside.any():
        return np.zeros((rows, columns), np.float32)
    full = np.percentile(amplitude[inside], 90) + 1e-6
    out = np.clip(amplitude / full * field.coherence * 1.5, 0, 1) * inside
    return out.astype(np.float32)


def image_quality(
    clarity: NDArray[np.float32],
    mask: NDArray[np.uint8],
    parameters: MinutiaeParameters = MINUTIAE,
) -> int:
    """Quality of the impression, 0 to 100: mean clarity of the finger area.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    clarity : (ceil(H / 2), ceil(W / 2)) float32
        From `quality_map`, 0 where no ridges run.
    mask : (H, W) uint8
        From `segment`: what looked like finger, with or without clear ridges.

    Notes
    -----
    An impression smaller than `quality_area` loses in proportion. A mean, because neither the
    size of an impression nor its number of minutiae tells prints that match from prints that do
    not: docs/extraction.md has the error-versus-discard figures.
    """
    area = max(float(mask.sum()), parameters.quality_area)
    return int(np.clip(np.rint(100 * 4 * float(clarity.sum()) / area), 0, 100))
