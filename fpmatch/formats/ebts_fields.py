"""Fields of EBTS 9.1 that submissions and answers share; one that stands twice is refused."""

from __future__ import annotations

from fpmatch.errors import FormatError, InputError
from fpmatch.formats.itl_values import Field, TaggedRecord, Transaction
from fpmatch.types import Ori

VERSION, KIND, DATE, PRIORITY, DESTINATION, ORIGIN, CONTROL, ANSWERED = 2, 4, 5, 6, 7, 8, 9, 10
SCANNED, TRANSMITTED, CHARACTERS = 11, 12, 15
"""Of the Type-1 record: VER, TOT, DAT, PRY, DAI, ORI, TCN, TCR, NSR, NTR, DCS."""
COPIES, BOOKING = 7, 73
"""Of the Type-2 record: SCO, CRI."""
ORI = 9
"""Characters of an agency's identifier."""
LONGEST_CONTROL = 40
ROUTINE = 9
"""The priority of a transaction that names none."""


def position_of(record: TaggedRecord, number: int) -> int:
    """Where a field stands in the file, or its record if it is absent."""
    found = record.get(number)
    return record.fields[0].at if found is None else found.at


def single(record: TaggedRecord, number: int) -> Field | None:
    """A field that stands once, or None: a second one would be passed over unseen.

    Raises
    ------
    FormatError
        With the byte position, if it stands several times.
    """
    found = record.all(number)
    if len(found) > 1:
        raise FormatError(f"{record.type}.{number:03d} stands {len(found)} times", found[1].at)
    return found[0] if found else None


def present(record: TaggedRecord, number: int) -> Field:
    """A field that stands once and is not empty.

    Raises
    ------
    FormatError
        With the byte position, if it is absent, empty or stands several times.
    """
    found = single(record, number)
    if found is None or not found.value:
        raise FormatError(f"{record.type}.{number:03d} is mandatory", position_of(record, number))
    return found


def text_of(record: TaggedRecord, number: int) -> str:
    """The text of a mandatory field."""
    return present(record, number).text


def occurrences(found: Field) -> list[bytes]:
    """The values of a field that may occur several times: one item each.

    Raises
    ------
    FormatError
        If one has a second item: an agency or a repository in it would be passed over unseen.
    """
    if any(len(items) != 1 for items in found.items):
        name = found.tag.decode("ascii")
        raise FormatError(
            f"{name} has items within an occurrence: occurrences are parted by RS", found.at
        )
    return [items[0] for items in found.items]


def oris_of(record: TaggedRecord, number: int, most: int = 1) -> tuple[str, ...]:
    """The ORIs of a field; what follows nine characters is routing, allowed in 2.007 only.

    Parameters
    ----------
    record : TaggedRecord
        That holds it.
    number : int
        Of the field.
    most : int
        Occurrences that are taken.

    Raises
    ------
    FormatError
        With the byte position, if it is absent, has more occurrences or one that is no ORI.
    """
    found = present(record, number)
    values = occurrences(found)
    routed = (record.type, number) == (2, COPIES)
    if len(values) > most:
        raise FormatError(f"{record.type}.{number:03d} has over {most} occurrences", found.at)
    try:
        return tuple(Ori((v[:ORI] if routed else v).decode("latin-1")) for v in values)
    except InputError as error:
        raise FormatError(f"{record.type}.{number:03d}: {error}", found.at) from error


def control_of(header: TaggedRecord, number: int) -> str:
    """A control number: up to 40 printable characters.

    Raises
    ------
    FormatError
        With the byte position, if it is absent or no such text.
    """
    text = text_of(header, number)
    if len(text) > LONGEST_CONTROL or not text.isprintable():
        raise FormatError(
            f"1.{number:03d} must be up to {LONGEST_CONTROL} printable characters",
            position_of(header, number),
        )
    return text


def priority_of(header: TaggedRecord) -> int:
    """1 (first) to 9 (1.006; 9 if absent).

    Raises
    ------
    FormatError
        With the byte position, if it is anything else.
    """
    found = single(header, PRIORITY)
    if found is None:
        return ROUTINE
    if len(found.value) != 1 or found.value not in b"123456789":
        raise FormatError("1.006 must be 1 to 9", found.at)
    return int(found.value)


def second_of(transaction: Transaction) -> TaggedRecord:
    """The Type-2 record, of which a submission has one.

    Raises
    ------
    FormatError
        With the byte position, if there is none or several.
    """
    found = transaction.of_type(2)
    if len(found) != 1 or not isinstance(found[0], TaggedRecord):
        raise FormatError(f"a submission has one record of Type-2, not {len(found)}", 0)
    return found[0]
