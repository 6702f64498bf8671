"""Minutiae extraction: `FingerImage` -> `Minutiae`, and the steps it is made of."""

from fpmatch.minutiae.enhancement import enhance
from fpmatch.minutiae.extract import DEFAULT, EXTRACTORS, extract_minutiae
from fpmatch.minutiae.frequency import pad_image, period_field
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.normalisation import normalise
from fpmatch.minutiae.orientation import OrientationField, orientation_field
from fpmatch.minutiae.segmentation import restrict, segment
from fpmatch.minutiae.skeleton import binarise, skeletonise
from fpmatch.minutiae.spectrum import ridge_band

__all__ = [
    "DEFAULT",
    "EXTRACTORS",
    "Minutiae",
    "OrientationField",
    "binarise",
    "enhance",
    "extract_minutiae",
    "normalise",
    "orientation_field",
    "pad_image",
    "period_field",
    "restrict",
    "ridge_band",
    "segment",
    "skeletonise",
]
