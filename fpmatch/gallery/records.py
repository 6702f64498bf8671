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
from fpmatch.gallery import answers, origins, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.batch_answers import LONGEST, answer, name_of
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import Sum
from fpmatch.gallery.gallery import ROW_BITS, Gallery
from fpmatch.gallery.items import refresh_item
from fpmatch.gallery.results import EnrolError, NewRow
from fpmatch.gallery.sources import Unreadable
from fpmatch.template import Template
from fpmatch.types import Ori, Record


@dataclass(frozen=True, slots=True)
class Taken:
    """A record's state after enrolment, for the columns.

    Parameters
    ----------
    barred : bool
        Whether it was there before, and is protected or banned from more than it was.
    """

    key: int
    name: str
    protected: bool
    sealed: bool
    banned: frozenset[str]
    barred: bool = False


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
    taken : list of Taken
        The records, as they are now.
    total : Sum
        Of the partition.
    """

    keys: list[int]
    rows: list[NewRow]
    errors: list[EnrolError]
    journal: str
    taken: list[Taken]
    total: Sum


MOST_FINGERS = 1000


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
    fingers = check_fingers(name, record.fingers)
    return Record(
        record=name,
        fingers=fingers,
        identity=check_text("identity", record.identity, longest=LONGEST),
        event=check_text("event", record.event, longest=LONGEST),
        contributor=check_contributor(record.contributor),
        protected=bool(check_flag("protected", record.protected)),
        banned_uses=check_uses("banned_uses", record.banned_uses),
    )


def check_fingers(name: str, fingers: object) -> tuple[Template, ...]:
    """Templates that a record can have: some, and none of them empty.

    Parameters
    ----------
    name : str
        The record's id.
    fingers : object
        As they were handed in.

    Raises
    ------
    InputError
        If they are something else.
    """
    found = check_several("fingers", fingers, most=MOST_FINGERS)
    if not found:
        raise InputError(f"record {quoted(name)} has no finger")
    for finger in found:
        if not isinstance(finger, Template):
            raise InputError(
                f"record {quoted(name)}: expected templates, found "
                f"{quoted(finger)}; see fpmatch.extract"
            )
        if not len(finger):
            raise InputError(f"record {quoted(name)} has a template without minutiae")
    return found


def check_contributor(value: object) -> str:
    """The agency that gave a record, or none.

    Raises
    ------
    InputError
        If it is no ORI.
    """
    contributor = check_text("contributor", value)
    return Ori(contributor) if contributor else ""


def enrol(
    gallery: Gallery,
    partition: str,
    items: Sequence[tuple[int, Record]],
    accept: Callable[[Record], Record] = lambda record: record,
    once: Once | None = None,
    announce: Callable[[list[NewRow]], None] = lambda _: None,
) -> Enrolled:
    """Store a batch: each record whole or not at all, all of it on disk when this returns.

    What memory holds of the partition does not show it before `show`.

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
    once : Once, optional
        The caller's key.
    announce : callable
        Told of the rows that are about to be committed.

    Returns
    -------
    Enrolled
    """
    key = gallery.key_of(partition)
    errors: list[EnrolError] = []
    rows: list[NewRow] = []
    taken: list[Taken] = []
    for info in gallery.partitions:
        # In memory before the transaction: no search waits for it to read them.
        gallery.columns(info.name)
        gallery.root(info.name)
    secret = gallery.secret("withdrawn")
    with gallery.transaction() as database:
        total = gallery.sum_of(partition)
        for number, record in items:
            database.execute("SAVEPOINT item")
            try:
                checked = accept(check(record))
                origin = origins.check(record)
                one, fresh, swap = _put(database, key, number, checked, origin)
                if one.barred:
                    kind = withdrawn.bars(one.protected, one.banned)
                    withdrawn.note(database, kind, withdrawn.mark(secret, partition, one.name))
            except InputError as error:
                database.execute("ROLLBACK TO item")
                errors.append(EnrolError(number, name_of(record), str(error)))
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
        done = Enrolled([one.key for one in taken], rows, errors, journal, taken, total)
        if once is not None:
            said = answer(dict(items), done.keys, rows, errors)
            answers.put(database, once, journal, said)
        announce(rows)
    return done


def show(gallery: Gallery, partition: str, done: Enrolled) -> None:
    """Have memory show what was stored; no other change of the partition came in between.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name; nobody searches it meanwhile.
    done : Enrolled
        As `enrol` gave it.
    """
    with gallery.lock, gallery.following(partition):
        columns = gallery.columns(partition)
        for one in done.taken:
            columns.put_record(
                one.key, one.name, protected=one.protected, sealed=one.sealed, banned=one.banned
            )
        for row in reversed(done.rows):
            columns.put_row(row.row, row.record, int(row.position))
        gallery.committed_sum(partition, done.total)


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
    name = cipher_of(database).of(database, taken.key).put_text(record.event, "event")
    database.execute("INSERT OR IGNORE INTO event (record, event) VALUES (?, ?)", (taken.key, name))
    event = database.execute(
        "SELECT id FROM event WHERE record = ? AND event = ?", (taken.key, name)
    ).fetchone()[0]
    rows, keys = store_fingers(database, (partition, taken.key, event), record.fingers, item)
    origins.put(database, event, keys, origin)
    new = refresh_item(database, taken.key)
    return taken, rows, (old, new)


def store_fingers(
    database: sqlite3.Connection,
    place: tuple[int, int, int],
    fingers: Sequence[Template],
    item: int = -1,
) -> tuple[list[NewRow], list[int]]:
    """Have an event hold impressions: which are new to the record, and the keys of all.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    place : (int, int, int)
        Keys of partition, record and event.
    fingers : sequence of Template
        None of them empty.
    item : int
        Number of the item that they came with.
    """
    partition, record, event = place
    cipher = cipher_of(database)
    box = cipher.of(database, record)
    rows = []
    keys = []
    for place_of, finger in enumerate(fingers):
        content = finger.to_bytes()
        sha = box.put(hashlib.sha256(content).digest(), "sha256")
        found = database.execute(
            "SELECT key FROM finger WHERE record = ? AND sha256 = ?", (record, sha)
        ).fetchone()
        if found is None:
            row = _next_row(database, partition)
            finger_key = (partition << ROW_BITS) + row
            template = cipher.add_template(database, content)
            database.execute(
                "INSERT INTO finger VALUES (?, ?, ?, ?, ?)",
                (finger_key, record, int(finger.position), template, sha),
            )
            rows.append(NewRow(row, finger.position, record, item, place_of, sha))
        else:
            finger_key = found[0]
        database.execute("INSERT OR IGNORE INTO held VALUES (?, ?)", (event, finger_key))
        keys.append(finger_key)
    return rows, keys


def _put_record(
    database: sqlite3.Connection, partition: int, record: Record
) -> tuple[Taken, bytes | None]:
    cipher = cipher_of(database)
    identity = record.identity or record.record
    facts = (record.record, identity, record.contributor)
    shown = cipher.columns(database, partition, facts)
    found = database.execute(
        "SELECT id, identity, contributor, protected, sealed, banned, item FROM record "
        "WHERE partition = ? AND record = ?",
        (partition, shown[0]),
    ).fetchone()
    banned = frozenset(str(use) for use in record.banned_uses)
    if found is None:
        key = _next_key(database)
        database.execute(
            "INSERT INTO record (id, partition, record, identity, contributor, protected, sealed, "
            "banned, item) VALUES (?, ?, ?, ?, ?, ?, 0, ?, X'')",
            (
                key,
                partition,
                *shown,
                bool(record.protected),
                json.dumps(sorted(banned)),
            ),
        )
        cipher.put_facts(database, key, facts)
        return Taken(key, record.record, bool(record.protected), False, banned), None
    key, was, contributor, protected, sealed, old_banned, item = found
    _, was, contributor = cipher.facts(database, key, (record.record, was, contributor))
    if record.identity and was != identity:
        raise InputError(f"record {quoted(record.record)} belongs to another identity already")
    if record.contributor and contributor != record.contributor:
        raise InputError(f"record {quoted(record.record)} has another contributor already")
    before = bool(protected), stored_uses(old_banned)
    protected = before[0] or bool(record.protected)
    banned |= before[1]
    database.execute(
        "UPDATE record SET protected = ?, banned = ? WHERE id = ?",
        (protected, json.dumps(sorted(banned)), key),
    )
    more = (protected, banned) != before
    return Taken(key, record.record, protected, bool(sealed), banned, more), item


def _next_key(database: sqlite3.Connection) -> int:
    """A key that no record ever had: a search that has compared one knows it by its key alone."""
    key = database.execute(
        "UPDATE meta SET value = value + 1 WHERE key = 'next_record' RETURNING value - 1"
    ).fetchone()[0]
    return int(key)


def _next_row(database: sqlite3.Connection, partition: int) -> int:
    row = database.execute(
        "UPDATE partition SET next_row = next_row + 1 WHERE id = ? RETURNING next_row - 1",
        (partition,),
    ).fetchone()[0]
    return int(row)
