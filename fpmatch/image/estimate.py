"""A resolution from the ridges alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ResolutionError
from fpmatch.image.resolution import Settled, ridge_ppi
from fpmatch.image.ridges import find_ridges
from fpmatch.parameters import IMAGE, RIDGES


def estimate_ppi(pixels: NDArray[np.uint8]) -> Settled:
    """The resolution at which the ridges are as far apart as those of most fingers.

    Parameters
    ----------
    pixels : (H, W) uint8
        At any resolution.

    Raises
    ------
    ResolutionError
        If no ridges are seen at any size, or the result is no resolution that is read.

    Notes
    -----
    Ridges are looked for at several sizes, each twice the one before, and the size counts at
    which most of the picture shows them at a likely distance. An estimate: fingers differ by a
    third either way. O(H W).
    """
    best, found = 0.0, 0.0
    for scale in IMAGE.estimate_scales:
        height, width = (round(n * scale) for n in pixels.shape)
        if min(height, width) < RIDGES.sample_side or height * width > IMAGE.max_pixels:
            continue
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = find_ridges(cv2.resize(pixels, (width, height), interpolation=how))
        if seen.period is None:
            continue
        apart = abs(np.log(seen.period / RIDGES.typical_period))
        share = seen.area / (height * width) * float(np.exp(-2 * apart * apart))
        if share > best:
            best, found = share, ridge_ppi(IMAGE.ppi / scale, seen.period)
    if not IMAGE.min_ppi <= found <= IMAGE.max_ppi:
        raise ResolutionError(
            "no resolution is stated, and no ridges were seen to estimate it from: pass ppi="
        )
    return Settled(found, "estimated")
