"""What an ANSI/NIST-ITL transaction in traditional encoding holds, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpmatch.argument_types import takes
from fpmatch.errors import FormatError
from fpmatch.formats.values import Deviation
from fpmatch.parameters import FORMATS

FS, GS, RS, US = b"\x1c", b"\x1d", b"\x1e", b"\x1f"
"""End a record, a field, a subfield, an item."""

BINARY_TYPES = frozenset(range(3, 9))
"""Records that begin with a length of four bytes instead of with tagged fields."""
PICTURE = 999
"""Number of the field that holds a picture, which runs to the end of its record."""
IDC_AT = 4
_LENGTH, _IDC = 1, 2


@dataclass(frozen=True, slots=True)
class Field:
    """One tagged field.

    Parameters
    ----------
    number : int
        What follows the point of the tag: 8 of ``1.008``.
    value : bytes
        After the colon, up to the separator.
    tag : bytes
        As it stands in the file: ``1.08`` and ``1.008`` name the same field.
    at : int
        Bytes from the start of the file, 0 if it was not read from one; no part of equality.
    """

    number: int
    value: bytes = field(repr=False)
    tag: bytes
    at: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The value as text: UTF-8, or Latin-1 where it is none."""
        try:
            return self.value.decode("utf-8")
        except UnicodeDecodeError:
            return self.value.decode("latin-1")

    @property
    def items(self) -> tuple[tuple[bytes, ...], ...]:
        """Subfields, each a tuple of items.

        Raises
        ------
        FormatError
            If there are over `FORMATS.max_items`.
        """
        if self.value.count(RS) + self.value.count(US) >= FORMATS.max_items:
            raise FormatError(f"over {FORMATS.max_items} items in one field", self.at)
        return tuple(tuple(part.split(US)) for part in self.value.split(RS))


@dataclass(frozen=True, slots=True)
class TaggedRecord:
    """A record of tagged fields: types 1, 2, 9 and from 10 on.

    Parameters
    ----------
    type : int
    fields : tuple of Field
        In the order of the file; the first is the record's length, which `write` brings up to date.
    """

    type: int
    fields: tuple[Field, ...]

    def all(self, number: int) -> tuple[Field, ...]:
        """Every field of a number; most occur once."""
        return tuple(field for field in self.fields if field.number == number)

    def get(self, number: int) -> Field | None:
        """The first field of a number, or None."""
        return next((field for field in self.fields if field.number == number), None)

    def text(self, number: int) -> str | None:
        """The first field of a number as text, or None."""
        found = self.get(number)
        return None if found is None else found.text

    @property
    def picture(self) -> Field | None:
        """The last field 999, or None: files also have a number of the picture before it."""
        found = self.all(PICTURE)
        return found[-1] if found else None

    @property
    def idc(self) -> bytes:
        """Which image the record belongs to, digits; none in a Type-1 record."""
        found = self.get(_IDC)
        return b"" if found is None or self.type == 1 else found.value


@dataclass(frozen=True, slots=True)
class BinaryRecord:
    """A record with a binary header: types 3 to 8.

    Parameters
    ----------
    type : int
    data : bytes
        All of it; the first four bytes are its length, which `write` brings up to date.
    at : int
        Bytes from the start of the file; no part of equality.
    """

    type: int
    data: bytes = field(repr=False)
    at: int = field(default=0, compare=False)

    @property
    def idc(self) -> bytes:
        """Which image the record belongs to, digits."""
        return b"%d" % self.data[IDC_AT]


ItlRecord = TaggedRecord | BinaryRecord


@dataclass(frozen=True, slots=True)
class Transaction:
    """An ANSI/NIST-ITL file.

    Parameters
    ----------
    records : tuple of TaggedRecord or BinaryRecord
        In the order of the file; the first is of Type-1.
    tail : bytes
        What follows the last record.
    deviations : tuple of Deviation
        What reading leniently passed over; no part of equality.
    """

    records: tuple[ItlRecord, ...]
    tail: bytes = field(default=b"", repr=False)
    deviations: tuple[Deviation, ...] = field(default=(), compare=False)

    @property
    def format(self) -> str:
        """``itl``."""
        return "itl"

    @property
    def header(self) -> TaggedRecord:
        """The Type-1 record.

        Raises
        ------
        FormatError
            If the first record is of another type.
        """
        first = self.records[0] if self.records else None
        if not isinstance(first, TaggedRecord) or first.type != 1:
            raise FormatError("a transaction begins with a record of Type-1")
        return first

    def of_type(self, type: int) -> tuple[ItlRecord, ...]:
        """The records of one type, in order."""
        return tuple(record for record in self.records if record.type == type)


@takes(type=int, values=Mapping)
def tagged(type: int, values: Mapping[int, bytes | str]) -> TaggedRecord:
    """A record of one's own.

    Parameters
    ----------
    type : int
    values : mapping of int to bytes or str
        By field number, in order; text becomes UTF-8. The length (1) is put in front.

    Raises
    ------
    FormatError
        If a value but the last, of number 999, holds a separator of records or fields.
    """
    fields = [Field(_LENGTH, b"0", b"%d.001" % type)]
    for number, value in values.items():
        raw = value.encode("utf-8") if isinstance(value, str) else bytes(value)
        last = number == PICTURE and number == list(values)[-1]
        if number <= _LENGTH or (not last and (GS in raw or FS in raw)):
            raise FormatError(f"field {type}.{number:03d} cannot be written as given")
        fields.append(Field(number, raw, b"%d.%03d" % (type, number)))
    return TaggedRecord(type, tuple(fields))
