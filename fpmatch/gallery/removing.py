"""What goes with one expungement: rows of tables, and what is noted of them."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fpmatch.errors import CorruptError, RefusedError
from fpmatch.gallery import answers, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.gallery import ROW_BITS, Gallery
from fpmatch.gallery.items import is_sound, records_sum, refresh_item, unnamed

UNIFORM = "no such record, or it is not open to you"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall go: an event, a record, or all records of an identity.

    Parameters
    ----------
    level : str
        One of `LEVELS`.
    name : str
        Record id; with level "identity" the identity.
    event : str
        With level "event": which.
    partition : str or None
        Where; None where one alone holds it.
    once : Once, optional
        The caller's key.
    """

    level: str
    name: str
    event: str = ""
    partition: str | None = None
    once: Once | None = None


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
    gone: list[tuple[str, int]] = field(default_factory=list)
    journal: str = ""
    id: str = ""
    unread: set[str] = field(default_factory=set)
    nameless: int = 0


class Work:
    """A running transaction of removals.

    Parameters
    ----------
    gallery : Gallery
        In a transaction.
    secret : bytes
        What marks of removals are made with.
    columns : mapping of str to Columns
        Of the partitions that lose something.
    """

    def __init__(self, gallery: Gallery, secret: bytes, columns: Mapping[str, Columns]) -> None:
        self._gallery = gallery
        self._database = gallery.database
        self._secret = secret
        self._columns = columns
        self._roots = {place: gallery.root(place) for place in columns}
        self._summed: set[str] = set()
        self.totals = {place: gallery.sum_of(place) for place in columns}

    def remove(
        self, one: Wanted, found: Sequence[tuple[str, int]], order: str, authority: str
    ) -> Removal:
        """Take out what one name is of, with all that is noted of it.

        Parameters
        ----------
        one : Wanted
        found : sequence of (str, int)
            As `targets` gave it.
        order : str
            By which it was ordered.
        authority : str
            Who ordered it.
        """
        out, database, gallery = Removal(), self._database, self._gallery
        if one.level == "identity":
            self._mark(withdrawn.IDENTITY, one.name)
        for place, key in found:
            self._remove_record(one, place, key, out)
        for place in dict(found):
            before, self._roots[place] = self._roots[place], self.totals[place].root()
            out.roots.append((place, before, self._roots[place]))
        out.journal = gallery.journal("EXPUNGE", _fields(out, one.level, order, authority))
        asked = {"level": one.level, "name": one.name, "event": one.event}
        note = {
            **asked,
            "partition": one.partition,
            **noted(out, order, authority),
            "keyed": one.once is not None,
        }
        out.id = gallery.begin_removal(note)
        answers.put(database, one.once, out.journal, answer_of(note))
        return out

    def _remove_record(self, one: Wanted, place: str, key: int, out: Removal) -> None:
        database, gallery = self._database, self._gallery
        item = _one(database, "SELECT item FROM record WHERE id = ?", key)
        sound = is_sound(database, key)
        if not sound:
            out.unread.add("digest")
        called = _called(self._columns[place], key)
        name, read = _name(gallery, place, key, (one.name, called))
        if not read:
            out.unread.add("facts")
            out.nameless += not name
        if one.level == "event" and not read:
            raise CorruptError("the record cannot be read; expunge all of it")
        lost = _drop_events(database, key, one.event if one.level == "event" else None, out)
        rows = drop_fingers(database, key, out)
        out.kept += max(0, lost - len(rows))
        out.rows.setdefault(place, []).extend(rows)
        if one.level == "event":
            self._mark(withdrawn.EVENT, place, name, one.event)
        stays = _one(database, "SELECT COUNT(*) FROM event WHERE record = ?", key)
        if not stays:
            if name:
                self._mark(withdrawn.RECORD, place, name)
            gallery.cipher.drop_facts(database, key)
            database.execute("DELETE FROM record WHERE id = ?", (key,))
            out.names.add((place, name or called))
            if not read:
                out.names.add((place, unnamed(key)))
            out.records += 1
            out.gone.append((place, key))
        now = refresh_item(database, key) if stays else None
        self._count(place, item, now, sound=sound)

    def _count(self, place: str, old: object, new: bytes | None, *, sound: bool) -> None:
        """Have the sum of a partition follow a record that is other than it was, or gone."""
        if not sound and place not in self._summed:
            # Nobody knows what of it the sum has. From here on it has what is stored.
            self.totals[place] = records_sum(self._database, self._gallery.key_of(place))
            self._summed.add(place)
            return
        if isinstance(old, bytes):
            self.totals[place].remove(old)
        if new is not None:
            self.totals[place].add(new)

    def _mark(self, kind: str, *names: str) -> None:
        withdrawn.note(self._database, kind, withdrawn.mark(self._secret, *names))


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


def _name(gallery: Gallery, place: str, key: int, guesses: tuple[str, ...]) -> tuple[str, bool]:
    """The id of a record, and whether it can be read; if not, what it is found by, or ""."""
    database, cipher = gallery.database, gallery.cipher
    stored = database.execute(
        "SELECT record, identity, contributor FROM record WHERE id = ?", (key,)
    ).fetchone()
    with contextlib.suppress(CorruptError):
        return cipher.facts(database, key, stored)[0], True
    partition = str(gallery.key_of(place))
    for name in guesses:
        if cipher.token(database, "record", partition, name) == stored[0]:
            return name, False
    return "", False


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
