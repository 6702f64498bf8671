"""The classical extractor: filters, skeleton, crossing numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.area import finger_area, require_minutiae
from fpmatch.minutiae.detection import detect
from fpmatch.minutiae.enhancement import enhance
from fpmatch.minutiae.filters import genuine
from fpmatch.minutiae.frequency import PAD, pad_image, period_field
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.quality import image_quality, quality_map
from fpmatch.minutiae.skeleton import binarise, skeletonise
from fpmatch.parameters import MINUTIAE, MinutiaeParameters

CLASSICAL = "classical-1"


def extract_classical(
    image: FingerImage,
    stages: dict[str, Any] | None = None,
    parameters: MinutiaeParameters = MINUTIAE,
) -> Minutiae:
    """The classical extractor; see `extract_minutiae`.

    Parameters
    ----------
    image : FingerImage
        At 500 ppi.
    stages : dict[str, Any] or None
        Filled with what each step leaves, by name.
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    """
    p = parameters
    area = finger_area(image.pixels, p)
    padded = pad_image(area.normalised)
    periods = period_field(padded, area.inside, area.field, p)
    enhanced = enhance(padded, area.inside, area.field, periods, p)
    plain = np.ascontiguousarray(enhanced[PAD:-PAD, PAD:-PAD])
    ridges = binarise(plain, area.inside, p)
    skeleton = skeletonise(ridges)
    raw = detect(skeleton, area.inside, area.field, p)
    clarity = quality_map(plain, area.inside, area.field)
    at = clarity[
        np.minimum(raw[:, 1] // 2, clarity.shape[0] - 1).astype(np.intp),
        np.minimum(raw[:, 0] // 2, clarity.shape[1] - 1).astype(np.intp),
    ]
    keep = genuine(raw, at, p)
    found = raw[keep]
    if stages is not None:
        stages.update(
            mask=area.mask, inside=area.inside, window=area.window, normalised=area.normalised,
            orientation=area.field, period=periods, enhanced=plain, ridges=ridges,
            skeleton=skeleton, raw=raw, clarity=clarity,
        )  # fmt: skip
    require_minutiae(len(found), p)
    return Minutiae(
        xy=found[:, :2] + area.corner,
        angle=found[:, 2].copy(),
        kind=found[:, 3].astype(np.uint8),
        quality=at[keep].astype(np.float32),
        shape=(image.pixels.shape[0], image.pixels.shape[1]),
        orientation=area.cells(),
        image_quality=image_quality(clarity, area.mask, p),
        extractor=CLASSICAL,
    )
