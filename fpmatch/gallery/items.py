"""The digest of what is stored of a record, read from the tables."""

from __future__ import annotations

import sqlite3

from fpmatch.database import stored_uses
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import record_item


def refresh_item(database: sqlite3.Connection, key: int) -> bytes:
    """Recompute and store a record's digest after a change."""
    *facts, protected, sealed, banned = database.execute(
        "SELECT record, identity, contributor, protected, sealed, banned FROM record WHERE id = ?",
        (key,),
    ).fetchone()
    item = record_item(
        *cipher_of(database).facts(database, key, tuple(facts)),
        (bool(protected), bool(sealed)),
        stored_uses(banned),
        held_by(database, key),
    )
    database.execute("UPDATE record SET item = ? WHERE id = ?", (item, key))
    return item


def held_by(database: sqlite3.Connection, key: int) -> list[tuple[str, int, str]]:
    """Event, position and SHA-256 (capital hexadecimal) of each impression of each event.

    Raises
    ------
    CorruptError
        If they cannot be decrypted.
    """
    box = cipher_of(database).of(database, key)
    found = database.execute(
        "SELECT e.event, f.position, f.sha256 FROM held h JOIN event e ON e.id = h.event "
        "JOIN finger f ON f.key = h.finger WHERE e.record = ?",
        (key,),
    ).fetchall()
    return [
        (box.get_text(event, "event"), position, box.get(sha256, "sha256").hex().upper())
        for event, position, sha256 in found
    ]
