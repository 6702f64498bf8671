"""Where records came from: digests of items and of files, kept with the events that they made."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from fpmatch.checks import check_several, quoted
from fpmatch.database import reading
from fpmatch.errors import InputError
from fpmatch.gallery import facts
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.gallery import Gallery
from fpmatch.template import Template
from fpmatch.types import Record, SourcedRecord, StoredFinger

DIGEST = 32
"""Bytes of a SHA-256."""


def check(record: Record) -> tuple[bytes, tuple[bytes, ...]]:
    """Digest of the item and of each finger's file, as they can be stored.

    Raises
    ------
    InputError
        If one is no SHA-256, or their number is not that of the fingers.
    """
    if not isinstance(record, SourcedRecord):
        return b"", ()
    sources = check_several("sources", record.sources, most=len(record.fingers))
    if sources and len(sources) != len(record.fingers):
        raise InputError(f"{len(sources)} sources for {len(record.fingers)} fingers")
    for digest in (record.item, *sources):
        if not isinstance(digest, bytes) or len(digest) not in (0, DIGEST):
            raise InputError(f"a digest has {DIGEST} bytes or none, not {quoted(digest)}")
    return record.item, sources


def put(
    database: sqlite3.Connection,
    event: int,
    fingers: Sequence[int],
    origin: tuple[bytes, tuple[bytes, ...]],
) -> None:
    """Store what a record came from, in the running transaction.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    event : int
        Key of the event.
    fingers : sequence of int
        Keys of its fingers, in the order of the item.
    origin : (bytes, tuple of bytes)
        From `check`.
    """
    item, sources = origin
    if not item and not any(sources):
        return
    record = database.execute("SELECT record FROM event WHERE id = ?", (event,)).fetchone()[0]
    box = cipher_of(database).of(database, record)
    if item:
        database.execute("INSERT OR IGNORE INTO item VALUES (?, ?)", (event, box.put(item, "item")))
    database.executemany(
        "INSERT OR REPLACE INTO origin VALUES (?, ?, ?)",
        [
            (event, key, box.put(source, "source"))
            for key, source in zip(fingers, sources, strict=False)
            if source
        ],
    )


def taken(gallery: Gallery, partition: str, record: str, event: str) -> frozenset[bytes]:
    """Digests of the items that an event was enrolled from; three look-ups in indexes.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    record : str
        Its id.
    event : str
        Its name.
    """
    database, cipher = gallery.database, gallery.cipher
    with gallery.lock, reading(database):
        if not _kept(gallery) or (key := facts.find(gallery, partition, record)) is None:
            return frozenset()
        box = cipher.of(database, key)
        found = database.execute(
            "SELECT i.digest FROM event e JOIN item i ON i.event = e.id "
            "WHERE e.record = ? AND e.event = ?",
            (key, box.put_text(event, "event")),
        ).fetchall()
    return frozenset(box.get(digest, "item") for (digest,) in found)


def fingers(gallery: Gallery, key: int, *, events: bool) -> tuple[StoredFinger, ...]:
    """The templates of a record and where they came from.

    Parameters
    ----------
    gallery : Gallery
        Open.
    key : int
        Of a record that is there.
    events : bool
        One for each event that holds an impression; else one for each impression, and no event.
    """
    database, cipher = gallery.database, gallery.cipher
    with gallery.lock, reading(database):
        box = cipher.of(database, key)
        source = "o.source" if _kept(gallery) else "NULL"
        join = "LEFT JOIN origin o ON o.event = h.event AND o.finger = h.finger"
        found = database.execute(
            f"SELECT e.event, f.key, t.id, t.bytes, {source} FROM event e "
            "JOIN held h ON h.event = e.id JOIN finger f ON f.key = h.finger "
            f"JOIN template t ON t.id = f.template {join if source != 'NULL' else ''} "
            "WHERE e.record = ?",
            (key,),
        ).fetchall()
        held_by = sorted(
            (box.get_text(event, "event"), finger, cipher.template(database, number, content), said)
            for event, finger, number, content, said in found
        )
    out: dict[tuple[str, int], StoredFinger] = {}
    for event, finger, content, digest in held_by:
        template = Template.from_bytes(content)
        named = str(event) if events else ""
        one = StoredFinger(template, named, b"" if digest is None else box.get(digest, "source"))
        held = out.get((named, finger))
        if held is None or not held.source:
            out[named, finger] = one
    return tuple(out[place] for place in sorted(out))


def _kept(gallery: Gallery) -> bool:
    """Whether the tables are there: not in a gallery that this release never wrote to."""
    query = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'origin'"
    return gallery.mode == "rw" or bool(gallery.database.execute(query).fetchone()[0])
