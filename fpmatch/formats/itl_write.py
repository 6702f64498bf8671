"""`Transaction` -> bytes."""

from __future__ import annotations

from fpmatch.errors import FormatError
from fpmatch.formats.itl_values import (
    FS,
    GS,
    IDC_AT,
    RS,
    US,
    BinaryRecord,
    Field,
    ItlRecord,
    TaggedRecord,
    Transaction,
)

_LENGTH, _CONTENT = 1, 3
_LONGEST = 0xFFFFFFFF


def write(transaction: Transaction) -> bytes:
    """Serialise; what was read gives the same bytes.

    Lengths that are wrong are written anew, and 1.003 where it lists other types of records, in
    another order, than there are; its numbers alone are never mended.

    Raises
    ------
    FormatError
        If there is no Type-1 record in front, or a record has no length field in front or no
        number that 1.003 could list.
    """
    header = transaction.header
    rest = transaction.records[1:]
    parts = [_tagged(_listing(header, rest))]
    for record in rest:
        parts.append(_binary(record) if isinstance(record, BinaryRecord) else _tagged(record))
    return b"".join(parts) + transaction.tail


def _binary(record: BinaryRecord) -> bytes:
    if not IDC_AT < len(record.data) <= _LONGEST:
        raise FormatError(f"a Type-{record.type} record cannot have {len(record.data)} bytes")
    return len(record.data).to_bytes(4, "big") + record.data[4:]


def _tagged(record: TaggedRecord) -> bytes:
    if not record.fields or record.fields[0].number != _LENGTH:
        raise FormatError(f"the first field of a Type-{record.type} record must be its length")
    first, *others = record.fields
    body = GS.join([field.tag + b":" + field.value for field in others]) + FS
    fixed = len(first.tag) + 2 + len(body)
    return first.tag + b":" + _digits(first.value, fixed) + GS + body


def _digits(stated: bytes, fixed: int) -> bytes:
    """A length that counts its own digits; as stated where that is right."""
    if stated.isdigit() and int(stated) == fixed + len(stated):
        return stated
    width = 1
    while len(b"%d" % (fixed + width)) > width:
        width += 1
    return b"%d" % (fixed + width)


def _listing(header: TaggedRecord, rest: tuple[ItlRecord, ...]) -> TaggedRecord:
    """The Type-1 record with a 1.003 that lists the records."""
    fields = list(header.fields)
    place = next((i for i, f in enumerate(fields) if f.number == _CONTENT), None)
    if place is not None and _types(fields[place]) == [record.type for record in rest]:
        return header
    pairs = [b"1%s%d" % (US, len(rest))]
    pairs += [b"%d%s%02d" % (record.type, US, _number(record)) for record in rest]
    if place is None:
        at = next((i for i, f in enumerate(fields) if f.number > _CONTENT), len(fields))
        fields.insert(at, Field(_CONTENT, RS.join(pairs), b"1.003"))
    else:
        fields[place] = Field(_CONTENT, RS.join(pairs), fields[place].tag)
    return TaggedRecord(1, tuple(fields))


def _number(record: ItlRecord) -> int:
    if not record.idc.isdigit() or len(record.idc) > 4:
        raise FormatError(f"a Type-{record.type} record has no number in its second field")
    return int(record.idc)


def _types(field: Field) -> list[int] | None:
    try:
        return [int(items[0]) for items in field.items[1:]]
    except ValueError:
        return None
