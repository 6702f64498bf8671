"""What acts under a caller's key were answered: so a repetition is answered alike, and acts once.

An answer is stored in the transaction of its act. It holds numbers and digests, and no name: what
a report has to name is taken from the repeated call, which is the same call.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fpmatch.database import stored, stored_bytes, stored_number
from fpmatch.errors import ConflictError, CorruptError
from fpmatch.gallery.cipher import cipher_of
from fpmatch.parameters import SEARCH

SECRET = "answers"


class Keeper(Protocol):
    """What a gallery is to this module, which it is made of."""

    database: sqlite3.Connection

    @property
    def lock(self) -> Any:
        """Held while the database is read."""
        ...

    def secret(self, name: str) -> bytes:
        """A random key of the gallery."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """An act under a caller's key.

    Parameters
    ----------
    key : bytes
        Keyed digest of it.
    call : bytes
        Digest of all that is asked, under the gallery's secret and the caller's key.
    at : int
        Time of the act, seconds.
    """

    key: bytes
    call: bytes
    at: int

    @property
    def oldest(self) -> int:
        """Answers from before this time are forgotten, seconds."""
        return self.at - SEARCH.key_days * 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    """What an act was answered.

    Parameters
    ----------
    journal : str
        Its entry in the journal.
    seq : int
        Number of its record in the log; 0 as long as the log does not have it.
    fields : dict of str
        As the act stored them.
    """

    journal: str
    seq: int
    fields: dict[str, Any]


def once(gallery: Keeper, key: str, part: int, said: object, at: float) -> Once:
    """The act of a caller's key.

    Parameters
    ----------
    gallery : Keeper
        Open for writing.
    key : str
        The caller's.
    part : int
        Which transaction of the call, from 0.
    said : object
        All that is asked, as JSON can write it.
    at : float
        Time, seconds.
    """
    secret = gallery.secret(SECRET)
    named = f"{part} {key}".encode()
    text = json.dumps(said, sort_keys=True).encode()
    return Once(
        hmac.new(secret, named, hashlib.sha256).digest(),
        # Under the caller's key too: the file alone does not tell what was asked of whom.
        hmac.new(secret + named, text, hashlib.sha256).digest(),
        int(at),
    )


def find(gallery: Keeper, wanted: Once) -> Answer | None:
    """What the same act was answered; None if it was not, or so long ago that it is forgotten.

    Raises
    ------
    ConflictError
        If the key was used for another act.
    CorruptError
        If the answer is stored damaged.
    """
    with gallery.lock:
        found = gallery.database.execute(
            "SELECT call, journal, seq, answer FROM answered WHERE key = ? AND at >= ?",
            (wanted.key, wanted.oldest),
        ).fetchone()
    if found is None:
        return None
    call, journal, seq, text = found
    text = cipher_of(gallery.database).values.get_text(text, "answer", journal)
    if not hmac.compare_digest(stored_bytes(call, "the answer to an act"), wanted.call):
        raise ConflictError(
            "this key was used for another act, or the same act with other content; nothing was "
            "changed. Use a key of its own for each act"
        )
    said = stored(text, "the answer to an act")
    if not isinstance(said, dict):
        raise CorruptError("the answer to an act is stored damaged: it has no fields")
    return Answer(str(journal), stored_number(seq, "the answer to an act"), said)


def put(
    database: sqlite3.Connection,
    act: Once | None,
    journal: str,
    fields: Mapping[str, Any],
    seq: int = 0,
) -> None:
    """Store an answer in the running transaction, and forget those that are too old.

    Parameters
    ----------
    database : sqlite3.Connection
        In the transaction of the act.
    act : Once or None
        None where the caller has no key: then nothing is stored.
    journal : str
        The act's journal entry.
    fields : mapping of str
        What a repetition is answered with.
    seq : int
        Number of its record in the log; 0 as long as the log does not have it.
    """
    if act is None:
        return
    database.execute("DELETE FROM answered WHERE at < ?", (act.oldest,))
    database.execute(
        "INSERT INTO answered (key, call, at, journal, seq, answer) VALUES (?, ?, ?, ?, ?, ?)",
        (act.key, act.call, act.at, journal, seq, _text(database, journal, fields)),
    )


def amend(database: sqlite3.Connection, journal: str, fields: Mapping[str, Any]) -> None:
    """Put into an answer what was not known when it was stored.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    journal : str
        The act's journal entry.
    fields : mapping of str
        The whole answer.
    """
    database.execute(
        "UPDATE answered SET answer = ? WHERE journal = ?",
        (_text(database, journal, fields), journal),
    )


def _text(database: sqlite3.Connection, journal: str, fields: Mapping[str, Any]) -> Any:
    return cipher_of(database).values.put_text(json.dumps(fields), "answer", journal)


def number(database: sqlite3.Connection, journal: str, seq: int) -> None:
    """Note under which number the log has an act.

    Parameters
    ----------
    database : sqlite3.Connection
        In a transaction.
    journal : str
        The act's journal entry.
    seq : int
        Of the log.
    """
    database.execute("UPDATE answered SET seq = ? WHERE journal = ?", (seq, journal))
