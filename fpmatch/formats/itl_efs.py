"""The extended feature set of a Type-9 record: region of interest, position, minutiae.

Fields 9.300 to 9.399 of ANSI/NIST-ITL 1-2011 and later, in which examiners mark latents. Lengths
are hundredths of a millimetre from the upper left corner of the region of interest; angles are
whole degrees, pointing as those of INCITS 378 do (NIST's converter from one to the other copies
them).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import FormatError
from fpmatch.formats.itl_values import Field, TaggedRecord
from fpmatch.parameters import FORMATS, IMAGE
from fpmatch.types import MinutiaType

MINUTIAE, POSITION = 331, 302
"""Numbers of the fields of minutiae and of the finger that they are of."""
UNITS_PER_INCH = 2540
_REGION, _REVERSED = 300, 315
_DIRECTION_UNKNOWN = 180
"""An uncertainty of half a turn: the direction is to be ignored."""
_TURN = 360
_FARTHEST = int((IMAGE.max_side - 1) / IMAGE.ppi * UNITS_PER_INCH)
_KINDS = {
    b"E": MinutiaType.ENDING,
    b"B": MinutiaType.BIFURCATION,
    b"X": MinutiaType.OTHER,
}
_NUMBER = re.compile(rb"[0-9]{1,5}")
_LEAST_ITEMS, _UNCERTAINTY_AT = 4, 5


def minutiae(record: TaggedRecord, field: Field) -> NDArray[np.int64]:
    """Place, direction and type of each minutia that has a direction.

    Parameters
    ----------
    record : TaggedRecord
        Of Type-9.
    field : Field
        Its field 9.331.

    Returns
    -------
    (M, 4) int64
        x and y in hundredths of a millimetre from the upper left corner of the image, degrees
        counter-clockwise, `MinutiaType`.

    Raises
    ------
    FormatError
        With the byte position, if a minutia or the region of interest is malformed, or the record
        says that the picture is mirrored: a mirrored print is that of no finger.
    """
    turned = record.get(_REVERSED)
    if turned is not None and turned.value.strip() == b"L":
        raise FormatError("9.315 says that the picture is mirrored", turned.at)
    left, top, _, _ = region(record)
    rows: list[tuple[int, int, int, int]] = []
    for number, items in enumerate(field.items, 1):
        found = _minutia(items)
        if found is None or number > FORMATS.max_minutiae:
            raise FormatError(f"minutia {number} of field 9.331 is malformed", field.at)
        x, y, angle, kind, uncertainty = found
        if max(left + x, top + y) > _FARTHEST:
            raise FormatError(f"minutia {number} of field 9.331 lies outside any picture", field.at)
        if uncertainty < _DIRECTION_UNKNOWN:
            rows.append((left + x, top + y, angle, kind))
    return np.array(rows, np.int64).reshape(-1, 4)


def _minutia(items: tuple[bytes, ...]) -> tuple[int, int, int, int, int] | None:
    """x, y, degrees, type and uncertainty of the direction; None if malformed."""
    if len(items) < _LEAST_ITEMS or items[3] not in _KINDS:
        return None
    stated = items[_UNCERTAINTY_AT] if len(items) > _UNCERTAINTY_AT else b""
    numbers = [*items[:3], stated or b"0"]
    if not all(_NUMBER.fullmatch(item) for item in numbers):
        return None
    x, y, angle, uncertainty = map(int, numbers)
    if angle > _TURN or uncertainty > _DIRECTION_UNKNOWN:
        return None
    return x, y, angle % _TURN, int(_KINDS[items[3]]), uncertainty


def region(record: TaggedRecord) -> tuple[int, int, int, int]:
    """Left, top, width and height of the region of interest, hundredths of a millimetre.

    All 0 where the record has none.

    Parameters
    ----------
    record : TaggedRecord
        Of Type-9.

    Raises
    ------
    FormatError
        With the byte position, if it is malformed or larger than any picture that is read.
    """
    field = record.get(_REGION)
    if field is None:
        return 0, 0, 0, 0
    stated = field.items[0][:4]
    offset = [item or b"0" for item in (*stated[2:], b"", b"")[:2]]
    numbers = [*offset, *stated[:2]]
    if len(numbers) < 4 or not all(_NUMBER.fullmatch(item) for item in numbers):
        raise FormatError("9.300 gives no region of interest", field.at)
    x, y, across, down = map(int, numbers)
    if x + across > _FARTHEST or y + down > _FARTHEST:
        raise FormatError("9.300 gives a region larger than any picture", field.at)
    return x, y, across, down


def fingers(field: Field) -> list[bytes]:
    """Codes of the fingers that field 9.302 names, any of which it may be.

    Parameters
    ----------
    field : Field
        Further items of a subfield say which segment of the finger it is.

    Raises
    ------
    FormatError
        If there are too many of them.
    """
    return [items[0] for items in field.items]
