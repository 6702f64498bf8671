"""What an encrypted gallery holds, under keys of now: in steps, beside whoever reads and writes."""

from __future__ import annotations

import sqlite3

from fpmatch.database import stored_bytes
from fpmatch.encryption import PlainBox
from fpmatch.gallery.cipher import Encrypted
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.snapshot import path_of

_RENEWED = "renewed"


def renewed(gallery: Gallery) -> int:
    """The last generation of keys that everything was put under; 1 at first."""
    with gallery.lock:
        query = "SELECT value FROM meta WHERE key = ?"
        found = gallery.database.execute(query, (_RENEWED,)).fetchone()
    return 1 if found is None else int(found[0])


def note_renewed(gallery: Gallery, generation: int) -> None:
    """Note that everything is under keys of this generation."""
    with gallery.transaction() as database:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_RENEWED, generation))


def renew_values(gallery: Gallery) -> None:
    """Secrets, notes and answers under the gallery's key of now: one transaction."""
    values = gallery.cipher.values
    with gallery.transaction() as database:
        _again(database, values, "meta", "key", "value", "secret", "typeof(value) = 'blob'")
        _again(database, values, "unfinished", "id", "fields", "removal", "TRUE")
        _again(database, values, "answered", "journal", "answer", "answer", "TRUE")


def renew_records(gallery: Gallery, after: int, most: int) -> tuple[int, int]:
    """Some records and their templates under keys of their own that are new: one transaction.

    Parameters
    ----------
    gallery : Gallery
        Encrypted, open for writing.
    after : int
        Begin behind the record of this key.
    most : int
        How many records.

    Returns
    -------
    (int, int)
        Key of the last record that was looked at, 0 if there is none any more; records renewed.
    """
    cipher = gallery.cipher
    assert isinstance(cipher, Encrypted)
    now = cipher.chest.current.to_bytes(4, "little")
    done = 0
    with gallery.transaction() as database:
        found = database.execute(
            "SELECT f.record, f.key, k.wrapped FROM record_facts f "
            "JOIN data_key k ON k.id = f.key WHERE f.record > ? ORDER BY f.record LIMIT ?",
            (after, most),
        ).fetchall()
        for record, number, wrapped in found:
            if stored_bytes(wrapped, "the key of a record")[:4] != now:
                _renew(cipher, database, record, number)
                done += 1
    return (found[-1][0] if found else 0), done


def renew_columns(gallery: Gallery) -> int:
    """Copies of columns under the gallery's key of now; how many."""
    files = gallery.cipher.files
    done = 0
    with gallery.lock:
        for info in gallery.partitions:
            path = path_of(gallery.folder, gallery.key_of(info.name))
            if path.exists() and files.stale(path):
                files.renew(path)
                done += 1
    return done


def _renew(cipher: Encrypted, database: sqlite3.Connection, record: int, number: int) -> None:
    """One record; every value keeps its length, so that it is overwritten where it lies."""
    old = cipher.of(database, record)
    facts = cipher.facts(database, record, ())
    fingers = database.execute(
        "SELECT f.key, f.template, f.sha256, t.bytes FROM finger f JOIN template t "
        "ON t.id = f.template WHERE f.record = ?",
        (record,),
    ).fetchall()
    templates = [cipher.template(database, place, stored) for _, place, _, stored in fingers]
    new = cipher.keys.renew(database, number)
    cipher.put_facts(database, record, facts)
    for finger, _, sha256, _ in fingers:
        moved = new.put(old.get(sha256, "sha256"), "sha256")
        database.execute("UPDATE finger SET sha256 = ? WHERE key = ?", (moved, finger))
    for (_, place, _, _), content in zip(fingers, templates, strict=True):
        box = cipher.keys.renew(database, place)
        database.execute(
            "UPDATE template SET bytes = ? WHERE id = ?",
            (box.put(content, "template", place), place),
        )
    events = database.execute("SELECT id, event FROM event WHERE record = ?", (record,)).fetchall()
    for event, name in events:
        moved = new.put(old.get(name, "event"), "event")
        database.execute("UPDATE event SET event = ? WHERE id = ?", (moved, event))
        for table, column, place in (("item", "digest", "item"), ("origin", "source", "source")):
            for (digest,) in database.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE event = ?", (event,)
            ).fetchall():
                database.execute(
                    f"UPDATE {table} SET {column} = ? WHERE event = ? AND {column} = ?",
                    (new.put(old.get(digest, place), place), event, digest),
                )


def _again(
    database: sqlite3.Connection,
    values: PlainBox,
    table: str,
    name: str,
    column: str,
    place: str,
    where: str,
) -> None:
    rows = database.execute(f"SELECT {name}, {column} FROM {table} WHERE {where}").fetchall()
    for key, stored in rows:
        moved = values.put(values.get(stored, place, key), place, key)
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {name} = ?", (moved, key))
