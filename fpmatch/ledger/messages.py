"""Notifications to owners: prepared, shown, delivered, each exactly once."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from fpmatch import database as files
from fpmatch.errors import CorruptError
from fpmatch.ledger.cipher import Cipher
from fpmatch.ledger.values import DECOY, DELIVERED, DELIVERING, PENDING, READY, Notification


class Messages:
    """Base of `fpmatch.ledger.Ledger`: its file, and the messages in it.

    Parameters
    ----------
    database : sqlite3.Connection
    cipher : Cipher
        How values lie.
    """

    def __init__(self, database: sqlite3.Connection, cipher: Cipher) -> None:
        self.database = database
        self.cipher = cipher
        self.lock = threading.RLock()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.lock, files.transaction(self.database):
            yield self.database

    def prepare(
        self,
        messages: Sequence[tuple[Notification, bytes | None]],
        decoys: Sequence[Notification] = (),
        owner: str = "",
    ) -> None:
        """Store messages that nobody can see before `release`.

        Parameters
        ----------
        messages : sequence of (Notification, bytes or None)
            Each with its envelope, as the vault sealed it.
        decoys : sequence of Notification
            Never shown: they make a search without a hit wait for the disk like one with.
        owner : str
            The opening of the gallery whose search it is.
        """
        put = self.cipher.values
        rows = [(m, PENDING, envelope) for m, envelope in messages]
        rows += [(m, DECOY, None) for m in decoys]
        with self._transaction() as database:
            for message, state, envelope in rows:
                database.execute(
                    "INSERT OR IGNORE INTO notification VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        message.id,
                        message.intent,
                        state,
                        put.put_text(json.dumps(asdict(message)), "message", message.id),
                        None if envelope is None else put.put(envelope, "envelope", message.id),
                        owner,
                    ),
                )

    def release(self, intent: int) -> None:
        """Show a search's messages: its outcome is in the audit log."""
        with self._transaction() as database:
            database.execute(
                "UPDATE notification SET state = ? WHERE intent = ? AND state = ?",
                (READY, intent, PENDING),
            )
            database.execute(
                "DELETE FROM notification WHERE intent = ? AND state = ?", (intent, DECOY)
            )

    def discard(self, intent: int) -> None:
        """Drop the messages of a search that was never answered."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM notification WHERE intent = ? AND state IN (?, ?)",
                (intent, PENDING, DECOY),
            )

    def pending(self) -> list[tuple[int, str]]:
        """Searches whose messages are not shown yet, with the opening that each belongs to."""
        with self.lock:
            found = self.database.execute(
                "SELECT DISTINCT intent, owner FROM notification WHERE state IN (?, ?)",
                (PENDING, DECOY),
            ).fetchall()
        return [(int(intent), str(owner)) for intent, owner in found]

    def notifications(self, *, delivered: bool = False) -> list[Notification]:
        """Messages that wait, or those that were delivered, oldest first."""
        with self.lock:
            found = self.database.execute(
                "SELECT id, body FROM notification WHERE state = ? ORDER BY intent, id",
                (DELIVERED if delivered else READY,),
            ).fetchall()
        return [self._notification(name, body) for name, body in found]

    def envelope(self, name: str) -> bytes | None:
        """The stored envelope of a message, as the vault sealed it."""
        with self.lock:
            found = self.database.execute(
                "SELECT envelope FROM notification WHERE id = ? AND state IN (?, ?)",
                (name, READY, DELIVERED),
            ).fetchone()
        if found is None or found[0] is None:
            return None
        return self.cipher.values.get(found[0], "envelope", name)

    def deliver(self, name: str, owner: str) -> Notification | None:
        """Take a message up for delivery: one statement, so one of all succeeds.

        Parameters
        ----------
        name : str
            Of the message.
        owner : str
            The opening of the gallery that delivers it.

        Returns
        -------
        Notification or None
            None if it was delivered, is being delivered, or does not exist.
        """
        with self._transaction() as database:
            row = database.execute(
                "UPDATE notification SET state = ?, owner = ? WHERE id = ? AND state = ? "
                "RETURNING body",
                (DELIVERING, owner, name, READY),
            ).fetchone()
        return None if row is None else self._notification(name, row[0])

    def delivered(self, name: str, *, done: bool = True) -> bool:
        """End a delivery that was taken up; False if there was none.

        Parameters
        ----------
        name : str
            Of the message.
        done : bool
            Whether it was delivered; else it waits again.
        """
        with self._transaction() as database:
            ended = database.execute(
                "UPDATE notification SET state = ? WHERE id = ? AND state = ?",
                (DELIVERED if done else READY, name, DELIVERING),
            )
            return ended.rowcount > 0

    def delivering(self) -> list[tuple[str, str]]:
        """Messages that are being delivered: id, and the opening that does."""
        with self.lock:
            found = self.database.execute(
                "SELECT id, owner FROM notification WHERE state = ?", (DELIVERING,)
            ).fetchall()
        return [(str(name), str(owner)) for name, owner in found]

    def _notification(self, name: str, body: str) -> Notification:
        text = self.cipher.values.get_text(body, "message", name)
        try:
            return Notification(**files.stored(text, "a message"))
        except TypeError as error:
            raise CorruptError("a message is stored damaged: its fields are others") from error
