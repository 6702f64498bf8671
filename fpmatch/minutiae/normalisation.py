"""Even out local brightness and contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


@takes(pixels=array_of("uint8", 2))
def normalise(
    pixels: NDArray[np.uint8], parameters: MinutiaeParameters = MINUTIAE
) -> NDArray[np.float32]:
    """Subtract the local mean and divide by the local contrast.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    pixels : (H, W) uint8

    Returns
    -------
    (H, W) float32
        Zero-mean, about unit contrast where there are ridges; ridges negative; lightly blurred.

    Notes
    -----
    Mean and variance are smooth, so they are computed at half resolution.
    """
    height, width = pixels.shape
    half = (-(-width // 2), -(-height // 2))
    sigma = parameters.normalise_sigma / 2
    level = pixels.astype(np.float32)
    mean = cv2.GaussianBlur(cv2.resize(level, half, interpolation=cv2.INTER_AREA), (0, 0), sigma)
    level -= cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    power = cv2.resize(level * level, half, interpolation=cv2.INTER_AREA)
    contrast = np.sqrt(cv2.GaussianBlur(power, (0, 0), sigma)) + np.float32(
        parameters.normalise_floor
    )
    level /= cv2.resize(contrast, (width, height), interpolation=cv2.INTER_LINEAR)
    out: NDArray[np.float32] = cv2.GaussianBlur(level, (0, 0), parameters.denoise_sigma)
    return out
