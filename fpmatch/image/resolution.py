"""Settle the resolution of an image, and bring its pixels to 500 ppi."""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ImageError, ResolutionError
from fpmatch.parameters import IMAGE

_LOG = logging.getLogger(__name__)


def settle_ppi(given: float | None, recorded: tuple[float, float] | None, name: str) -> float:
    """The resolution to believe: the one given, else a credible recorded one.

    Parameters
    ----------
    given : float or None
        Pixels per inch, from the caller.
    recorded : (float, float) or None
        Across and down, from the file.
    name : str
        What messages call the image.

    Raises
    ------
    ResolutionError
        Neither is usable.
    """
    if given is not None:
        return _given(given, recorded)
    if recorded is None:
        raise ResolutionError(
            f"the {name} source does not record its resolution; "
            "pass ppi=, e.g. ppi=500 for most live-scan sensors"
        )
    x, y = recorded
    low, high = IMAGE.min_recorded_ppi, IMAGE.max_ppi
    if not (low <= x <= high and low <= y <= high):
        raise ResolutionError(
            f"the {name} file records {x:g}x{y:g} ppi, which is no credible fingerprint "
            f"resolution ({low:g} to {high:g}); pass ppi= with the sensor's own"
        )
    if abs(x - y) > IMAGE.exact_tolerance * max(x, y):
        raise ResolutionError(
            f"the {name} file records {x:g} ppi across and {y:g} down; "
            "resample it to square pixels and pass ppi="
        )
    return x


def _given(given: float, recorded: tuple[float, float] | None) -> float:
    try:
        ppi = float(given)
    except (TypeError, ValueError) as error:
        raise ResolutionError(f"ppi must be a number, got {given!r}") from error
    if not (math.isfinite(ppi) and IMAGE.min_ppi <= ppi <= IMAGE.max_ppi):
        raise ResolutionError(
            f"ppi={ppi:g} is out of range {IMAGE.min_ppi:g} to {IMAGE.max_ppi:g} pixels per inch"
        )
    if recorded is not None and abs(recorded[0] - ppi) > IMAGE.exact_tolerance * ppi:
        _LOG.info("file records %g ppi; the given %g is used", recorded[0], ppi)
    return ppi


def resample(pixels: NDArray[np.uint8], ppi: float) -> tuple[NDArray[np.uint8], bool]:
    """Bring (H, W) pixels from `ppi` to 500 ppi; the flag says whether anything was done.

    Parameters
    ----------
    pixels : (H, W) uint8
        Gray.
    ppi : float
        Pixels per inch that they have.

    Raises
    ------
    ImageError
        If the result would be over the size limit.
    """
    scale = IMAGE.ppi / ppi
    if abs(scale - 1) <= IMAGE.exact_tolerance:
        return pixels, False
    import cv2

    height, width = (max(1, round(n * scale)) for n in pixels.shape)
    if height * width > IMAGE.max_pixels:
        raise ImageError(f"image would have {width}x{height} pixels at 500 ppi: over the limit")
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = cv2.resize(pixels, (width, height), interpolation=how)
    return np.ascontiguousarray(out, dtype=np.uint8), True
