"""ANSI/NIST-ITL in traditional encoding, 1-2000 to 1-2015."""

from __future__ import annotations

from dataclasses import replace

from fpmatch.formats.codec import Codec
from fpmatch.formats.itl_pictures import disagreements
from fpmatch.formats.itl_read import begins, parse
from fpmatch.formats.itl_values import Transaction
from fpmatch.formats.itl_write import write
from fpmatch.formats.values import Deviation

NAMES = ("itl",)


def recognise(data: bytes) -> str | None:
    """``itl`` if the file begins with the length of a Type-1 record."""
    return NAMES[0] if begins(data) else None


def read(data: bytes, name: str) -> Transaction:
    """Read a transaction, and note where pictures are not of the size that is stated."""
    found = parse(data)
    notes = [Deviation(at, what) for at, what in disagreements(found)]
    return replace(found, deviations=(*found.deviations, *notes))


CODEC = Codec(NAMES, recognise, read, write)
