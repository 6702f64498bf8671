"""FingerImage -> Minutiae: the steps in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import ExtractionError, InputError
from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.detection import detect
from fpmatch.minutiae.enhancement import enhance
from fpmatch.minutiae.filters import genuine
from fpmatch.minutiae.frequency import PAD, pad_image, period_field
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.normalisation import normalise
from fpmatch.minutiae.orientation import OrientationField, orientation_field
from fpmatch.minutiae.quality import image_quality, quality_map
from fpmatch.minutiae.segmentation import restrict, segment
from fpmatch.minutiae.skeleton import binarise, skeletonise
from fpmatch.minutiae.spectrum import ridge_band
from fpmatch.parameters import MINUTIAE, TEMPLATE, MinutiaeParameters

CLASSICAL = "classical-1"
_MARGIN = 8


def extract_classical(
    image: FingerImage,
    stages: dict[str, Any] | None = None,
    parameters: MinutiaeParameters = MINUTIAE,
) -> Minutiae:
    """The classical extractor; see `extract_minutiae`."""
    p = parameters
    mask = segment(image.pixels, p)
    if int(mask.sum()) < p.min_area:
        _refuse(int(mask.sum()), p)
    top, left, bottom, right = _window(mask)
    pixels = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    inside = np.ascontiguousarray(mask[top:bottom, left:right])
    normal = normalise(pixels, p)
    band = ridge_band(normal, p)
    field = orientation_field(band, pixels.shape, p)
    _require_ridges(field, inside, p)
    inside = restrict(inside, field.coherence, p)
    padded = pad_image(normal)
    periods = period_field(padded, inside, field, p)
    enhanced = enhance(padded, inside, field, periods, p)
    plain = np.ascontiguousarray(enhanced[PAD:-PAD, PAD:-PAD])
    ridges = binarise(plain, inside, p)
    skeleton = skeletonise(ridges)
    raw = detect(skeleton, inside, field, p)
    clarity = quality_map(plain, inside, field)
    at = clarity[
        np.minimum(raw[:, 1] // 2, clarity.shape[0] - 1).astype(np.intp),
        np.minimum(raw[:, 0] // 2, clarity.shape[1] - 1).astype(np.intp),
    ]
    keep = genuine(raw, at, p)
    found = raw[keep]
    if stages is not None:
        stages.update(
            mask=mask,
            inside=inside, window=(top, left, bottom, right), normalised=normal, orientation=field,
            period=periods, enhanced=plain, ridges=ridges, skeleton=skeleton, raw=raw,
            clarity=clarity,
        )  # fmt: skip
    if len(found) < p.min_minutiae:
        raise ExtractionError(
            f"{len(found)} minutiae found, at least {p.min_minutiae} are needed: "
            "capture the finger again"
        )
    return Minutiae(
        xy=found[:, :2] + np.array([left, top], np.float32),
        angle=found[:, 2].copy(),
        kind=found[:, 3].astype(np.uint8),
        quality=at[keep].astype(np.float32),
        shape=(image.pixels.shape[0], image.pixels.shape[1]),
        orientation=_cells(field, inside, (top, left), image.pixels.shape),
        image_quality=image_quality(clarity, mask, p),
        extractor=CLASSICAL,
    )


def _require_ridges(
    field: OrientationField, mask: NDArray[np.uint8], parameters: MinutiaeParameters
) -> None:
    """Raise unless enough of the area, and enough in all, runs in a direction."""
    p = parameters
    inside = mask[::2, ::2] > 0
    ridges = 4 * int((inside & (field.coherence > p.min_coherence)).sum())
    if ridges < max(p.min_area, p.min_share * int(mask.sum())):
        _refuse(ridges, p, int(mask.sum()))


def _refuse(ridges: int, parameters: MinutiaeParameters, area: int = 0) -> None:
    p = parameters
    raise ExtractionError(
        f"{ridges} pixels of ridge pattern found in {area or ridges} pixels of contrast; at least "
        f"{p.min_area} and {p.min_share:.0%} are needed: capture the finger again"
    )


def _window(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect(mask)
    height, width = mask.shape
    return (
        max(0, y - _MARGIN),
        max(0, x - _MARGIN),
        min(height, y + h + _MARGIN),
        min(width, x + w + _MARGIN),
    )


def _cells(
    field: OrientationField,
    inside: NDArray[np.uint8],
    corner: tuple[int, int],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Orientation at the centres of the template's cells, NaN outside the finger."""
    cell = TEMPLATE.orientation_cell
    rows, columns = inside.shape
    y = np.arange(cell // 2, shape[0] + cell // 2, cell) - corner[0]
    x = np.arange(cell // 2, shape[1] + cell // 2, cell) - corner[1]
    gx, gy = np.meshgrid(x, y)
    known = (gx >= 0) & (gy >= 0) & (gx < columns) & (gy < rows)
    known[known] = inside[gy[known], gx[known]] > 0
    theta = field.angle_at(gx, gy)
    return np.where(known, theta, np.nan).astype(np.float32)


EXTRACTORS: dict[str, Callable[..., Minutiae]] = {"classical": extract_classical}
"""Extractors by name: called with a `FingerImage` and the stages dict or None."""
DEFAULT = "classical"


def extract_minutiae(
    image: FingerImage,
    *,
    extractor: str | None = None,
    stages: dict[str, Any] | None = None,
) -> Minutiae:
    """Find the minutiae of a fingerprint.

    Parameters
    ----------
    image : FingerImage
        500 ppi, ridges dark.
    extractor : str, optional
        A name in `EXTRACTORS`; `DEFAULT` if not given.
    stages : dict, optional
        Filled with the intermediates of the extractor, for inspection.

    Raises
    ------
    ExtractionError
        If there is too little ridge pattern; the message has the figures.
    InputError
        If the extractor is not known.

    Notes
    -----
    Deterministic; safe to call from several threads.
    """
    name = DEFAULT if extractor is None else extractor
    if name not in EXTRACTORS:
        raise InputError(f"no extractor named {name!r}; there are {', '.join(sorted(EXTRACTORS))}")
    return EXTRACTORS[name](image, stages)
