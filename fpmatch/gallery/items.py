"""What is stored of a record as one digest, read from the tables; and of one that is damaged."""

from __future__ import annotations

import re
import sqlite3

from fpmatch.database import stored_uses
from fpmatch.errors import CorruptError
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.digest import Sum, record_item

_UNNAMED = re.compile(r"damaged record number (\d{1,18})")


def unnamed(key: int) -> str:
    """What a record is called whose own name cannot be read."""
    return f"damaged record number {key}"


def shown_name(database: sqlite3.Connection, key: int, stored: object) -> str:
    """A record's name; where it cannot be read, what it is called instead.

    One record that is damaged must not keep the others from being searched.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    key : int
        Of the record.
    stored : object
        What the column of its name holds.
    """
    try:
        return cipher_of(database).facts(database, key, (stored, "", ""))[0]
    except CorruptError:
        return unnamed(key)


def numbered(database: sqlite3.Connection, partition: int, name: str) -> list[int]:
    """The key of a record whose own name cannot be read, by what it is called instead; or none.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    partition : int
        Its key.
    name : str
        As `unnamed` gave it.
    """
    found = _UNNAMED.fullmatch(name)
    if found is None:
        return []
    key = int(found[1])
    row = database.execute(
        "SELECT record FROM record WHERE id = ? AND partition = ?", (key, partition)
    ).fetchone()
    return [key] if row is not None and shown_name(database, key, row[0]) == name else []


def is_sound(database: sqlite3.Connection, key: int) -> bool:
    """Whether a record's digest is there, and that of what is stored of it."""
    stored = database.execute("SELECT item FROM record WHERE id = ?", (key,)).fetchone()[0]
    try:
        return bool(stored == item_of(database, key))
    except CorruptError:
        return False


def records_sum(database: sqlite3.Connection, partition: int) -> Sum:
    """The sum of a partition's records, computed anew; 10 us each.

    What is no digest is left out: `fpmatch.upkeep.check` names its record.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    partition : int
        Its key.
    """
    total = Sum()
    for (item,) in database.execute("SELECT item FROM record WHERE partition = ?", (partition,)):
        if isinstance(item, bytes):
            total.add(item)
    return total


def refresh_item(database: sqlite3.Connection, key: int) -> bytes:
    """Recompute and store a record's digest after a change; errors as for `item_of`."""
    item = item_of(database, key)
    database.execute("UPDATE record SET item = ? WHERE id = ?", (item, key))
    return item


def item_of(database: sqlite3.Connection, key: int) -> bytes:
    """The digest of what is stored of a record.

    Raises
    ------
    CorruptError
        If a part of it cannot be read.
    """
    *facts, protected, sealed, banned = database.execute(
        "SELECT record, identity, contributor, protected, sealed, banned FROM record WHERE id = ?",
        (key,),
    ).fetchone()
    return record_item(
        *cipher_of(database).facts(database, key, tuple(facts)),
        (bool(protected), bool(sealed)),
        stored_uses(banned),
        held_by(database, key),
    )


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
