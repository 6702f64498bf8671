"""Between the editions of ISO/IEC 19794-4."""

from __future__ import annotations

from dataclasses import replace

from fpmatch.errors import FormatError
from fpmatch.formats.fir_values import CODINGS, FingerImageRecord, ImageView
from fpmatch.formats.values import Device

_LOSSY, _PNG_2005, _PNG_2011 = 4, 5, 6
_LOSSLESS_2011 = 5
_ABSENT = {"time": b"", "certifications": (), "extended": b""}


def convert_images(record: FingerImageRecord, to: str) -> tuple[FingerImageRecord, list[str]]:
    """A finger image record in another edition, and what was lost.

    Raises
    ------
    FormatError
        If the target is no edition of the standard, or the compression has no code in it.
    """
    if to not in CODINGS:
        raise FormatError(f"a finger image record is not converted to {to!r:.40}")
    if to == record.format:
        return replace(record, deviations=()), []
    losses: list[str] = []
    translate = _older if to == "fir2005" else _newer
    views = tuple(translate(view, losses) for view in record.views)
    return FingerImageRecord(to, views, record.level), list(dict.fromkeys(losses))


def _newer(view: ImageView, losses: list[str]) -> ImageView:
    code = _PNG_2011 if view.compression == _PNG_2005 else view.compression
    return replace(view, compression=code, of=1)


def _older(view: ImageView, losses: list[str]) -> ImageView:
    for name, absent in _ABSENT.items():
        if getattr(view, name) != absent:
            losses.append({"time": "capture time", "extended": "extended data"}.get(name, name))
    device = Device(view.device.kind)
    if device != view.device:
        losses.append("capture device in full")
    qualities = tuple(replace(q, vendor=0, algorithm=0) for q in view.qualities[:1])
    if qualities != view.qualities:
        losses.append("further qualities and who computed them")
    code = view.compression
    if code == _LOSSLESS_2011:
        losses.append("that the picture is compressed without loss")
        code = _LOSSY
    return replace(
        view,
        compression=_PNG_2005 if code == _PNG_2011 else code,
        device=device,
        qualities=qualities,
        time=b"",
        certifications=(),
        extended=b"",
    )
