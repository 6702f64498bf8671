"""FingerImage -> Minutiae, by the extractor of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fpmatch.errors import InputError
from fpmatch.image.finger_image import FingerImage
from fpmatch.minutiae.classical import extract_classical
from fpmatch.minutiae.minutiae import Minutiae
from fpmatch.minutiae.neural import extract_neural

EXTRACTORS: dict[str, Callable[..., Minutiae]] = {
    "classical": extract_classical,
    "neural": extract_neural,
}
"""Extractors by name: called with a `FingerImage` and the stages dict or None."""
DEFAULT = "neural"


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
