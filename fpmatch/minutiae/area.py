"""Where the finger is and how its ridges run: what every extractor needs first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ExtractionError
from fpmatch.minutiae.normalisation import normalise
from fpmatch.minutiae.orientation import OrientationField, orientation_field
from fpmatch.minutiae.segmentation import restrict, segment
from fpmatch.minutiae.spectrum import ridge_band
from fpmatch.parameters import MINUTIAE, TEMPLATE, MinutiaeParameters

_MARGIN = 8


@dataclass(frozen=True, slots=True, eq=False)
class FingerArea:
    """The part of an image that is looked at, h x w pixels of H x W.

    Parameters
    ----------
    mask : (H, W) uint8
        What looks like finger, with or without clear ridges.
    window : tuple of int
        Top, left, bottom, right of the part, pixels of the image.
    pixels : (h, w) uint8
    normalised : (h, w) float32
        From `normalise`.
    field : OrientationField
        Of the part.
    inside : (h, w) uint8
        Where the ridges are coherent enough to look for minutiae.
    """

    mask: NDArray[np.uint8]
    window: tuple[int, int, int, int]
    pixels: NDArray[np.uint8]
    normalised: NDArray[np.float32]
    field: OrientationField
    inside: NDArray[np.uint8]

    @property
    def corner(self) -> NDArray[np.float32]:
        """x and y of the part's first pixel."""
        return np.array([self.window[1], self.window[0]], np.float32)

    def cells(self) -> NDArray[np.float32]:
        """Orientation at the centres of the template's cells, NaN outside the finger."""
        return orientation_cells(self.mask.shape, self.window, self.inside, self.field.angle_at)


def orientation_cells(
    shape: tuple[int, ...],
    window: tuple[int, int, int, int],
    inside: NDArray[np.uint8],
    angle_at: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]],
) -> NDArray[np.float32]:
    """Ridge orientation at the centres of a template's cells, NaN outside the finger.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    window : tuple of int
        Top, left, bottom, right of the part that was looked at.
    inside : (h, w) uint8
        Finger within the part.
    angle_at : callable
        x and y in the part -> orientation, radians in [0, pi).
    """
    cell = TEMPLATE.orientation_cell
    rows, columns = inside.shape
    y = np.arange(cell // 2, shape[0] + cell // 2, cell) - window[0]
    x = np.arange(cell // 2, shape[1] + cell // 2, cell) - window[1]
    gx, gy = np.meshgrid(x, y)
    known = (gx >= 0) & (gy >= 0) & (gx < columns) & (gy < rows)
    known[known] = inside[gy[known], gx[known]] > 0
    return np.where(known, angle_at(gx, gy), np.nan).astype(np.float32)


def finger_area(pixels: NDArray[np.uint8], parameters: MinutiaeParameters = MINUTIAE) -> FingerArea:
    """Segment, even out the contrast, and follow the ridges.

    Parameters
    ----------
    pixels : ndarray of uint8
        (H, W) gray levels at 500 ppi.
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.

    Raises
    ------
    ExtractionError
        If there is too little contrast, or too little of it runs in a direction.
    """
    p = parameters
    mask = segment(pixels, p)
    require_ridges(int(mask.sum()), int(mask.sum()), p)
    top, left, bottom, right = window = window_of(mask)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    inside = np.ascontiguousarray(mask[top:bottom, left:right])
    normal = normalise(part, p)
    field = orientation_field(ridge_band(normal, p), part.shape, p)
    require_ridges(_running(field, inside, p), int(inside.sum()), p)
    return FingerArea(
        mask=mask,
        window=window,
        pixels=part,
        normalised=normal,
        field=field,
        inside=restrict(inside, field.coherence, p),
    )


def require_minutiae(count: int, parameters: MinutiaeParameters = MINUTIAE) -> None:
    """Raise `ExtractionError` if fewer than `min_minutiae` were found."""
    if count < parameters.min_minutiae:
        raise ExtractionError(
            f"{count} minutiae found, at least {parameters.min_minutiae} are needed: "
            "capture the finger again"
        )


def require_ridges(ridges: int, contrast: int, parameters: MinutiaeParameters = MINUTIAE) -> None:
    """Raise `ExtractionError` unless there is ridge pattern enough, in all and of the contrast.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    ridges, contrast : int
        Area of ridge pattern, and of anything that is not background, pixels.
    """
    p = parameters
    if ridges < max(p.min_area, p.min_share * contrast):
        raise ExtractionError(
            f"{ridges} pixels of ridge pattern found in {contrast} pixels of contrast; at least "
            f"{p.min_area} and {p.min_share:.0%} are needed: capture the finger again"
        )


def _running(
    field: OrientationField, mask: NDArray[np.uint8], parameters: MinutiaeParameters
) -> int:
    """Pixels of the area that run in a direction."""
    inside = mask[::2, ::2] > 0
    return 4 * int((inside & (field.coherence > parameters.min_coherence)).sum())


def window_of(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of a mask with a margin, pixels.

    Parameters
    ----------
    mask : ndarray of uint8
        (H, W), not 0 where the finger is.
    """
    x, y, w, h = cv2.boundingRect(mask)
    height, width = mask.shape
    return (
        max(0, y - _MARGIN),
        max(0, x - _MARGIN),
        min(height, y + h + _MARGIN),
        min(width, x + w + _MARGIN),
    )
