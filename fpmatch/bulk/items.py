"""What a bulk enrolment is made of: items, how they are read, and what became of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fpmatch.types import FingerPosition, Record, SourcedRecord

_FORM = 1
"""Of the digest of an item; another one has every item read again."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an item.

    Parameters
    ----------
    path : str
        Of a picture, or of a template or transaction of any format.
    position : str
        Which finger, as the source has it; empty where it does not say.
    digest : str
        SHA-256 that the file shall have, hexadecimal; empty where the source does not say.
    source : str
        SHA-256 of the file that a template was taken from, where the source says.
    """

    path: str
    position: str = ""
    digest: str = ""
    source: str = ""


@dataclass(slots=True)
class Item:
    """One record to be enrolled, before its files have been read.

    Parameters
    ----------
    record, identity, event, contributor, protected, banned_uses
        As in `fpmatch.Record`.
    parts : list of Part
        Its files.
    where : str
        Where it comes from, for messages.
    problem : tuple of (str, str), or None
        Why it cannot be enrolled, where that is clear already: the error's name and its words.
    made : Record or None
        The record itself, where there is nothing to be read.
    """

    record: str
    parts: list[Part] = field(default_factory=list)
    identity: str = ""
    event: str = ""
    contributor: str = ""
    protected: bool = False
    banned_uses: frozenset[str] = frozenset()
    where: str = ""
    problem: tuple[str, str] | None = None
    made: Record | None = None


class Source(Protocol):
    """Where items come from."""

    @property
    def total(self) -> int | None:
        """How many items there are, where that is known before they are read."""

    def items(self) -> Iterator[Item]:
        """The items, in the same order each time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read where they do not say.

    Parameters
    ----------
    ppi : float or None
        Resolution of pictures, pixels per inch.
    position : FingerPosition
        Which finger.
    extractor : str or None
        Name of the extractor; the default one if None.
    trust_ppi, estimate, isolated : bool
        See `fpmatch.image.read_image`.
    """

    ppi: float | None = None
    position: FingerPosition = FingerPosition.UNKNOWN
    extractor: str | None = None
    trust_ppi: bool = False
    estimate: bool = False
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """An item on its way.

    Parameters
    ----------
    number : int
        Of the item in its source, from 0.
    item : Item
    reading : Reading
    known : frozenset of bytes
        Digests of the items that its event was enrolled from.
    """

    number: int
    item: Item
    reading: Reading
    known: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Failure:
    """A file, or an item (``file`` is empty), that could not be taken."""

    file: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading an item gave.

    Parameters
    ----------
    record : SourcedRecord or None
        None where there is nothing to enrol.
    digest : bytes
        Of the item; empty where not all of it could be read.
    skipped : bool
        Whether the item is enrolled already.
    failures : tuple of Failure
    passed_over : tuple of str
        What of a transaction is no single finger, and why.
    whole : bool
        Whether all files were come to; not where a wish to stop came first.
    """

    record: SourcedRecord | None = None
    digest: bytes = b""
    skipped: bool = False
    failures: tuple[Failure, ...] = ()
    passed_over: tuple[str, ...] = ()
    whole: bool = True


def digest(item: Item | Record, contents: Sequence[tuple[str, str]], reading: Reading) -> bytes:
    """SHA-256 of all that makes an item what it is; where its files lie is no part of it.

    Parameters
    ----------
    item : Item or Record
        Whose fields count.
    contents : sequence of (str, str)
        SHA-256 of each file or template, hexadecimal, and the position stated for it.
    reading : Reading
        What its files do not say.
    """
    said = [
        _FORM, item.record, item.identity, item.event, item.contributor, bool(item.protected),
        sorted(str(use) for use in item.banned_uses), [list(one) for one in contents],
        reading.ppi, int(reading.position), reading.extractor, reading.trust_ppi, reading.estimate,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).digest()


def sourced(
    item: Item | Record, fingers: Sequence[object], made_from: bytes, sources: Sequence[bytes]
) -> SourcedRecord:
    """The record of an item.

    Parameters
    ----------
    item : Item or Record
        Whose fields count.
    fingers : sequence of Template
    made_from : bytes
        Digest of the item.
    sources : sequence of bytes
        Of each finger's file.
    """
    return SourcedRecord(
        record=item.record,
        fingers=tuple(fingers),  # type: ignore[arg-type]
        identity=item.identity,
        event=item.event,
        contributor=item.contributor,
        protected=item.protected,
        banned_uses=item.banned_uses,
        item=made_from,
        sources=tuple(sources),
    )
