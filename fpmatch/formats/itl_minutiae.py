"""Type-9 records as templates: extended (EFS), M1 (INCITS 378), standard and FBI (IAFIS) fields.

The standard fields count hundredths of a millimetre from the bottom left and point away from the
ridge; the FBI's count them from the top left and point along it, as M1 does in pixels. Seen in
files that hold one print in all three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from fpmatch.errors import FormatError
from fpmatch.finger import PLAIN_THUMBS
from fpmatch.formats import itl_efs
from fpmatch.formats.itl_pictures import PICTURE_TYPES, number_of, picture, whole
from fpmatch.formats.itl_values import Field, TaggedRecord, Transaction
from fpmatch.formats.templates import impression_of, to_templates
from fpmatch.formats.units import CM_PER_INCH, DEGREES, from_units
from fpmatch.formats.values import QualityBlock, TemplateRecord, View
from fpmatch.image.resolution import meant_ppi
from fpmatch.parameters import FORMATS, IMAGE, TEMPLATE
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Impression, MinutiaType

TYPE_9 = 9
_IMPRESSION, _POSITION, _STANDARD = 3, 6, 12
_FBI_POSITION, _FBI = 14, 23
_M1_WIDTH, _M1_HEIGHT, _M1_UNIT, _M1_X, _M1_Y, _M1_POSITION = 128, 129, 130, 131, 132, 134
_M1_QUALITY, _M1 = 135, 137
_NOTATIONS = (
    (itl_efs.MINUTIAE, itl_efs.POSITION),
    (_M1, _M1_POSITION),
    (_STANDARD, _POSITION),
    (_FBI, _FBI_POSITION),
)
"""Fields of minutiae and of the finger that they are of, the one to believe first: what an
examiner marked, in fine units, before what an extractor wrote."""
_PER_INCH, _PER_CM = 1, 2
_FINGERS = {int(position): position for position in FingerPosition} | PLAIN_THUMBS
_NUMBERS = re.compile(rb"([0-9]{4})([0-9]{4})([0-9]{3})")
_KINDS = {b"A": MinutiaType.ENDING, b"B": MinutiaType.BIFURCATION}
_WORST, _BEST, _NO_QUALITY = 63, 2, 1
_ROUND = 100


def templates(
    transaction: Transaction,
    *,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> list[Template]:
    """A template for each Type-9 record that holds minutiae of a finger.

    Those of palms, of slaps and of other skin are left out, unless `position` says which finger
    they are of.

    Parameters
    ----------
    transaction : Transaction
    position : FingerPosition, optional
        Wins over what the records say.
    ppi, size
        Of the source image; `size` is taken from the image with the same number if not given, and
        `ppi` applies to M1 fields, which count in pixels.

    Raises
    ------
    FormatError
        With the byte position, if a field of minutiae is malformed.
    ResolutionError
        If M1 fields state no credible resolution and ``ppi`` is not given.
    """
    out: list[Template] = []
    for record in transaction.of_type(TYPE_9):
        assert isinstance(record, TaggedRecord)
        if position is None and not _is_of_fingers(record):
            continue
        out += record_templates(transaction, record, position=position, ppi=ppi, size=size)
    return out


def record_templates(
    transaction: Transaction,
    record: TaggedRecord,
    *,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> list[Template]:
    """The template of one Type-9 record, or none if it holds no minutiae.

    Errors as `templates`, and FormatError where the record is of no finger and ``position`` is
    not given.

    Parameters
    ----------
    transaction : Transaction
        Its picture with the same number gives the size where the record has none.
    record : TaggedRecord
        Of Type-9.
    position : FingerPosition, optional
        Wins over what the record says.
    ppi : float, optional
        Resolution, pixels per inch; wins over what the record states.
    size : (int, int), optional
        Width and height of the image, pixels.
    """
    held = _held(record)
    if held is None:
        return []
    field, place = held
    if position is None:
        position = _finger(record, place)
    if field.number == itl_efs.MINUTIAE:
        shape = size or _image_size(transaction, record) or _region_size(record)
        return [_template(record, _extended(record, field), shape, False, position)]
    if field.number == _M1:
        shown = TemplateRecord("incits2004", (m1_view(record),))
        return to_templates(shown, position=position, ppi=ppi, size=size)
    shape = size or _image_size(transaction, record)
    return [_template(record, _columns(field), shape, field.number == _STANDARD, position)]


def _held(record: TaggedRecord) -> tuple[Field, int] | None:
    """The minutiae that count, and the number of the field that says of which finger they are."""
    for number, place in _NOTATIONS:
        field = record.get(number)
        if field is not None:
            return field, place
    return None


def _is_of_fingers(record: TaggedRecord) -> bool:
    held = _held(record)
    return held is None or all(code in _FINGERS for code in _codes(record, held[1]))


def _finger(record: TaggedRecord, place: int) -> FingerPosition:
    """Which finger; unknown where it may be any of several.

    Raises
    ------
    FormatError
        If it is none, or several at once: minutiae of a palm or a slap would be taken for those
        of one finger.
    """
    codes = _codes(record, place)
    for code in codes:
        if code not in _FINGERS:
            at = record.fields[0].at
            raise FormatError(f"9.{place:03d} says {code}, which is no single finger", at)
    fingers = {_FINGERS[code] for code in codes}
    return fingers.pop() if len(fingers) == 1 else FingerPosition.UNKNOWN


def _codes(record: TaggedRecord, place: int) -> list[int]:
    field = record.get(place)
    if field is None or not field.value:
        return [FingerPosition.UNKNOWN]
    if place == itl_efs.POSITION:
        return [whole(item, field) for item in itl_efs.fingers(field)]
    return [whole(item, field) for items in field.items for item in items]


def _image_size(transaction: Transaction, record: TaggedRecord) -> tuple[int, int] | None:
    """Size at 500 ppi of the image that the minutiae belong to, where it is there."""
    for other in transaction.records:
        if other.type in PICTURE_TYPES and other.idc.lstrip(b"0") == record.idc.lstrip(b"0"):
            try:
                shown = picture(transaction, other)
            except FormatError:
                continue
            width, height = shown.coded_size or (shown.width, shown.height)
            x, y = shown.ppi or (IMAGE.ppi, IMAGE.ppi)
            return round(width * IMAGE.ppi / meant_ppi(x)), round(height * IMAGE.ppi / meant_ppi(y))
    return None


@dataclass(frozen=True, slots=True)
class _Minutiae:
    """Columns of a field: hundredths of a millimetre, degrees, types, qualities 0 to 100."""

    xy: np.ndarray
    angle: np.ndarray
    kind: np.ndarray
    quality: np.ndarray


def _template(
    record: TaggedRecord,
    columns: _Minutiae,
    shape: tuple[int, int] | None,
    rising: bool,
    position: FingerPosition,
) -> Template:
    keep = np.sort(np.argsort(-columns.quality, kind="stable")[: TEMPLATE.max_minutiae])
    scale = IMAGE.ppi * TEMPLATE.subpixel / itl_efs.UNITS_PER_INCH
    units = np.rint(columns.xy[keep] * scale).astype(np.int64)
    if rising:
        top = int(units[:, 1].max(initial=0)) if shape is None else shape[1] * TEMPLATE.subpixel
        units[:, 1] = top - units[:, 1]
    units = np.clip(units, 0, np.iinfo(np.uint16).max)
    least = units.max(axis=0, initial=0) // TEMPLATE.subpixel + 1
    width, height = np.maximum(least, shape or (1, 1)).tolist()
    return Template(
        xy=units.astype(np.uint16),
        angle=from_units(columns.angle[keep], DEGREES, opposite=rising),
        kind=columns.kind[keep].astype(np.uint8),
        quality=columns.quality[keep].astype(np.uint8),
        width=width,
        height=height,
        position=position,
        impression=_impression(record),
    )


def _columns(field: Field) -> _Minutiae:
    rows: list[tuple[int, ...]] = []
    for items in field.items:
        found = _NUMBERS.fullmatch(items[1]) if len(items) >= 4 else None
        if found is None or len(rows) >= FORMATS.max_minutiae:
            name = field.tag.decode("ascii")
            raise FormatError(f"minutia {len(rows) + 1} of field {name} is malformed", field.at)
        rows.append((*map(int, found.groups()), _KINDS.get(items[3][:1], 0), _quality(items[2])))
    table = np.array(rows, np.int64).reshape(-1, 5)
    return _Minutiae(table[:, :2], table[:, 2] % DEGREES, table[:, 3], table[:, 4])


def _extended(record: TaggedRecord, field: Field) -> _Minutiae:
    table = itl_efs.minutiae(record, field)
    return _Minutiae(table[:, :2], table[:, 2], table[:, 3], np.zeros(len(table), np.int64))


def _region_size(record: TaggedRecord) -> tuple[int, int] | None:
    """Size at 500 ppi up to the far corner of the region of interest, where there is one."""
    left, top, width, height = itl_efs.region(record)
    scale = IMAGE.ppi / itl_efs.UNITS_PER_INCH
    if not width or not height:
        return None
    return max(1, round((left + width) * scale)), max(1, round((top + height) * scale))


def _quality(value: bytes) -> int:
    """0 to 100: the standard runs from 2 (best) to 63 (worst); 0 is manual, 1 is none given."""
    if not value.isdigit() or len(value) > 2 or int(value) == _NO_QUALITY:
        return 0
    if int(value) == 0:
        return _ROUND
    return max(0, round((_WORST - int(value)) * _ROUND / (_WORST - _BEST)))


def _impression(record: TaggedRecord) -> Impression:
    return impression_of(number_of(record, _IMPRESSION, int(Impression.UNKNOWN)))


def m1_view(record: TaggedRecord) -> View:
    """The INCITS 378 fields of a Type-9 record as one view of a minutiae record.

    Raises
    ------
    FormatError
        With the byte position, if a field is malformed or out of range.
    """
    field = record.get(_M1)
    if field is None:
        raise FormatError("the record has no field 9.137", record.fields[0].at)
    rows: list[list[int]] = []
    for items in field.items:
        numbers = [item.strip() for item in items[1:6]]
        whole = len(numbers) == 5 and all(n.isdigit() and len(n) <= 5 for n in numbers)
        if not whole or len(rows) >= FORMATS.max_minutiae:
            raise FormatError(f"minutia {len(rows) + 1} of field 9.137 is malformed", field.at)
        rows.append([int(n) for n in numbers])
    table = np.array(rows, np.int64).reshape(-1, 5)
    x, y = number_of(record, _M1_X, 0), number_of(record, _M1_Y, 0)
    unit = number_of(record, _M1_UNIT, 0)
    if unit == _PER_INCH:
        x, y = round(x / CM_PER_INCH), round(y / CM_PER_INCH)
    elif unit != _PER_CM:
        # Taken for one or the other, most numbers would be credible and wrong.
        x = y = 0
    codes = _codes(record, _M1_POSITION)
    quality = record.get(_M1_QUALITY)
    first = quality.items[0][0] if quality else b""
    known = first.isdigit() and int(first[:4]) <= 255
    try:
        return View(
            xy=table[:, :2],
            angle=table[:, 2],
            kind=table[:, 3],
            quality=np.minimum(table[:, 4], 255),
            width=number_of(record, _M1_WIDTH, 0),
            height=number_of(record, _M1_HEIGHT, 0),
            resolution=(x, y),
            position=codes[0] if len(codes) == 1 else int(FingerPosition.UNKNOWN),
            impression=number_of(record, _IMPRESSION, int(Impression.UNKNOWN)),
            qualities=(QualityBlock(int(first)),) if known else (),
        )
    except FormatError as error:
        raise FormatError(f"field 9.137: {error}", field.at) from error
