"""Taking records in."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fpmatch.checks import check_flag, check_several, check_text, check_uses, quoted
from fpmatch.database import stored_uses
from fpmatch.errors import InputError
from fpmatch.gallery import answers, origins
from fpmatch.gallery.answers import Once
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
    once : Once, optional
        The caller's key.

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
            done = Enrolled([one.key for one in taken], rows, errors, journal)
            if once is not None:
                answers.put(database, once, journal, answer(dict(items), done))
        with gallery.following(partition):
            for one in taken:
                columns.put_record(
                    one.key, one.name, protected=one.protected, sealed=one.sealed, banned=one.banned
                )
            for row in reversed(rows):
                columns.put_row(row.row, row.record, int(row.position))
            gallery.committed_sum(partition, total)
    return done


def _name_of(item: object) -> str:
    """The id of an item as a report can show it; "" where it has none."""
    name = getattr(item, "record", "")
    return (
        name[:LONGEST].encode("utf-8", "backslashreplace").decode() if isinstance(name, str) else ""
    )


_NAME, _BARE = "\ue000", "\ue001"
"""Stand for the record's id in a message that is kept."""


def answer(items: dict[int, Record], done: Enrolled) -> dict[str, Any]:
    """What a repetition of a batch is answered with: no name. Its flags are not known yet.

    Parameters
    ----------
    items : dict of int to Record
        The batch, by number.
    done : Enrolled
        What became of it.
    """
    said = []
    for error in done.errors:
        name = _name_of(items[error.item])
        message = error.message.replace(quoted(name), _NAME)
        said.append([error.item, message.replace(name, _BARE) if name else message])
    return {
        "keys": done.keys,
        "fingers": len(done.rows),
        "rows": [[row.row, int(row.position), row.record, row.item] for row in done.rows],
        "errors": said,
        "flags": None,
    }


def errors_of(items: dict[int, Record], said: list[list[Any]]) -> list[EnrolError]:
    """The errors of a batch that was answered before.

    Parameters
    ----------
    items : dict of int to Record
        The same batch, by number.
    said : list of [int, str]
        As they were kept.
    """
    out = []
    for item, message in said:
        name = _name_of(items[item])
        text = str(message).replace(_BARE, name).replace(_NAME, quoted(name))
        out.append(EnrolError(item, name, text))
    return out


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
    for finger in fingers:
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
            rows.append(NewRow(row, finger.position, record, item))
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
        key = database.execute(
            "INSERT INTO record (partition, record, identity, contributor, protected, sealed, "
            "banned, item) VALUES (?, ?, ?, ?, ?, 0, ?, X'')",
            (
                partition,
                *shown,
                bool(record.protected),
                json.dumps(sorted(banned)),
            ),
        ).lastrowid
        assert key is not None
        cipher.put_facts(database, key, facts)
        return Taken(key, record.record, bool(record.protected), False, banned), None
    key, was, contributor, protected, sealed, old_banned, item = found
    _, was, contributor = cipher.facts(database, key, (record.record, was, contributor))
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
