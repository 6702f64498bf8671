"""Records and impressions into the tables, one item after the other, in a running transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from fpmatch.checks import quoted
from fpmatch.database import stored_number, stored_uses
from fpmatch.errors import InputError
from fpmatch.gallery import origins
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import record_item
from fpmatch.gallery.gallery import ROW_BITS
from fpmatch.gallery.items import refresh_item
from fpmatch.gallery.results import NewRow
from fpmatch.template import Template
from fpmatch.types import Record

_ASKED = 256
"""Names asked for in one statement: some builds of SQLite take no more than 999."""
Contents = dict[int, tuple[Template, bytes]]
"""Templates and their stored forms, by `id` of the template."""


def stored_form(finger: Template, contents: Contents) -> bytes:
    """A template's bytes, made once.

    Parameters
    ----------
    finger : Template
    contents : Contents
        The template is in it afterwards.
    """
    # No other template has that id while this one is held on to.
    if id(finger) not in contents:
        contents[id(finger)] = finger, finger.to_bytes()
    return contents[id(finger)][1]


@dataclass(frozen=True, slots=True)
class Taken:
    """A record's state after enrolment, for the columns.

    Parameters
    ----------
    barred : bool
        Whether it was there before, and is protected or banned from more than it was.
    fresh : bool
        Whether it was not there before.
    """

    key: int
    name: str
    protected: bool
    sealed: bool
    banned: frozenset[str]
    barred: bool = False
    fresh: bool = False


class Numbers:
    """Keys of records and rows of fingers that a running transaction gives out: none twice.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    partition : int
        Key of the partition.

    Raises
    ------
    CorruptError
        If what is stored is no number.
    """

    def __init__(self, database: sqlite3.Connection, partition: int) -> None:
        self._database = database
        self._partition = partition
        record = database.execute("SELECT value FROM meta WHERE key = 'next_record'").fetchone()
        row = database.execute("SELECT next_row FROM partition WHERE id = ?", (partition,))
        self._next = (
            stored_number(record[0], "the next record's key"),
            stored_number(row.fetchone()[0], "a partition's next row"),
        )

    def record(self) -> int:
        """A key that no record ever had: a search that has compared one knows it by its key."""
        record, row = self._next
        self._next = record + 1, row
        return record

    def row(self) -> int:
        """A row that no finger of the partition ever had."""
        record, row = self._next
        self._next = record, row + 1
        return row

    def mark(self) -> tuple[int, int]:
        """What `back` takes."""
        return self._next

    def back(self, mark: tuple[int, int]) -> None:
        """Take back what was given out since: it was rolled back."""
        self._next = mark

    def store(self) -> None:
        """Have the database go on from here."""
        record, row = self._next
        execute = self._database.execute
        execute("UPDATE meta SET value = ? WHERE key = 'next_record'", (record,))
        execute("UPDATE partition SET next_row = ? WHERE id = ?", (row, self._partition))


@dataclass(frozen=True, slots=True)
class Putting:
    """A running transaction that takes records into a partition.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    partition : int
        Key of the partition.
    numbers : Numbers
    contents : Contents
        Stored forms that are at hand.
    """

    database: sqlite3.Connection
    partition: int
    numbers: Numbers
    contents: Contents = field(default_factory=dict)

    def held(self, names: Sequence[str]) -> set[str]:
        """Those names that records have which are there.

        Parameters
        ----------
        names : sequence of str
            As the column holds them.
        """
        out: set[str] = set()
        for first in range(0, len(names), _ASKED):
            some = names[first : first + _ASKED]
            marks = ", ".join("?" * len(some))
            found = self.database.execute(
                f"SELECT record FROM record WHERE partition = ? AND record IN ({marks})",
                (self.partition, *some),
            )
            out |= {name for (name,) in found}
        return out

    def put(
        self, item: int, record: Record, origin: tuple[bytes, tuple[bytes, ...]]
    ) -> tuple[Taken, list[NewRow], tuple[bytes | None, bytes]]:
        """Take a record in: what it is now, its new rows, its digest before and now.

        Parameters
        ----------
        item : int
            Its number in the batch.
        record : Record
            Checked.
        origin : (bytes, tuple of bytes)
            From `origins.check`.

        Raises
        ------
        InputError
            If it contradicts the record that is there.
        """
        database, cipher = self.database, cipher_of(self.database)
        identity = record.identity or record.record
        facts = (record.record, identity, record.contributor)
        shown = cipher.columns(database, self.partition, facts)
        found = database.execute(
            "SELECT id, identity, contributor, protected, sealed, banned, item FROM record "
            "WHERE partition = ? AND record = ?",
            (self.partition, shown[0]),
        ).fetchone()
        if found is not None:
            return self._add(item, record, origin, found)
        return self._new(item, record, origin, (facts, shown))

    def _new(
        self,
        item: int,
        record: Record,
        origin: tuple[bytes, tuple[bytes, ...]],
        known: tuple[tuple[str, str, str], tuple[str, str, str]],
    ) -> tuple[Taken, list[NewRow], tuple[bytes | None, bytes]]:
        """A record that is not there: nothing of it has to be looked up, or read again."""
        database, cipher = self.database, cipher_of(self.database)
        facts, shown = known
        banned = frozenset(str(use) for use in record.banned_uses)
        protected = bool(record.protected)
        forms = [self._form(finger) for finger in record.fingers]
        held = {
            digest: (record.event, int(f.position))
            for f, (_, digest) in zip(record.fingers, forms, strict=True)
        }
        # As `items.item_of` will compute it from the tables.
        events = [
            (event, position, digest.hex().upper()) for digest, (event, position) in held.items()
        ]
        digest = record_item(*facts, (protected, False), banned, events)
        key = self.numbers.record()
        database.execute(
            "INSERT INTO record (id, partition, record, identity, contributor, protected, sealed, "
            "banned, item) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (key, self.partition, *shown, protected, uses_text(banned), digest),
        )
        cipher.put_facts(database, key, facts)
        box = cipher.of(database, key)
        name = box.put_text(record.event, "event")
        event = database.execute(
            "INSERT INTO event (record, event) VALUES (?, ?) RETURNING id", (key, name)
        ).fetchone()[0]
        rows, keys = self._store((key, event), record.fingers, item, forms, fresh=True)
        origins.put(database, event, keys, origin)
        taken = Taken(key, record.record, protected, False, banned, fresh=True)
        return taken, rows, (None, digest)

    def _add(
        self,
        item: int,
        record: Record,
        origin: tuple[bytes, tuple[bytes, ...]],
        found: tuple,
    ) -> tuple[Taken, list[NewRow], tuple[bytes | None, bytes]]:
        """To a record that is there."""
        database, cipher = self.database, cipher_of(self.database)
        key, was, contributor, protected, sealed, old_banned, old = found
        _, was, contributor = cipher.facts(database, key, (record.record, was, contributor))
        if record.identity and was != record.identity:
            raise InputError(f"record {quoted(record.record)} belongs to another identity already")
        if record.contributor and contributor != record.contributor:
            raise InputError(f"record {quoted(record.record)} has another contributor already")
        before = bool(protected), stored_uses(old_banned)
        protected = before[0] or bool(record.protected)
        banned = frozenset(str(use) for use in record.banned_uses) | before[1]
        database.execute(
            "UPDATE record SET protected = ?, banned = ? WHERE id = ?",
            (protected, uses_text(banned), key),
        )
        name = cipher.of(database, key).put_text(record.event, "event")
        database.execute("INSERT OR IGNORE INTO event (record, event) VALUES (?, ?)", (key, name))
        event = database.execute(
            "SELECT id FROM event WHERE record = ? AND event = ?", (key, name)
        ).fetchone()[0]
        rows, keys = self.store_fingers((key, event), record.fingers, item)
        origins.put(database, event, keys, origin)
        more = (protected, banned) != before
        taken = Taken(key, record.record, protected, bool(sealed), banned, more)
        return taken, rows, (old, refresh_item(database, key))

    def store_fingers(
        self, place: tuple[int, int], fingers: Sequence[Template], item: int = -1
    ) -> tuple[list[NewRow], list[int]]:
        """Have an event hold impressions: which are new to the record, and the keys of all.

        Parameters
        ----------
        place : (int, int)
            Keys of record and event.
        fingers : sequence of Template
            None of them empty.
        item : int
            Number of the item that they came with.
        """
        return self._store(place, fingers, item, [self._form(f) for f in fingers], fresh=False)

    def _form(self, finger: Template) -> tuple[bytes, bytes]:
        """The stored form of a template, and its digest."""
        content = stored_form(finger, self.contents)
        return content, hashlib.sha256(content).digest()

    def _store(
        self,
        place: tuple[int, int],
        fingers: Sequence[Template],
        item: int,
        forms: Sequence[tuple[bytes, bytes]],
        *,
        fresh: bool,
    ) -> tuple[list[NewRow], list[int]]:
        (record, event), database = place, self.database
        cipher = cipher_of(database)
        box = cipher.of(database, record)
        known: dict[bytes, int] = {}
        rows, keys = [], []
        for number, (finger, (content, digest)) in enumerate(zip(fingers, forms, strict=True)):
            sha = box.put(digest, "sha256")
            if digest not in known and not fresh:
                found = database.execute(
                    "SELECT key FROM finger WHERE record = ? AND sha256 = ?", (record, sha)
                ).fetchone()
                if found is not None:
                    known[digest] = found[0]
            if digest not in known:
                row = self.numbers.row()
                known[digest] = (self.partition << ROW_BITS) + row
                template = cipher.add_template(database, content)
                database.execute(
                    "INSERT INTO finger VALUES (?, ?, ?, ?, ?)",
                    (known[digest], record, int(finger.position), template, sha),
                )
                rows.append(NewRow(row, finger.position, record, item, number, sha))
            key = known[digest]
            database.execute("INSERT OR IGNORE INTO held VALUES (?, ?)", (event, key))
            keys.append(key)
        return rows, keys


def uses_text(banned: frozenset[str]) -> str:
    """Uses that are banned, as a column holds them."""
    return json.dumps(sorted(banned)) if banned else "[]"
