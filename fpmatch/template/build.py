"""FingerImage -> Template: extract and quantise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.finger import FingerPosition, Impression
from fpmatch.parameters import TEMPLATE
from fpmatch.template.template import Template, code_of

if TYPE_CHECKING:
    from fpmatch.image import FingerImage
    from fpmatch.minutiae import Minutiae


def extract(
    image: FingerImage,
    *,
    position: FingerPosition = FingerPosition.UNKNOWN,
    impression: Impression = Impression.UNKNOWN,
    extractor: str | None = None,
) -> Template:
    """Extract the template of one finger.

    Parameters
    ----------
    image : FingerImage
    position : FingerPosition
        Which finger; UNKNOWN is compared with every position.
    impression : Impression
    extractor : str, optional
        A name in `fpmatch.minutiae.EXTRACTORS`; the default is `fpmatch.minutiae.DEFAULT`.

    Raises
    ------
    ExtractionError
        If the image holds too little ridge pattern, several fingers or a palm: never an empty
        template.
    InputError
        If the image is no `FingerImage`, or position, impression or extractor are not known.
    """
    from fpmatch.minutiae import extract_minutiae

    finger = code_of(FingerPosition, position)
    taken = code_of(Impression, impression)
    found = quantise(extract_minutiae(image, extractor=extractor), finger, taken)
    period = None if image.ridges is None else image.ridges.period
    return replace(found, ridge_period=period, ppi_source=image.ppi_source, slap=image.slap)


@takes(minutiae="Minutiae")
def quantise(
    minutiae: Minutiae,
    position: FingerPosition = FingerPosition.UNKNOWN,
    impression: Impression = Impression.UNKNOWN,
) -> Template:
    """Round minutiae to the units of the stored form, best quality first if over the limit.

    Parameters
    ----------
    minutiae : Minutiae
        In pixels and radians.
    position : FingerPosition
        Which finger.
    impression : Impression
        How it was taken.
    """
    height, width = minutiae.shape
    keep = np.sort(np.argsort(-minutiae.quality, kind="stable")[: TEMPLATE.max_minutiae])
    limit = np.array([width, height]) * TEMPLATE.subpixel - 1
    xy = np.clip(np.rint(minutiae.xy[keep] * TEMPLATE.subpixel), 0, limit)
    turn = np.rint(minutiae.angle[keep].astype(np.float64) * TEMPLATE.turn / (2 * np.pi))
    return Template(
        xy=xy.astype(np.uint16),
        angle=(turn.astype(np.int64) % TEMPLATE.turn).astype(np.uint16),
        kind=minutiae.kind[keep].astype(np.uint8),
        quality=np.clip(np.rint(minutiae.quality[keep] * 100), 0, 100).astype(np.uint8),
        width=width,
        height=height,
        position=position,
        impression=impression,
        image_quality=minutiae.image_quality,
        extractor=minutiae.extractor,
        orientation=quantise_orientation(minutiae.orientation),
    )


def quantise_orientation(field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Radians in [0, pi) with NaN outside -> one byte a cell, 0 outside.

    Parameters
    ----------
    field : (h, w) float32
        A cell of 16 pixels each.
    """
    inside = np.isfinite(field)
    unit = np.where(inside, np.mod(field, np.pi), 0.0) * (255 / np.pi)
    return np.where(inside, 1 + np.minimum(np.floor(unit), 254), 0).astype(np.uint8)
