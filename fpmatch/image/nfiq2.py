"""NFIQ 2, the quality measure that ISO/IEC 29794-4 describes, through the optional `nbis-py`."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import cv2

from fpmatch.argument_types import takes
from fpmatch.errors import MissingExtra
from fpmatch.image.finger_image import FingerImage

FAILED = 255
"""What ISO/IEC 29794-1 and the interchange formats write where a quality could not be computed."""


def nfiq2_installed() -> bool:
    """Whether `nbis-py` is there."""
    return find_spec("nbis") is not None


@takes(image=FingerImage)
def nfiq2(image: FingerImage) -> int:
    """The unified quality score of NFIQ 2.

    Parameters
    ----------
    image : FingerImage
        One plain or rolled finger.

    Returns
    -------
    int
        0 (worst) to 100, or 255 where NFIQ 2 gives none: mostly prints so dry or small that it
        finds nothing to measure.

    Raises
    ------
    MissingExtra
        Without `nbis-py`: ``pip install 'fpmatch[nfiq]'``.

    Notes
    -----
    Five of the five values that NFIQ 2's own examples state come out exactly. It looks for minutiae
    with an extractor of its own: about 0.2 s for 416 x 560 pixels, many times what `quality` takes
    for ours. A code in C that is not run apart from this process.
    """
    good, coded = cv2.imencode(".png", image.pixels)
    if not good:
        return FAILED
    try:
        score = int(_extractor().extract_minutiae(coded.tobytes()).quality().score)
    except MissingExtra:
        raise
    except Exception:  # whatever the binding makes of an error of NFIQ 2
        return FAILED
    return score if 0 <= score <= 100 else FAILED


@lru_cache(maxsize=1)
def _extractor() -> Any:
    try:
        import nbis
    except ImportError as error:
        raise MissingExtra("NFIQ 2 needs nbis-py: pip install 'fpmatch[nfiq]'") from error
    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=500.0
    )
    return nbis.new_nbis_extractor(settings)
