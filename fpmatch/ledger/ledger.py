"""What a gallery owes to others: notifications to owners, copies, and probes kept for later.

A file of its own, because searches write it also where the gallery is open for reading only.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from fpmatch import database as files
from fpmatch.database import Durability
from fpmatch.errors import CorruptError
from fpmatch.ledger import copies
from fpmatch.ledger.tables import LEDGER, LEDGER_COLUMNS
from fpmatch.ledger.values import (
    DECOY,
    DELIVERED,
    DELIVERING,
    PENDING,
    READY,
    SETTLED,
    KeptProbe,
    Notification,
)

FILE = "ledger.sqlite"
_PROBE = "token, kind, partition, event, expires, identity, request, owner, claimed"


class Ledger:
    """Notifications, copies and kept probes, in one SQLite file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.lock = threading.RLock()
        self.copies = copies.Copies(self._transaction)

    @classmethod
    def create(cls, folder: Path, *, durability: Durability = "full") -> Self:
        """Make an empty one."""
        files.create_file(folder / FILE, f"{LEDGER}{copies.TABLE};")
        return cls.open(folder, durability=durability)

    @classmethod
    def open(cls, folder: Path, *, durability: Durability = "full", write: bool = True) -> Self:
        """Open it; several processes may write.

        Parameters
        ----------
        folder : Path
            Of the gallery.
        durability : Durability
            "full" waits for the disk at each commit.
        write : bool
            False to look only.
        """
        database = files.open_file(folder / FILE, write=write, durability=durability)
        if write:
            files.add_columns(database, LEDGER_COLUMNS)
            with files.transaction(database):
                database.execute(copies.TABLE)  # ledgers that were made before have none
        return cls(database)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.lock, files.transaction(self.database):
            yield self.database

    # -- notifications -------------------------------------------------------------------------

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
                        json.dumps(asdict(message)),
                        envelope,
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
                "SELECT body FROM notification WHERE state = ? ORDER BY intent, id",
                (DELIVERED if delivered else READY,),
            ).fetchall()
        return [_notification(body) for (body,) in found]

    def envelope(self, name: str) -> bytes | None:
        """The stored envelope of a message, as the vault sealed it."""
        with self.lock:
            found = self.database.execute(
                "SELECT envelope FROM notification WHERE id = ? AND state IN (?, ?)",
                (name, READY, DELIVERED),
            ).fetchone()
        return None if found is None else found[0]

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
        return None if row is None else _notification(row[0])

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

    # -- kept probes ---------------------------------------------------------------------------

    def keep(self, probe: KeptProbe, contents: Sequence[bytes]) -> None:
        """Store a probe and its templates (as the vault sealed them)."""
        with self._transaction() as database:
            numbers = [
                database.execute("INSERT INTO template (bytes) VALUES (?)", (one,)).lastrowid
                for one in contents
            ]
            database.execute(
                "INSERT INTO probe VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    probe.token,
                    probe.kind,
                    probe.partition,
                    probe.event,
                    probe.expires,
                    probe.identity,
                    json.dumps(probe.request),
                    json.dumps(numbers),
                    probe.owner,
                    probe.claimed,
                ),
            )

    def claim(self, token: str, kind: str, claimed: str) -> KeptProbe | None:
        """Take a probe up, if nobody else is doing so: one statement, so one of all succeeds.

        Parameters
        ----------
        token, kind : str
            Which probe; one of another kind is not there.
        claimed : str
            As in `KeptProbe`.

        Returns
        -------
        KeptProbe or None
            None if it is not there, or claimed already.
        """
        with self._transaction() as database:
            row = database.execute(
                "UPDATE probe SET claimed = ? WHERE token = ? AND kind = ? AND claimed = '' "
                f"RETURNING {_PROBE}",
                (claimed, token, kind),
            ).fetchone()
        return None if row is None else _kept(row)

    def disown(self, token: str, owner: str) -> None:
        """Note that a probe's search was answered, so that no later opening asks again."""
        with self._transaction() as database:
            database.execute(
                "UPDATE probe SET owner = ? WHERE token = ? AND owner = ?", (SETTLED, token, owner)
            )

    def unclaim(self, token: str, claimed: str) -> None:
        """Let go of a probe that was taken up and still waits; another's claim stays."""
        with self._transaction() as database:
            database.execute(
                "UPDATE probe SET claimed = '' WHERE token = ? AND claimed = ?", (token, claimed)
            )

    def kept(self, kind: str, partition: str | None = None) -> list[KeptProbe]:
        """Probes of a kind, by token."""
        with self.lock:
            found = self.database.execute(
                f"SELECT {_PROBE} FROM probe "
                "WHERE kind = ? AND (? IS NULL OR partition = ?) ORDER BY token",
                (kind, partition, partition),
            ).fetchall()
        return [_kept(row) for row in found]

    def find(self, token: str) -> KeptProbe | None:
        """One probe, or None."""
        with self.lock:
            row = self.database.execute(
                f"SELECT {_PROBE} FROM probe WHERE token = ?", (token,)
            ).fetchone()
        return None if row is None else _kept(row)

    def contents(self, token: str) -> list[bytes]:
        """A probe's templates, as stored."""
        with self.lock:
            found = self.database.execute(
                "SELECT templates FROM probe WHERE token = ?", (token,)
            ).fetchone()
            if found is None:
                return []
            return [
                bytes(
                    self.database.execute(
                        "SELECT bytes FROM template WHERE id = ?", (number,)
                    ).fetchone()[0]
                )
                for number in files.stored(found[0], "a kept probe")
            ]

    def destroy(self, token: str, *, scrub: bool = True) -> bool:
        """Overwrite a probe and forget it; False if it is not there (any more).

        Parameters
        ----------
        scrub : bool
            Empty the write-ahead log too; without it the caller does, after the last of several.
        """
        with self._transaction() as database:
            found = database.execute(
                "SELECT templates FROM probe WHERE token = ?", (token,)
            ).fetchone()
            if found is None:
                return False
            for number in files.stored(found[0], "a kept probe"):
                database.execute(
                    "UPDATE template SET bytes = zeroblob(length(bytes)) WHERE id = ?", (number,)
                )
            database.execute("DELETE FROM probe WHERE token = ?", (token,))
        if scrub:
            self.scrub()
        return True

    def scrub(self, *, wait: bool = True) -> None:
        """Empty the write-ahead log; see `fpmatch.database.scrub`."""
        with self.lock:
            files.scrub(self.database, wait=wait)

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.database.close()


def _kept(row: tuple[str, ...]) -> KeptProbe:
    token, kind, partition, event, expires, identity, request, owner, claimed = row
    return KeptProbe(
        token,
        kind,
        partition,
        event,
        expires,
        identity,
        files.stored(request, "a kept probe"),
        owner,
        claimed,
    )


def _notification(body: str) -> Notification:
    try:
        return Notification(**files.stored(body, "a message"))
    except TypeError as error:
        raise CorruptError("a message is stored damaged: its fields are others") from error
