"""Records with where they came from: on their way into a gallery, and as they leave one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpmatch.types.looking import RecordInfo
from fpmatch.types.search import Record

if TYPE_CHECKING:
    from fpmatch.template import Template


@dataclass(frozen=True, slots=True)
class SourcedRecord(Record):
    """A record that says what it was made from: for going on after a crash, and as provenance.

    Parameters
    ----------
    record, fingers, identity, event, contributor, protected, banned_uses
        As of `Record`.
    item : bytes
        SHA-256 of all that the source said of this item; empty where it shall be read again.
        Kept with the record's event: see `Engine.taken`.
    sources : tuple of bytes
        For each finger the SHA-256 of the file that it was taken from, empty where unknown; or
        nothing at all.
    """

    item: bytes = b""
    sources: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredFinger:
    """One impression as it is stored.

    Parameters
    ----------
    template : Template
    event : str
        The event that holds it; for all but the owner of the partition empty.
    source : bytes
        SHA-256 of the file that it was taken from; empty where nobody said.
    """

    template: Template
    event: str = ""
    source: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with its templates.

    Parameters
    ----------
    info : RecordInfo
        As `Engine.record` gives it: facts for the owner of the partition only.
    fingers : tuple of StoredFinger
        For the owner one for each event that holds an impression, else one for each impression.
    """

    info: RecordInfo
    fingers: tuple[StoredFinger, ...]


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """Some of the records that may leave for the asker, ascending by name.

    Parameters
    ----------
    partition : str
    records : tuple of StoredRecord
    after : str
        Where the next page begins: pass it as ``after``. Empty on the last one.
    """

    partition: str
    records: tuple[StoredRecord, ...]
    after: str = ""

    def __iter__(self) -> Iterator[StoredRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)
