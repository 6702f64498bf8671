"""One finger, wherever it lies: several are refused, a large platen is cut to the one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fpmatch.errors import ExtractionError
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.ridges import Box, Ridges, find_ridges
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.parameters import MINUTIAE, RIDGES, TEMPLATE

Extractor = Callable[[FingerImage, dict[str, Any] | None], Minutiae]


def extract_one(
    extractor: Extractor, image: FingerImage, stages: dict[str, Any] | None
) -> Minutiae:
    """Extract the one finger of a picture.

    Parameters
    ----------
    extractor : callable
        One of `fpmatch.minutiae.EXTRACTORS`.
    image : FingerImage
        At 500 ppi.
    stages : dict or None
        Filled by the extractor; ``corner``, x and y, says where the part begins that it saw.

    Raises
    ------
    ExtractionError
        If several fingers or a palm are seen, or the extractor finds too little.

    Notes
    -----
    The extractor's thresholds are shares of the picture that it sees. A large picture is cut to
    the finger first, which also bounds memory; a smaller one where the extractor finds too little
    in the whole, so that prints which fill their picture are never cut.
    """
    ridges = find_ridges(image.pixels) if image.ridges is None else image.ridges
    require_one(ridges)
    large = image.pixels.size > RIDGES.large
    if large and not ridges.fingers:
        raise ExtractionError(
            f"no ridges seen in {image.pixels.size} pixels: capture the finger again"
        )
    if not large:
        try:
            return extractor(image, stages)
        except ExtractionError:
            if not ridges.fingers or ridges.area < MINUTIAE.min_area:
                raise
    return _cut(extractor, image, ridges.fingers[0], stages)


def require_one(ridges: Ridges) -> None:
    """Raise `ExtractionError` if a picture shows several fingers, or a palm.

    Parameters
    ----------
    ridges : Ridges
        From `find_ridges`.
    """
    seen = len(ridges.fingers)
    if seen > 1:
        raise ExtractionError(
            f"{seen} fingers seen, or a hand in {seen} parts: hand in one finger at a time"
        )
    if ridges.palm:
        raise ExtractionError(
            f"ridges seen over {ridges.area} pixels, more than one finger has: "
            "hand in one finger at a time"
        )


def _cut(
    extractor: Extractor, image: FingerImage, box: Box, stages: dict[str, Any] | None
) -> Minutiae:
    """Extract from a part of a picture, and place the result in the whole."""
    cell, room = TEMPLATE.orientation_cell, RIDGES.margin
    height, width = image.pixels.shape
    # On whole cells, so that those of the part are cells of the whole.
    left, top = (max(0, side - room) // cell * cell for side in box[:2])
    right, bottom = min(width, box[2] + room), min(height, box[3] + room)
    part = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    found = extractor(replace(image, pixels=part, ridges=None), stages)
    if stages is not None:
        stages["corner"] = (left, top)
    orientation = np.full((-(-height // cell), -(-width // cell)), np.nan, np.float32)
    rows, columns = found.orientation.shape
    i, j = top // cell, left // cell
    orientation[i : i + rows, j : j + columns] = found.orientation
    return replace(
        found,
        xy=found.xy + np.array([left, top], np.float32),
        shape=(height, width),
        orientation=orientation,
    )
