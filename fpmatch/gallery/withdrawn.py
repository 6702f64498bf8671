"""What was taken out of a gallery or hidden in it, for whoever restores an older copy: no names."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3

from fpmatch.gallery.journal import Journal
from fpmatch.sqlite_errors import MissingTableError

RECORD, EVENT, IDENTITY, SEAL, UNSEAL = "record", "event", "identity", "seal", "unseal"


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


def note(database: sqlite3.Connection, kind: str, marked: bytes) -> None:
    """Note, in the running transaction, what is withdrawn.

    Parameters
    ----------
    database : sqlite3.Connection
        Of the gallery.
    kind : str
        One of those above.
    marked : bytes
        As `mark` gave it.
    """
    database.execute("INSERT INTO withdrawn (kind, mark) VALUES (?, ?)", (kind, marked))


def since(gallery: Journal, seq: int = 0) -> list[tuple[int, str, bytes]]:
    """Number, kind and mark of what was withdrawn after a number, in order."""
    with gallery.lock:
        try:
            found = gallery.database.execute(
                "SELECT seq, kind, mark FROM withdrawn WHERE seq > ? ORDER BY seq", (seq,)
            ).fetchall()
        except MissingTableError:
            return []  # Made by an earlier release and never opened for writing since.
    return [(int(number), str(kind), bytes(marked)) for number, kind, marked in found]
