"""Items into the tables: those that are new records many at a time, the others one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fpmatch.database import stored_number
from fpmatch.errors import InputError
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import record_item
from fpmatch.gallery.gallery import ROW_BITS
from fpmatch.gallery.putting import Putting, Taken, stored_form, uses_text
from fpmatch.gallery.results import NewRow
from fpmatch.types import Record

Origin = tuple[bytes, tuple[bytes, ...]]
Item = tuple[int, Record, Origin]
"""Number, checked record, what it came from."""
Put = tuple[Taken, list[NewRow], tuple[bytes | None, bytes]]
"""As `Putting.put` gives it."""


def put_all(putting: Putting, items: Sequence[Item]) -> Iterator[tuple[int, Put | InputError]]:
    """Take records in, in their order: what became of each, by number.

    The tables hold what they would if `Putting.put` had taken one after the other.

    Parameters
    ----------
    putting : Putting
    items : sequence of (int, Record, (bytes, tuple of bytes))
    """
    if cipher_of(putting.database).encrypted:
        yield from (_one(putting, item) for item in items)
        return
    several: list[Item] = []
    there = putting.held([item[1].record for item in items])
    for item in items:
        name = item[1].record
        if name not in there:
            several.append(item)
            there.add(name)
            continue
        yield from _several(putting, several)
        several = []
        yield _one(putting, item)
    yield from _several(putting, several)


def _one(putting: Putting, item: Item) -> tuple[int, Put | InputError]:
    number, record, origin = item
    database = putting.database
    database.execute("SAVEPOINT item")
    mark = putting.numbers.mark()
    done: Put | InputError
    try:
        done = putting.put(number, record, origin)
    except InputError as error:
        database.execute("ROLLBACK TO item")
        putting.numbers.back(mark)
        done = error
    database.execute("RELEASE item")
    return number, done


def _several(putting: Putting, items: list[Item]) -> Iterator[tuple[int, Put]]:
    """Records that are not there, each of another name."""
    # Without a savepoint, within which SQLite copies pages for each row: that took twice the rows'
    # time. What a checked record holds can be stored, and whatever else goes wrong ends the batch.
    if items:
        rows = _Rows.after(putting)
        done = [(item[0], rows.add(*item)) for item in items]
        rows.store()
        yield from done


@dataclass(slots=True)
class _Rows:
    """Rows of new records, for each table.

    Parameters
    ----------
    putting : Putting
    event, template : int
        The last that are there.
    """

    putting: Putting
    event: int
    template: int
    records: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    templates: list[tuple[Any, ...]] = field(default_factory=list)
    fingers: list[tuple[Any, ...]] = field(default_factory=list)
    held: list[tuple[Any, ...]] = field(default_factory=list)
    items: list[tuple[Any, ...]] = field(default_factory=list)
    origins: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    def after(cls, putting: Putting) -> _Rows:
        """Numbered as SQLite would number what comes after what is there."""
        execute = putting.database.execute
        event = execute("SELECT COALESCE(MAX(id), 0) FROM event").fetchone()[0]
        given = execute("SELECT seq FROM sqlite_sequence WHERE name = 'template'").fetchone()
        last = execute("SELECT COALESCE(MAX(id), 0) FROM template").fetchone()[0]
        if given is not None:
            last = max(last, stored_number(given[0], "the last template's number"))
        return cls(putting, event, last)

    def add(self, item: int, record: Record, origin: Origin) -> Put:
        """The rows of a record."""
        partition, numbers = self.putting.partition, self.putting.numbers
        protected, banned = record.protected, record.banned_uses
        key = numbers.record()
        self.event += 1
        known: dict[bytes, int] = {}
        rows, keys, events = [], [], []
        for place, finger in enumerate(record.fingers):
            content = stored_form(finger, self.putting.contents)
            digest = hashlib.sha256(content).digest()
            if digest not in known:
                row = numbers.row()
                known[digest] = (partition << ROW_BITS) + row
                position = int(finger.position)
                self.template += 1
                self.templates.append((self.template, content))
                self.fingers.append((known[digest], key, position, self.template, digest))
                self.held.append((self.event, known[digest]))
                events.append((record.event, position, digest.hex().upper()))
                rows.append(NewRow(row, finger.position, key, item, place, digest))
            keys.append(known[digest])
        facts = (record.record, record.identity or record.record, record.contributor)
        digest = record_item(*facts, (protected, False), banned, events)
        uses = uses_text(banned)
        self.records.append((key, partition, *facts, protected, uses, digest))
        self.events.append((self.event, key, record.event))
        if origin[0]:
            self.items.append((self.event, origin[0]))
        self.origins += [
            (self.event, of, source) for of, source in zip(keys, origin[1], strict=False) if source
        ]
        return Taken(key, record.record, protected, False, banned, fresh=True), rows, (None, digest)

    def store(self) -> None:
        """Into the tables, each after those that its rows refer to."""
        for statement, rows in (
            (
                "INSERT INTO record (id, partition, record, identity, contributor, protected, "
                "sealed, banned, item) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
                self.records,
            ),
            ("INSERT INTO event (id, record, event) VALUES (?, ?, ?)", self.events),
            ("INSERT INTO template (id, bytes) VALUES (?, ?)", self.templates),
            ("INSERT INTO finger VALUES (?, ?, ?, ?, ?)", self.fingers),
            ("INSERT INTO held VALUES (?, ?)", self.held),
            ("INSERT INTO item VALUES (?, ?)", self.items),
            ("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", self.origins),
        ):
            if rows:
                self.putting.database.executemany(statement, rows)
