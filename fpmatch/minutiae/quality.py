"""Confidence of minutiae and quality of the whole impression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.minutiae.orientation import OrientationField, enlarge


def quality_map(
    enhanced: NDArray[np.float32], mask: NDArray[np.uint8], field: OrientationField
) -> NDArray[np.float32]:
    """Local clarity of the ridges, 0 to 1, at half resolution.

    Enhanced amplitude relative to the best of the image, times orientation coherence.
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


def image_quality(clarity: NDArray[np.float32], mask: NDArray[np.uint8]) -> int:
    """Quality of the impression, 0 to 100: clear ridge area."""
    area = float(enlarge(clarity, mask.shape)[mask > 0].sum()) if mask.any() else 0.0
    return int(np.clip(round(area / 600), 0, 100))
