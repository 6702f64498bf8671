"""The fingerprint pictures of a transaction: records of Type-4, Type-13 and Type-14."""

from __future__ import annotations

import struct

from fpmatch.errors import FormatError
from fpmatch.finger import FingerPosition
from fpmatch.formats.itl_values import BinaryRecord, Field, ItlRecord, TaggedRecord, Transaction
from fpmatch.formats.pictures import Picture, Segment, picture_coding
from fpmatch.formats.units import CM_PER_INCH
from fpmatch.parameters import IMAGE

PICTURE_TYPES = frozenset({4, 13, 14})
_HEADER = struct.Struct(">IBB6sBHHB")  # length, number, impression, positions, scale, size, coding
_TYPE_14 = 14
_NO_POSITION = 255
_NATIVE = 1
_MM_PER_INCH = 25.4
_IMPRESSION, _WIDTH, _HEIGHT, _UNIT, _X, _Y = 3, 6, 7, 8, 9, 10
_CODING, _DEPTH, _POSITION = 11, 12, 13
_AMPUTATED, _BOXES, _POLYGONS = 18, 21, 25
"""Of a Type-14 record: AMP, SEG, ASEG."""
_CODES = (b"XX", b"UP")
_PER_INCH, _PER_CM = 1, 2
_NATIVE_RESOLUTION, _TRANSMITTED_RESOLUTION = 11, 12


def pictures(transaction: Transaction) -> list[Picture]:
    """Every picture of Type-4, -13 and -14, in the order of the file.

    Raises
    ------
    FormatError
        With the byte position, if a record lacks its picture or states no number where one
        belongs.
    """
    return [
        picture(transaction, record)
        for record in transaction.records
        if record.type in PICTURE_TYPES
    ]


def picture(transaction: Transaction, record: ItlRecord) -> Picture:
    """The picture of one record; see `pictures`."""
    if isinstance(record, BinaryRecord):
        return _binary(transaction, record)
    return _tagged(record)


def _binary(transaction: Transaction, record: BinaryRecord) -> Picture:
    if len(record.data) < _HEADER.size:
        raise FormatError(f"a Type-{record.type} header has {_HEADER.size} bytes", record.at)
    _, number, impression, raw, scale, width, height, coded = _HEADER.unpack_from(record.data)
    data = record.data[_HEADER.size :]
    positions = tuple(code for code in raw if code != _NO_POSITION) or (0,)
    return Picture(
        data, picture_coding(data, coded == 0, width * height), width, height,
        _type_4_ppi(transaction, scale), positions, impression, 8, number, record.at,
    )  # fmt: skip


def _type_4_ppi(transaction: Transaction, scale: int) -> tuple[float, float] | None:
    """500 ppi, or what the Type-1 record gives as transmitted and, without it, as native."""
    if scale != _NATIVE:
        return IMAGE.ppi, IMAGE.ppi
    for number in (_TRANSMITTED_RESOLUTION, _NATIVE_RESOLUTION):
        try:
            per_mm = float(transaction.header.text(number) or 0)
        except ValueError:
            continue
        if 0 < per_mm < IMAGE.max_ppi:
            return per_mm * _MM_PER_INCH, per_mm * _MM_PER_INCH
    return None


def _tagged(record: TaggedRecord) -> Picture:
    field = record.picture
    start = record.fields[0].at
    if field is None:
        raise FormatError(f"the Type-{record.type} record holds no picture", start)
    width, height = number_of(record, _WIDTH), number_of(record, _HEIGHT)
    depth = number_of(record, _DEPTH, 8)
    stated = (record.text(_CODING) or "").upper()
    size = width * height * depth // 8
    return Picture(
        field.value, picture_coding(field.value, stated == "NONE", size), width, height,
        _ppi(record), _positions(record), number_of(record, _IMPRESSION, 29), depth,
        number_of(record, 2, 0), start, *_of_a_slap(record),
    )  # fmt: skip


def _of_a_slap(record: TaggedRecord) -> tuple[tuple[Segment, ...], tuple[int, ...], str]:
    """Where fingers lie, which are absent, and what is malformed of that."""
    if record.type != _TYPE_14:
        return (), (), ""
    unclear = ""
    amputated: tuple[int, ...] = ()
    segments: tuple[Segment, ...] = ()
    try:
        amputated = _amputated(record)
    except FormatError as error:
        unclear = str(error)
    try:
        segments = _polygons(record) or _boxes(record)
    except FormatError as error:
        unclear = unclear or str(error)
    return segments, amputated, unclear


def _amputated(record: TaggedRecord) -> tuple[int, ...]:
    field = record.get(_AMPUTATED)
    if field is None:
        return ()
    if any(len(items) != 2 or items[1] not in _CODES for items in field.items):
        raise FormatError("14.018 must be pairs of a finger and XX or UP", field.at)
    fingers = tuple(whole(items[0], field) for items in field.items)
    if not all(1 <= finger <= max(FingerPosition) for finger in fingers):
        raise FormatError(f"14.018 must name fingers 1 to {max(FingerPosition)}", field.at)
    return fingers


def _boxes(record: TaggedRecord) -> tuple[Segment, ...]:
    """14.021: finger, left, right, top, bottom."""
    out = []
    for numbers in _numbers(record, _BOXES):
        if len(numbers) != 5:
            raise FormatError("14.021 must be a finger and four sides", record.fields[0].at)
        finger, left, right, top, bottom = numbers
        out.append(Segment(finger, ((left, top), (right, top), (right, bottom), (left, bottom))))
    return tuple(out)


def _polygons(record: TaggedRecord) -> tuple[Segment, ...]:
    """14.025: finger, number of points, and so many pairs."""
    out = []
    for numbers in _numbers(record, _POLYGONS):
        if len(numbers) < 2 or len(numbers) != 2 + 2 * numbers[1] or numbers[1] < 3:
            raise FormatError(
                "14.025 must be a finger, a number of points and these", record.fields[0].at
            )
        out.append(Segment(numbers[0], tuple(zip(numbers[2::2], numbers[3::2], strict=True))))
    return tuple(out)


def _numbers(record: TaggedRecord, number: int) -> list[list[int]]:
    """Every subfield of a field as whole numbers."""
    field = record.get(number)
    if field is None:
        return []
    return [[whole(item, field) for item in items] for items in field.items]


def _ppi(record: TaggedRecord) -> tuple[float, float] | None:
    scale = {_PER_INCH: 1.0, _PER_CM: CM_PER_INCH}.get(number_of(record, _UNIT, 0))
    x, y = number_of(record, _X, 0), number_of(record, _Y, 0)
    if scale is None or not x or not y:
        return None
    return x * scale, y * scale


def _positions(record: TaggedRecord) -> tuple[int, ...]:
    field = record.get(_POSITION)
    if field is None:
        return (0,)
    return tuple(whole(item, field) for items in field.items for item in items)


def number_of(record: TaggedRecord, number: int, otherwise: int | None = None) -> int:
    """A field as a whole number of up to nine digits.

    Parameters
    ----------
    record : TaggedRecord
    number : int
        Of the field.
    otherwise : int, optional
        What is taken where the field is absent.

    Raises
    ------
    FormatError
        With the byte position, if it is none, or absent and there is no other value to take.
    """
    field = record.get(number)
    if field is None or not field.value:
        if otherwise is None:
            at = field.at if field else record.fields[0].at
            raise FormatError(f"field {record.type}.{number:03d} is absent", at)
        return otherwise
    return whole(field.value, field)


def whole(value: bytes, field: Field) -> int:
    """A whole number of up to nine digits, out of a field.

    Parameters
    ----------
    value : bytes
    field : Field
        Which an error names.

    Raises
    ------
    FormatError
        If it is none.
    """
    text = value.strip()
    if not text.isdigit() or len(text) > 9:
        raise FormatError(f"field {field.tag.decode('ascii')} is no whole number", field.at)
    return int(text)


def disagreements(transaction: Transaction) -> list[tuple[int, str]]:
    """Where the size that a record states is not that of its picture, or its fields are no use."""
    found = []
    for record in transaction.records:
        if record.type not in PICTURE_TYPES:
            continue
        try:
            shown = picture(transaction, record)
        except FormatError as error:
            found.append((error.at or 0, str(error)))
            continue
        wrong = shown.disagreement()
        if wrong is not None:
            found.append((shown.at, wrong))
        if shown.unclear:
            found.append((shown.at, shown.unclear))
    return found
