"""How good an impression is, on the scale of the standards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpmatch.argument_types import takes
from fpmatch.checks import check_flag
from fpmatch.errors import ExtractionError, MissingExtra
from fpmatch.template.build import extract
from fpmatch.template.template import Template

if TYPE_CHECKING:
    from fpmatch.image import FingerImage

NOT_COMPUTED, FAILED = 254, 255
"""Codes of the interchange formats where a quality would stand: not tried, and tried in vain."""


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """The quality of one impression, 0 (worst) to 100 as in ISO/IEC 29794-1.

    Parameters
    ----------
    value : int
        Ours, which `Template.image_quality` keeps; 255 where nothing could be extracted.
    nfiq2 : int
        That of NFIQ 2 (ISO/IEC 29794-4), 254 where it was not computed, 255 where it gave none.
        The two values are made in different ways: one says nothing of what the other would be.
    retake : bool
        Whether the print should be captured again: `Template.retake`, or nothing was extracted.
    minutiae : int
        How many were found.
    extractor : str
        Name and version of the extractor whose value it is; values of two extractors do not
        compare either.
    reason : str
        Why nothing could be extracted; empty otherwise.
    """

    value: int
    nfiq2: int
    retake: bool
    minutiae: int
    extractor: str
    reason: str = ""


@takes(image="FingerImage")
def quality(
    image: FingerImage, *, extractor: str | None = None, nfiq2: bool | None = None
) -> ImageQuality:
    """Judge one impression.

    Parameters
    ----------
    image : FingerImage
        From `read_image`.
    extractor : str, optional
        A name in `fpmatch.minutiae.EXTRACTORS`; the default is `fpmatch.minutiae.DEFAULT`.
    nfiq2 : bool, optional
        Whether NFIQ 2 is computed too; by default where `nbis-py` is installed.

    Raises
    ------
    InputError
        If the image is no `FingerImage`, or the extractor is not known.
    MissingExtra
        If NFIQ 2 is asked for and `nbis-py` is not installed.

    Notes
    -----
    Ours comes with the extraction of a template, some 30 ms; NFIQ 2 takes several times that. What
    the values are worth: `docs/quality.md`.
    """
    from fpmatch.image.nfiq2 import nfiq2 as measured
    from fpmatch.image.nfiq2 import nfiq2_installed

    check_flag("nfiq2", nfiq2, unknown=True)
    if nfiq2 and not nfiq2_installed():
        raise MissingExtra("NFIQ 2 needs nbis-py: pip install 'fpmatch[nfiq]'")
    asked = nfiq2_installed() if nfiq2 is None else nfiq2
    try:
        template: Template | None = extract(image, extractor=extractor)
        reason = ""
    except ExtractionError as error:
        template, reason = None, str(error)
    theirs = measured(image) if asked else NOT_COMPUTED
    if template is None:
        return ImageQuality(FAILED, theirs, True, 0, "", reason)
    return ImageQuality(
        template.image_quality, theirs, template.retake, len(template), template.extractor
    )
