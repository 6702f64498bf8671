"""What was taken out of a gallery, hidden or barred in it, for who restores a copy: no names."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterable

from fpmatch.database import stored_bytes
from fpmatch.gallery.journal import Journal
from fpmatch.sqlite_errors import MissingTableError

RECORD, EVENT, IDENTITY, SEAL, UNSEAL = "record", "event", "identity", "seal", "unseal"
BARS = "bars "
"""Begins the kind of a record whose protection or bans changed; what they are now follows."""


def mark(key: bytes, *names: str) -> bytes:
    """A name for a record, event or identity that nobody can read without the gallery's key.

    Parameters
    ----------
    key : bytes
        The gallery's secret "withdrawn".
    *names : str
        Of the identity, or of partition and record, or of partition, record and event.
    """
    return hmac.new(key, json.dumps(names).encode(), hashlib.sha256).digest()


def bars(protected: bool, banned: Iterable[str]) -> str:
    """The kind that says how a record is barred from now on.

    Parameters
    ----------
    protected : bool
        Shown to certain roles only.
    banned : iterable of str
        Uses.
    """
    return BARS + json.dumps([bool(protected), sorted(map(str, banned))])


def read_bars(kind: str) -> tuple[bool, frozenset[str]]:
    """What `bars` said.

    Raises
    ------
    ValueError
        If it says nothing of the kind.
    """
    protected, banned = json.loads(kind.removeprefix(BARS))
    if not isinstance(protected, bool) or not all(isinstance(use, str) for use in banned):
        raise ValueError("neither a flag nor uses")
    return protected, frozenset(banned)


def note(database: sqlite3.Connection, kind: str, marked: bytes) -> None:
    """Note, in the running transaction, what is withdrawn.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    kind : str
        One of those above, or what `bars` gave.
    marked : bytes
        As `mark` gave it.
    """
    database.execute("INSERT INTO withdrawn (kind, mark) VALUES (?, ?)", (kind, marked))


def take_over(gallery: Journal, marks: Iterable[tuple[int, str, bytes]]) -> None:
    """Note what was withdrawn after a backup, under the numbers that it had.

    Whoever restores another backup later with the list of this gallery must not bring back what
    was not in the first one: a record that came after it, and was expunged.

    Parameters
    ----------
    gallery : Journal
        Open for writing; it has noted nothing of its own since.
    marks : iterable of (int, str, bytes)
        Number, kind and mark of each.
    """
    with gallery.transaction() as database:
        database.executemany("INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?)", marks)


def since(gallery: Journal, seq: int = 0) -> list[tuple[int, str, bytes]]:
    """Number, kind and mark of what was withdrawn after a number, in order."""
    with gallery.lock:
        try:
            found = gallery.database.execute(
                "SELECT seq, kind, mark FROM withdrawn WHERE seq > ? ORDER BY seq", (seq,)
            ).fetchall()
        except MissingTableError:
            return []  # Made by an earlier release and never opened for writing since.
    return [
        (int(number), str(kind), stored_bytes(marked, "a mark of a removal"))
        for number, kind, marked in found
    ]
