"""Finger records into CBEFF files, and out of them."""

from __future__ import annotations

from dataclasses import replace

from fpmatch.errors import FormatError
from fpmatch.formats import cbeff
from fpmatch.formats.cbeff_values import (
    FINGER,
    NAME,
    BdbInfo,
    BiometricRecord,
    Bir,
    BirInfo,
    Quality,
    RegistryId,
)
from fpmatch.formats.fir_convert import convert_images
from fpmatch.formats.fir_values import FingerImageRecord, ImageView
from fpmatch.formats.fir_write import write as write_images
from fpmatch.formats.fmr_write import write as write_minutiae
from fpmatch.formats.values import TemplateRecord, View
from fpmatch.types import FingerPosition

_ORGANIZATION = "Mosip"
_IMAGES, _MINUTIAE = "7", "2"
"""The numbers that ISO/IEC 19794 has for finger images and minutiae."""
_WORDS = {int(position): words for words, position in cbeff.SUBTYPES.items()}
_BEST_QUALITY = 100
_VERSION = (1, 1)
BESIDE = "what the BIRs say beside their blocks"
"""What is lost where the blocks alone are taken."""


def wrap(record: FingerImageRecord | TemplateRecord) -> BiometricRecord:
    """A record of fingers as a CBEFF file: a BIR for each of its views.

    Parameters
    ----------
    record : FingerImageRecord or TemplateRecord

    Raises
    ------
    FormatError
        If a view cannot be written, or is of no single finger: a BIR has no name for that; or if
        the minutiae are not of ISO/IEC 19794-2, whose number MOSIP writes.
    """
    if isinstance(record, TemplateRecord) and not record.format.startswith("iso"):
        raise FormatError(f"a CBEFF file holds minutiae as iso2005 or iso2011, not {record.format}")
    birs = []
    if isinstance(record, FingerImageRecord):
        for image in record.views:
            one = replace(record, views=(replace(image, of=1),), deviations=())
            birs.append(_bir(write_images(one), image, _IMAGES))
    else:
        for view in record.views:
            alone = replace(record, views=(view,), deviations=())
            birs.append(_bir(write_minutiae(alone), view, _MINUTIAE))
    return BiometricRecord(Bir(info=BirInfo(integrity=False), records=tuple(birs)))


def _bir(data: bytes, view: ImageView | View, format: str) -> Bir:
    if view.position != FingerPosition.UNKNOWN and view.position not in _WORDS:
        raise FormatError(f"position {view.position} is no single finger")
    side_first = sorted(_WORDS.get(view.position, ()), key=("Right", "Left").__contains__)
    score = next((q.value for q in view.qualities if q.value <= _BEST_QUALITY), None)
    quality = None if score is None else Quality(RegistryId(_ORGANIZATION, "0"), score)
    about = BdbInfo(
        format=RegistryId(_ORGANIZATION, format),
        types=(FINGER,),
        subtypes=tuple(reversed(side_first)),
        level="Raw" if format == _IMAGES else "Processed",
        purpose="Enroll",
        quality=quality,
    )
    return Bir(data, _VERSION, _VERSION, about=about)


def unwrap(record: BiometricRecord, to: str) -> tuple[FingerImageRecord, list[str]]:
    """The finger images of a CBEFF file as one record, and what was lost.

    Parameters
    ----------
    record : BiometricRecord
    to : str
        ``fir2005`` or ``fir2011``.

    Raises
    ------
    FormatError
        If there are none, or they do not fit in one record.
    """
    views: list[ImageView] = []
    losses = [BESIDE]
    level = None
    for bir in record.blocks:
        try:
            content = cbeff.block_of(bir)
        except FormatError as error:
            losses.append(f"BIR at byte {bir.at}: {error}")
            continue
        if isinstance(content, TemplateRecord):
            losses.append(f"BIR at byte {bir.at}: minutiae")
            continue
        images, lost = convert_images(content, to)
        losses += lost
        views += images.views
        level = images.level if level is None else level
    if not views or level is None:
        raise FormatError(f"no finger images in this {NAME} file")
    return FingerImageRecord(to, tuple(views), level), list(dict.fromkeys(losses))
