"""Sealing records, and taking events, records and identities out for good."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpmatch.errors import CorruptError, InputError, RefusedError
from fpmatch.gallery import answers, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.gallery import ROW_BITS, Gallery
from fpmatch.gallery.items import is_sound, numbered, records_sum, refresh_item, unnamed

LEVELS = ("event", "record", "identity")
UNIFORM = "no such record, or it is not open to you"


@dataclass(slots=True)
class Removal:
    """What an expungement took out, for indexes, columns and the receipt."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    records: int = 0
    events: int = 0
    kept: int = 0
    roots: list[tuple[str, str, str]] = field(default_factory=list)
    names: set[tuple[str, str]] = field(default_factory=set)
    journal: str = ""
    id: str = ""
    unread: set[str] = field(default_factory=set)
    nameless: int = 0


def targets(
    gallery: Gallery, name: str, level: str, partition: str | None
) -> list[tuple[str, int]]:
    """(partition, record key) of everything that an order names.

    Parameters
    ----------
    gallery : Gallery
        Open.
    name : str
        Its id.
    level : str
        How much goes: event, record or identity.
    partition : str or None
        Its name.

    Raises
    ------
    InputError
        If the level is none, or a record id exists in several partitions and none is named.
    RefusedError
        If there is nothing of that name.
    """
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    found: list[tuple[str, int]] = []
    column = "identity" if level == "identity" else "record"
    database, cipher = gallery.database, gallery.cipher
    with gallery.lock:
        for info in gallery.partitions:
            if partition is None or info.name == partition:
                place = gallery.key_of(info.name)
                under = () if level == "identity" else (str(place),)
                query = f"SELECT id FROM record WHERE partition = ? AND {column} = ? ORDER BY id"
                values = (place, cipher.token(database, column, *under, name))
                keys = [key for (key,) in database.execute(query, values)]
                if not keys and level != "identity":
                    keys = numbered(database, place, name)
                found.extend((info.name, key) for key in keys)
    if not found:
        raise RefusedError(UNIFORM)
    if level != "identity" and len(found) > 1:
        raise InputError("several partitions hold a record of that id; name the partition")
    return found


def expunge(
    gallery: Gallery,
    name: str,
    *,
    level: str,
    event: str,
    order: str,
    authority: str,
    partition: str | None,
    once: Once | None = None,
) -> Removal:
    """Delete, overwrite and commit; the caller drops rows from indexes and other files.

    A finger that another event of the record holds stays. A record without events is gone. Of one
    that is damaged all goes that is there, and the log says what could not be read.

    Parameters
    ----------
    gallery : Gallery
        Open.
    name : str
        Its id.
    level : str
        How much goes: event, record or identity.
    event : str
        Which enrolment goes.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    once : Once, optional
        The caller's key.

    Raises
    ------
    CorruptError
        If one event shall go, of a record that cannot be read.
    """
    out = Removal()
    secret = gallery.secret("withdrawn")
    with gallery.lock:
        found = targets(gallery, name, level, partition)
        columns = {p: gallery.columns(p) for p, _ in found}
        gone: list[tuple[str, int]] = []
        asked, doubted = name, set[str]()
        order_of = {"level": level, "name": name, "event": event, "partition": partition}
        with gallery.transaction() as database:
            sums = {p: gallery.sum_of(p) for p, _ in found}
            if level == "identity":
                withdrawn.note(database, withdrawn.IDENTITY, withdrawn.mark(secret, name))
            for place, key in found:
                old = _one(database, "SELECT item FROM record WHERE id = ?", key)
                if not is_sound(database, key):
                    out.unread.add("digest")
                    doubted.add(place)
                called = _called(columns[place], key)
                name = _name(gallery, place, key, (asked, called), out)
                if level == "event" and "facts" in out.unread:
                    raise CorruptError("the record cannot be read; expunge all of it")
                lost = _drop_events(database, key, event if level == "event" else None, out)
                rows = drop_fingers(database, key, out)
                out.kept += max(0, lost - len(rows))
                out.rows.setdefault(place, []).extend(rows)
                if place not in doubted:
                    sums[place].remove(old)
                if level == "event":
                    marked = withdrawn.mark(secret, place, name, event)
                    withdrawn.note(database, withdrawn.EVENT, marked)
                if _one(database, "SELECT COUNT(*) FROM event WHERE record = ?", key):
                    sums[place].add(refresh_item(database, key))
                else:
                    if name:
                        marked = withdrawn.mark(secret, place, name)
                        withdrawn.note(database, withdrawn.RECORD, marked)
                    gallery.cipher.drop_facts(database, key)
                    database.execute("DELETE FROM record WHERE id = ?", (key,))
                    out.names.add((place, name or called))
                    if "facts" in out.unread:
                        out.names.add((place, unnamed(key)))
                    out.records += 1
                    gone.append((place, key))
            for place in doubted:
                sums[place] = records_sum(database, gallery.key_of(place))
            for place, total in sums.items():
                out.roots.append((place, gallery.root(place), total.root()))
                gallery.store_sum(place, total)
            out.journal = gallery.journal("EXPUNGE", _fields(out, level, order, authority))
            note = {**order_of, **noted(out, order, authority), "keyed": once is not None}
            out.id = gallery.begin_removal(note)
            answers.put(database, once, out.journal, answer_of(note))
        with gallery.following(*columns):
            for place, rows in out.rows.items():
                columns[place].drop_rows(rows)
            for place, key in gone:
                columns[place].drop_record(key)
            for place, total in sums.items():
                gallery.committed_sum(place, total)
    return out


ANSWERED = (
    "level",
    "order",
    "authority",
    "records",
    "events",
    "removed",
    "kept",
    "probes",
    "roots",
)
"""What a receipt says, and no name."""


def noted(out: Removal, order: str, authority: str) -> dict[str, Any]:
    """What is noted of a removal until it is carried through.

    Parameters
    ----------
    out : Removal
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    """
    return {
        "order": order,
        "authority": authority,
        "journal": out.journal,
        "rows": out.rows,
        "names": sorted(out.names),
        "probes": [],
        "removed": out.removed,
        "records": out.records,
        "events": out.events,
        "kept": out.kept,
        "roots": out.roots,
        "nameless": out.nameless,
    }


def answer_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What of a removal may be kept to answer its repetition: no name."""
    return {key: fields[key] for key in ANSWERED}


def _called(columns: Columns, key: int) -> str:
    """What the columns in memory call a record."""
    ordinal = columns.names.ordinal(key)
    return unnamed(key) if ordinal is None else columns.names[ordinal]


def _name(gallery: Gallery, place: str, key: int, guesses: tuple[str, ...], out: Removal) -> str:
    """The id of a record that is there; of one that cannot be read, what it is found by. Or ""."""
    database, cipher = gallery.database, gallery.cipher
    stored = database.execute(
        "SELECT record, identity, contributor FROM record WHERE id = ?", (key,)
    ).fetchone()
    try:
        return cipher.facts(database, key, stored)[0]
    except CorruptError:
        out.unread.add("facts")
    partition = str(gallery.key_of(place))
    for name in guesses:
        if cipher.token(database, "record", partition, name) == stored[0]:
            return name
    out.nameless += 1
    return ""


def _one(database: sqlite3.Connection, query: str, value: object) -> Any:
    return database.execute(query, (value,)).fetchone()[0]


def _drop_events(database: sqlite3.Connection, key: int, event: str | None, out: Removal) -> int:
    """Drop one or all events of a record; how many fingers lost a holder."""
    query = "SELECT id FROM event WHERE record = ?"
    values: list[object] = [key]
    if event is not None:
        query += " AND event = ?"
        values.append(cipher_of(database).of(database, key).put_text(event, "event"))
    found = database.execute(query, values).fetchall()
    if not found and event is not None:
        raise RefusedError(UNIFORM)
    lost: set[int] = set()
    for (number,) in found:
        held = database.execute("SELECT finger FROM held WHERE event = ?", (number,))
        lost.update(finger for (finger,) in held.fetchall())
        database.execute("DELETE FROM held WHERE event = ?", (number,))
        database.execute("DELETE FROM event WHERE id = ?", (number,))
        out.events += 1
    return len(lost)


def drop_fingers(database: sqlite3.Connection, key: int, out: Removal) -> list[int]:
    """Overwrite the impressions of a record that no event of it holds any more; their rows.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    key : int
        Of the record.
    out : Removal
        Is told the digests of what is gone, "" where none can be read.
    """
    rows = []
    cipher = cipher_of(database)
    found = database.execute(
        "SELECT key, template, sha256 FROM finger f WHERE record = ? "
        "AND NOT EXISTS (SELECT 1 FROM held h JOIN event e ON e.id = h.event "
        "WHERE h.finger = f.key AND e.record = f.record)",
        (key,),
    ).fetchall()
    for finger, template, sha in found:
        digest = _sha256(database, key, template, sha)
        if not digest:
            out.unread.add("fingers")
        cipher.drop_template(database, template)
        database.execute("DELETE FROM held WHERE finger = ?", (finger,))
        database.execute("DELETE FROM finger WHERE key = ?", (finger,))
        rows.append(finger & ((1 << ROW_BITS) - 1))
        out.removed.append(digest)
    return rows


def _sha256(database: sqlite3.Connection, key: int, template: int, stored: object) -> str:
    """The digest of an impression: as it is stored, else of its template; "" if neither opens."""
    cipher = cipher_of(database)
    with contextlib.suppress(CorruptError):
        return cipher.of(database, key).get(stored, "sha256").hex()
    query = "SELECT bytes FROM template WHERE id = ?"
    with contextlib.suppress(CorruptError):
        row = database.execute(query, (template,)).fetchone()
        if row is not None:
            return hashlib.sha256(cipher.template(database, template, row[0])).hexdigest()
    return ""


def _fields(out: Removal, level: str, order: str, authority: str) -> dict[str, object]:
    return {
        "level": level,
        "order": order,
        "authority": authority,
        "records": out.records,
        "events": out.events,
        "fingers": len(out.removed),
        "kept": out.kept,
        "roots": {place: {"before": a, "after": b} for place, a, b in out.roots},
        **({"unread": sorted(out.unread)} if out.unread else {}),
    }


def seal(
    gallery: Gallery,
    name: str,
    *,
    sealed: bool,
    order: str,
    authority: str,
    partition: str | None,
    once: Once | None = None,
) -> str:
    """Set or lift a seal; the name of the journal entry.

    Parameters
    ----------
    gallery : Gallery
        Open.
    name : str
        Its id.
    sealed : bool
        Hidden.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    once : Once, optional
        The caller's key.
    """
    secret = gallery.secret("withdrawn")
    with gallery.lock:
        ((place, key),) = targets(gallery, name, "record", partition)
        columns = gallery.columns(place)
        with gallery.transaction() as database:
            total = gallery.sum_of(place)
            total.remove(_one(database, "SELECT item FROM record WHERE id = ?", key))
            database.execute("UPDATE record SET sealed = ? WHERE id = ?", (sealed, key))
            kind = withdrawn.SEAL if sealed else withdrawn.UNSEAL
            withdrawn.note(database, kind, withdrawn.mark(secret, place, name))
            total.add(refresh_item(database, key))
            gallery.store_sum(place, total)
            journal = gallery.journal(
                "SEAL" if sealed else "UNSEAL",
                {
                    "partition": place,
                    "order": order,
                    "authority": authority,
                    "gallery_root": total.root(),
                },
            )
            answers.put(database, once, journal, {})
        with gallery.following(place):
            columns.set_sealed(key, sealed)
            gallery.committed_sum(place, total)
    return journal
