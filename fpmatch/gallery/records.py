"""Taking records in."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fpmatch.checks import check_flag, check_several, check_text, check_uses, quoted
from fpmatch.database import stored_uses
from fpmatch.errors import InputError
from fpmatch.gallery import origins
from fpmatch.gallery.digest import Sum, record_item
from fpmatch.gallery.gallery import ROW_BITS, Gallery
from fpmatch.gallery.results import EnrolError, NewRow
from fpmatch.gallery.sources import Unreadable
from fpmatch.template import Template
from fpmatch.types import Ori, Record


@dataclass(frozen=True, slots=True)
class Taken:
    """A record's state after enrolment, for the columns."""

    key: int
    name: str
    protected: bool
    sealed: bool
    banned: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a batch.

    Parameters
    ----------
    keys : list of int
        Of the record of each item that was taken.
    rows : list of NewRow
        Fingers added, in the order of the items.
    errors : list of EnrolError
        One for each item that was refused.
    journal : str
        Name of the journal entry.
    """

    keys: list[int]
    rows: list[NewRow]
    errors: list[EnrolError]
    journal: str


MOST_FINGERS = 1000
LONGEST = 255


def check(record: Record) -> Record:
    """A record as it can be stored, every field of its type.

    Raises
    ------
    InputError
        If it cannot be enrolled as it is: says which field and why.
    """
    if isinstance(record, Unreadable):
        raise InputError(record.why)
    if not isinstance(record, Record):
        raise InputError(f"expected a Record, not {quoted(record)}")
    name = check_text("record id", record.record, longest=LONGEST, empty=False)
    fingers = check_several("fingers", record.fingers, most=MOST_FINGERS)
    if not fingers:
        raise InputError(f"record {quoted(name)} has no finger")
    for finger in fingers:
        if not isinstance(finger, Template):
            raise InputError(
                f"record {quoted(name)}: expected templates, found "
                f"{quoted(finger)}; see fpmatch.extract"
            )
        if not len(finger):
            raise InputError(f"record {quoted(name)} has a template without minutiae")
    contributor = check_text("contributor", record.contributor)
    return Record(
        record=name,
        fingers=fingers,
        identity=check_text("identity", record.identity, longest=LONGEST),
        event=check_text("event", record.event, longest=LONGEST),
        contributor=Ori(contributor) if contributor else "",
        protected=bool(check_flag("protected", record.protected)),
        banned_uses=check_uses("banned_uses", record.banned_uses),
    )


def enrol(
    gallery: Gallery,
    partition: str,
    items: Sequence[tuple[int, Record]],
    accept: Callable[[Record], Record] = lambda record: record,
) -> Enrolled:
    """Store a batch: each record whole or not at all, all of it on disk when this returns.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    items : sequence of (int, Record)
        With the number that error entries shall name.
    accept : callable
        Looks at a checked record and returns it, or raises `InputError`.

    Returns
    -------
    Enrolled
    """
    key = gallery.key_of(partition)
    errors: list[EnrolError] = []
    rows: list[NewRow] = []
    taken: list[Taken] = []
    with gallery.lock:
        columns = gallery.columns(partition)
        with gallery.transaction() as database:
            total = gallery.sum_of(partition)
            for number, record in items:
                database.execute("SAVEPOINT item")
                try:
                    checked = accept(check(record))
                    origin = origins.check(record)
                    one, fresh, swap = _put(database, key, number, checked, origin)
                except InputError as error:
                    database.execute("ROLLBACK TO item")
                    errors.append(EnrolError(number, _name_of(record), str(error)))
                else:
                    taken.append(one)
                    rows += fresh
                    _exchange(total, *swap)
                database.execute("RELEASE item")
            gallery.store_sum(partition, total)
            journal = gallery.journal(
                "ENROL",
                {
                    "partition": partition,
                    "records": len({one.key for one in taken}),
                    "fingers": len(rows),
                    "errors": len(errors),
                    "gallery_root": total.root(),
                },
            )
        with gallery.following(partition):
            for one in taken:
                columns.put_record(
                    one.key, one.name, protected=one.protected, sealed=one.sealed, banned=one.banned
                )
            for row in reversed(rows):
                columns.put_row(row.row, row.record, int(row.position))
            gallery.committed_sum(partition, total)
    return Enrolled([one.key for one in taken], rows, errors, journal)


def _name_of(item: object) -> str:
    """The id of an item as a report can show it; "" where it has none."""
    name = getattr(item, "record", "")
    return (
        name[:LONGEST].encode("utf-8", "backslashreplace").decode() if isinstance(name, str) else ""
    )


def _exchange(total: Sum, old: bytes | None, new: bytes) -> None:
    if old == new:
        return
    if old is not None:
        total.remove(old)
    total.add(new)


def _put(
    database: sqlite3.Connection,
    partition: int,
    item: int,
    record: Record,
    origin: tuple[bytes, tuple[bytes, ...]],
) -> tuple[Taken, list[NewRow], tuple[bytes | None, bytes]]:
    taken, old = _put_record(database, partition, record)
    database.execute(
        "INSERT OR IGNORE INTO event (record, event) VALUES (?, ?)", (taken.key, record.event)
    )
    event = database.execute(
        "SELECT id FROM event WHERE record = ? AND event = ?", (taken.key, record.event)
    ).fetchone()[0]
    rows = []
    keys = []
    for finger in record.fingers:
        content = finger.to_bytes()
        sha = hashlib.sha256(content).digest()
        found = database.execute(
            "SELECT key FROM finger WHERE record = ? AND sha256 = ?", (taken.key, sha)
        ).fetchone()
        if found is None:
            row = _next_row(database, partition)
            finger_key = (partition << ROW_BITS) + row
            template = database.execute(
                "INSERT INTO template (bytes) VALUES (?)", (content,)
            ).lastrowid
            database.execute(
                "INSERT INTO finger VALUES (?, ?, ?, ?, ?)",
                (finger_key, taken.key, int(finger.position), template, sha),
            )
            rows.append(NewRow(row, finger.position, taken.key, item))
        else:
            finger_key = found[0]
        database.execute("INSERT OR IGNORE INTO held VALUES (?, ?)", (event, finger_key))
        keys.append(finger_key)
    origins.put(database, event, keys, origin)
    new = refresh_item(database, taken.key)
    return taken, rows, (old, new)


def _put_record(
    database: sqlite3.Connection, partition: int, record: Record
) -> tuple[Taken, bytes | None]:
    found = database.execute(
        "SELECT id, identity, contributor, protected, sealed, banned, item FROM record "
        "WHERE partition = ? AND record = ?",
        (partition, record.record),
    ).fetchone()
    identity = record.identity or record.record
    banned = frozenset(str(use) for use in record.banned_uses)
    if found is None:
        key = database.execute(
            "INSERT INTO record (partition, record, identity, contributor, protected, sealed, "
            "banned, item) VALUES (?, ?, ?, ?, ?, 0, ?, X'')",
            (
                partition,
                record.record,
                identity,
                record.contributor,
                bool(record.protected),
                json.dumps(sorted(banned)),
            ),
        ).lastrowid
        assert key is not None
        return Taken(key, record.record, bool(record.protected), False, banned), None
    key, was, contributor, protected, sealed, old_banned, item = found
    if record.identity and was != identity:
        raise InputError(f"record {quoted(record.record)} belongs to another identity already")
    if record.contributor and contributor != record.contributor:
        raise InputError(f"record {quoted(record.record)} has another contributor already")
    protected = bool(protected) or bool(record.protected)
    banned |= stored_uses(old_banned)
    database.execute(
        "UPDATE record SET protected = ?, banned = ? WHERE id = ?",
        (protected, json.dumps(sorted(banned)), key),
    )
    return Taken(key, record.record, protected, bool(sealed), banned), item


def _next_row(database: sqlite3.Connection, partition: int) -> int:
    row = database.execute(
        "UPDATE partition SET next_row = next_row + 1 WHERE id = ? RETURNING next_row - 1",
        (partition,),
    ).fetchone()[0]
    return int(row)


def refresh_item(database: sqlite3.Connection, key: int) -> bytes:
    """Recompute and store a record's digest after a change."""
    name, identity, contributor, protected, sealed, banned = database.execute(
        "SELECT record, identity, contributor, protected, sealed, banned FROM record WHERE id = ?",
        (key,),
    ).fetchone()
    events = database.execute(
        "SELECT e.event, f.position, hex(f.sha256) FROM held h JOIN event e ON e.id = h.event "
        "JOIN finger f ON f.key = h.finger WHERE e.record = ?",
        (key,),
    ).fetchall()
    item = record_item(
        name, identity, contributor, (bool(protected), bool(sealed)), stored_uses(banned), events
    )
    database.execute("UPDATE record SET item = ? WHERE id = ?", (item, key))
    return item
