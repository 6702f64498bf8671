"""Bytes -> `Transaction`: ANSI/NIST-ITL, traditional encoding."""

from __future__ import annotations

import contextlib
import re

from fpmatch.errors import FormatError
from fpmatch.formats.itl_values import (
    BINARY_TYPES,
    FS,
    GS,
    IDC_AT,
    PICTURE,
    RS,
    BinaryRecord,
    Field,
    ItlRecord,
    TaggedRecord,
    Transaction,
)
from fpmatch.formats.values import Deviation
from fpmatch.parameters import FORMATS

_TAG = re.compile(rb"([0-9]{1,2})\.([0-9]{1,4}):")
_LENGTH = re.compile(rb"([0-9]{1,2})\.0{0,2}1:([0-9]{1,10})\x1d")
_CONTENT = 3
_VERSION = 2
_VERSIONS = frozenset({b"0200", b"0201", b"0300", b"0400", b"0500", b"0501", b"0502"})
_LONGEST_TAG = 8
_LONGEST_NUMBER = 64


def begins(data: bytes) -> bool:
    """Whether the bytes begin as a Type-1 record does."""
    found = _LENGTH.match(data)
    return found is not None and int(found[1]) == 1


def parse(data: bytes) -> Transaction:
    """Read a transaction; every byte of it is kept.

    Raises
    ------
    FormatError
        With the byte position, where a record is cut, does not end where it says, is of another
        type than 1.003 lists, or a tag is none.
    """
    notes: list[Deviation] = []
    header, at = _tagged(data, 0, 1)
    records: list[ItlRecord] = [header]
    version = header.get(_VERSION)
    if version is None or version.value not in _VERSIONS:
        notes.append(Deviation(version.at if version else 0, "1.002 names no known version"))
    for type, idc in _contents(header, notes):
        start = at
        record: ItlRecord
        if type in BINARY_TYPES:
            record, at = _binary(data, at, type)
        else:
            record, at = _tagged(data, at, type)
        records.append(record)
        if not record.idc.isdigit() or int(record.idc) != idc:
            notes.append(Deviation(start, f"1.003 lists this Type-{type} record as {idc}"))
        if isinstance(record, TaggedRecord) and len(record.all(PICTURE)) > 1:
            notes.append(Deviation(start, f"several fields {type}.999; the last is the picture"))
    if at != len(data):
        notes.append(Deviation(at, f"{len(data) - at} bytes follow the last record"))
    return Transaction(tuple(records), data[at:], tuple(notes))


def beginning(data: bytes) -> Transaction:
    """The records of text in front of the first of another kind, or of a damaged one.

    What an answer to a damaged file needs stands there: who sent it, and under which number.

    Raises
    ------
    FormatError
        If not even the Type-1 record can be read.
    """
    header, at = _tagged(data, 0, 1)
    records: list[ItlRecord] = [header]
    with contextlib.suppress(FormatError):
        for type, _ in _contents(header, []):
            if type in BINARY_TYPES:
                break
            record, at = _tagged(data, at, type)
            records.append(record)
    return Transaction(tuple(records))


def _contents(header: TaggedRecord, notes: list[Deviation]) -> list[tuple[int, int]]:
    field = header.get(_CONTENT)
    if field is None:
        raise FormatError("the Type-1 record has no 1.003, which lists the others", 0)
    if field.value.count(RS) > FORMATS.max_records:
        raise FormatError(f"1.003 lists over {FORMATS.max_records} records", field.at)
    out = []
    for number, items in enumerate(field.items):
        digits = [item.strip() for item in items]
        if len(items) != 2 or not all(d.isdigit() and len(d) <= 4 for d in digits):
            raise FormatError("1.003 must be pairs of a record type and a number", field.at)
        pair = int(digits[0]), int(digits[1])
        if number == 0:
            if pair[0] != 1:
                raise FormatError("1.003 must begin with the Type-1 record", field.at)
            count = pair[1]
        else:
            out.append(pair)
    if count != len(out):
        notes.append(Deviation(field.at, f"1.003 counts {count} records and lists {len(out)}"))
    return out


def _binary(data: bytes, at: int, type: int) -> tuple[BinaryRecord, int]:
    size = int.from_bytes(data[at : at + 4], "big")
    if len(data) - at < IDC_AT + 1:
        raise FormatError(f"the file ends where a Type-{type} record must begin", at)
    if size <= IDC_AT:
        raise FormatError(f"length {size} is too short for a Type-{type} record", at)
    if size > len(data) - at:
        raise FormatError(
            f"a Type-{type} record of {size} bytes is cut: {len(data) - at} are left", at
        )
    return BinaryRecord(type, data[at : at + size], at), at + size


def _tagged(data: bytes, at: int, type: int) -> tuple[TaggedRecord, int]:
    found = _LENGTH.match(data, at)
    if found is None or int(found[1]) != type:
        raise FormatError(f"no Type-{type} record begins here with its length", at)
    size = int(found[2])
    end = at + size - 1
    if end >= len(data):
        raise FormatError(
            f"a Type-{type} record of {size} bytes is cut: {len(data) - at} are left", at
        )
    if end < found.end() or data[end : end + 1] != FS:
        raise FormatError(f"the Type-{type} record does not end here with FS, as it says", end)
    fields = []
    while at <= end:
        field, at = _field(data, at, end, type)
        fields.append(field)
        if len(fields) > FORMATS.max_fields:
            raise FormatError(f"over {FORMATS.max_fields} fields in a record", at)
    return TaggedRecord(type, tuple(fields)), end + 1


def _field(data: bytes, at: int, end: int, type: int) -> tuple[Field, int]:
    """The field at a place and where the next begins; the record's FS is at ``end``."""
    found = _TAG.match(data, at, min(end, at + _LONGEST_TAG))
    if found is None or int(found[1]) != type:
        raise FormatError(f"no tag of a Type-{type} record begins here", at)
    number = int(found[2])
    start = found.end()
    stop = data.find(GS, start, end)
    if stop < 0 or (number == PICTURE and not _is_text(data, start, stop, found[0])):
        stop = end
    value = data[start:stop]
    if number != PICTURE and FS in value:
        raise FormatError("FS inside a record", start + value.index(FS))
    return Field(number, value, found[0][:-1], at), stop + 1


def _is_text(data: bytes, start: int, stop: int, tag: bytes) -> bool:
    """Whether field 999 is a number that stands before the picture's own field 999."""
    digits = data[start : min(stop, start + _LONGEST_NUMBER)]
    return digits.isdigit() and data.startswith(tag, stop + 1)
