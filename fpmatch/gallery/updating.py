"""Changing what is stored of a record: its facts, and the impressions of one of its events."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fpmatch.checks import quoted
from fpmatch.database import stored_bytes, stored_uses
from fpmatch.errors import ConflictError, InputError, RefusedError
from fpmatch.gallery import answers, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import version_of
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.items import refresh_item
from fpmatch.gallery.putting import Numbers, Putting
from fpmatch.gallery.removing import UNIFORM, Removal, drop_fingers, noted
from fpmatch.gallery.results import NewRow
from fpmatch.template import Template

LEVEL = "update"
"""What the note of an update that destroys something is called, beside the levels of removals."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a record shall be; what is None stays as it is.

    Parameters
    ----------
    version : str or None
        Which version shall be changed; None for whichever is there.
    identity, contributor, protected, banned_uses
        As of `Record`; an empty identity is the record's own id.
    fingers : tuple of Template, or None
        All impressions of one event.
    event : str or None
        Which; None where the record has only one.
    """

    version: str | None = None
    identity: str | None = None
    contributor: str | None = None
    protected: bool | None = None
    banned_uses: frozenset[str] | None = None
    fingers: tuple[Template, ...] | None = None
    event: str | None = None


@dataclass(slots=True)
class Updated:
    """What an update did, for index and receipt.

    Parameters
    ----------
    fields : dict of str
        Of the receipt, without a name.
    added : list of NewRow
    journal : str
        Name of the journal entry.
    id : str
        Of the note of what is still to be destroyed elsewhere; "" where nothing is.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    added: list[NewRow] = field(default_factory=list)
    journal: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    identity: str
    contributor: str
    protected: bool
    banned: frozenset[str]


def update(
    gallery: Gallery,
    partition: str,
    name: str,
    wanted: Wanted,
    *,
    order: str,
    authority: str,
    record_digest: str = "",
    accept: Callable[[frozenset[str]], object] = lambda uses: None,
    once: Once | None = None,
) -> Updated:
    """Change a record and commit; the caller brings the index level and empties other files.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    name : str
        The record's id.
    wanted : Wanted
        Every value of it can be stored.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    record_digest : str
        Stands for the record in the log.
    accept : callable
        Looks at bans that the record did not have, and raises `InputError` to refuse them.
    once : Once, optional
        The caller's key.

    Raises
    ------
    RefusedError
        If there is no such record.
    ConflictError
        If it is there in another version.
    InputError
        If there is no such event, or it has to be named.
    """
    place = gallery.key_of(partition)
    secret = gallery.secret("withdrawn")
    out, removed = Updated(), Removal()
    with gallery.lock:
        columns = gallery.columns(partition)
        with gallery.transaction() as database:
            key, old, sealed, item = _found(database, place, name)
            if wanted.version is not None and wanted.version != version_of(item):
                raise ConflictError(
                    "the record has changed since that version; look at it again. Nothing was "
                    "changed"
                )
            new = _facts(name, old, wanted)
            accept(new.banned - old.banned)
            # All columns in one statement: what others follow is stamped by it, whatever changed.
            facts = (name, new.identity, new.contributor)
            _, identity, contributor = gallery.cipher.columns(database, place, facts)
            database.execute(
                "UPDATE record SET identity = ?, contributor = ?, protected = ?, banned = ? "
                "WHERE id = ?",
                (identity, contributor, new.protected, _text(new.banned), key),
            )
            gallery.cipher.put_facts(database, key, facts)
            if (new.protected, new.banned) != (old.protected, old.banned):
                kind = withdrawn.bars(new.protected, new.banned)
                withdrawn.note(database, kind, withdrawn.mark(secret, partition, name))
            rows: list[int] = []
            other = False
            if wanted.fingers is not None:
                event, called = _event(database, key, wanted.event)
                out.added, rows, other = _exchange_fingers(
                    database, (place, key, event), wanted.fingers, removed
                )
                if rows:
                    marked = withdrawn.mark(secret, partition, name, called)
                    withdrawn.note(database, withdrawn.EVENT, marked)
            total = gallery.sum_of(partition)
            before = total.root()
            total.remove(item)
            now = refresh_item(database, key)
            total.add(now)
            gallery.store_sum(partition, total)
            out.fields = {
                "order": order,
                "authority": authority,
                "version": version_of(now),
                "changed": _changed(old, new, fingers=other),
                "lifted": _lifted(old, new),
                "added": len(out.added),
                "removed": removed.removed,
                "kept": removed.kept,
                "roots": [before, total.root()],
            }
            logged = _logged(out.fields, partition, record_digest)
            out.journal = removed.journal = gallery.journal("UPDATE", logged)
            if rows or old.identity != new.identity:
                removed.rows[partition] = rows
                removed.roots.append((partition, before, total.root()))
                about = {"level": LEVEL, "name": name, "event": "", "partition": partition}
                out.id = gallery.begin_removal(
                    {**about, **noted(removed, order, authority), "keyed": once is not None}
                )
            answers.put(database, once, out.journal, out.fields)
        with gallery.following(partition):
            columns.put_record(key, name, protected=new.protected, sealed=sealed, banned=new.banned)
            for row in reversed(out.added):
                columns.put_row(row.row, key, int(row.position))
            if rows:
                columns.drop_rows(rows)
            gallery.committed_sum(partition, total)
    return out


def _found(
    database: sqlite3.Connection, partition: int, name: str
) -> tuple[int, _Facts, bool, bytes]:
    cipher = cipher_of(database)
    found = database.execute(
        "SELECT id, identity, contributor, protected, banned, sealed, item FROM record "
        "WHERE partition = ? AND record = ?",
        (partition, cipher.token(database, "record", str(partition), name)),
    ).fetchone()
    if found is None:
        raise RefusedError(UNIFORM)
    key, identity, contributor, protected, banned, sealed, item = found
    _, identity, contributor = cipher.facts(database, key, (name, identity, contributor))
    facts = _Facts(identity, contributor, bool(protected), stored_uses(banned))
    return int(key), facts, bool(sealed), stored_bytes(item, "the digest of a record")


def _facts(name: str, old: _Facts, wanted: Wanted) -> _Facts:
    return _Facts(
        old.identity if wanted.identity is None else wanted.identity or name,
        old.contributor if wanted.contributor is None else wanted.contributor,
        old.protected if wanted.protected is None else wanted.protected,
        old.banned if wanted.banned_uses is None else wanted.banned_uses,
    )


def _text(banned: frozenset[str]) -> str:
    return json.dumps(sorted(str(use) for use in banned))


def _event(database: sqlite3.Connection, key: int, event: str | None) -> tuple[int, str]:
    """The event whose impressions are meant: its key and its name."""
    found = database.execute("SELECT id, event FROM event WHERE record = ?", (key,)).fetchall()
    if event is None and len(found) > 1:
        raise InputError(f"the record has {len(found)} events; say whose fingers these are: event=")
    box = cipher_of(database).of(database, key)
    for number, stored in found:
        name = box.get_text(stored, "event")
        if event is None or name == event:
            return int(number), str(name)
    raise InputError(f"the record has no event {quoted(event)}; enrolling adds one")


def _exchange_fingers(
    database: sqlite3.Connection,
    place: tuple[int, int, int],
    fingers: tuple[Template, ...],
    removed: Removal,
) -> tuple[list[NewRow], list[int], bool]:
    """Have an event hold these impressions alone: rows that are new, those gone, any change."""
    partition, record, event = place
    held = {f for (f,) in database.execute("SELECT finger FROM held WHERE event = ?", (event,))}
    putting = Putting(database, partition, Numbers(database, partition))
    added, keys = putting.store_fingers((record, event), fingers)
    putting.numbers.store()
    lost = held.difference(keys)
    database.executemany(
        "DELETE FROM held WHERE event = ? AND finger = ?", [(event, key) for key in sorted(lost)]
    )
    rows = drop_fingers(database, record, removed)
    removed.kept = len(lost) - len(rows)
    return added, rows, held != set(keys)


def _changed(old: _Facts, new: _Facts, *, fingers: bool) -> list[str]:
    pairs = {
        "identity": (old.identity, new.identity),
        "contributor": (old.contributor, new.contributor),
        "protected": (old.protected, new.protected),
        "banned_uses": (old.banned, new.banned),
    }
    return [name for name, (a, b) in pairs.items() if a != b] + ["fingers"] * fingers


def _lifted(old: _Facts, new: _Facts) -> list[str]:
    lifted = {
        "protected": old.protected and not new.protected,
        "banned_uses": bool(old.banned - new.banned),
    }
    return [name for name, so in lifted.items() if so]


def _logged(fields: dict[str, Any], partition: str, record_digest: str) -> dict[str, Any]:
    return {
        "partition": partition,
        "record_digest": record_digest,
        "order": fields["order"],
        "authority": fields["authority"],
        "changed": fields["changed"],
        "lifted": fields["lifted"],
        "added": fields["added"],
        "removed": len(fields["removed"]),
        "kept": fields["kept"],
        "gallery_root": fields["roots"][1],
    }
