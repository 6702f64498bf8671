"""FingerImage -> Minutiae, by the extractor of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fpmatch.checks import quoted
from fpmatch.errors import ExtractionError, InputError
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.foreign import no_foreign
from fpmatch.minutiae.classical import extract_classical
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.neural import extract_neural
from fpmatch.minutiae.place import extract_one
from fpmatch.parameters import EXTRACTOR_NAMES, NEURAL_LARGE

EXTRACTORS: dict[str, Callable[..., Minutiae]] = {
    "neural": extract_neural,
    "neural-large": partial(extract_neural, parameters=NEURAL_LARGE),
    "classical": extract_classical,
}
"""Extractors by name: called with a `FingerImage` and the stages dict or None."""
DEFAULT = EXTRACTOR_NAMES[0]


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
        If there is too little ridge pattern, or several fingers or a palm are seen; the message
        has the figures. Also if there is not memory enough.
    InputError
        If the extractor is not known, or the image is no `FingerImage`.

    Notes
    -----
    Deterministic; safe to call from several threads. A finger is found wherever it lies in the
    picture, and however small its share; memory is bounded by the finger, not by the picture.
    """
    if not isinstance(image, FingerImage):
        raise InputError(
            f"a FingerImage is wanted, not {quoted(image)}: read_image makes one of a path, bytes "
            "or an array"
        )
    name = DEFAULT if extractor is None else extractor
    if not isinstance(name, str) or name not in EXTRACTORS:
        known = ", ".join(sorted(EXTRACTORS))
        raise InputError(f"no extractor named {quoted(name)}; there are {known}")
    with no_foreign(ExtractionError):
        return extract_one(EXTRACTORS[name], image, stages)
