"""What a gallery owes to others: notifications to owners, and probes kept for later.

A file of its own, because searches write it also where the gallery is open for reading only.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from fpmatch import database as files
from fpmatch.database import Durability

FILE = "ledger.sqlite"
LEDGER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE notification (
    id TEXT PRIMARY KEY,
    intent INTEGER NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL,
    envelope BLOB,
    owner TEXT NOT NULL DEFAULT ''
);
CREATE INDEX notification_intent ON notification (intent);
CREATE TABLE probe (
    token TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    partition TEXT NOT NULL,
    event TEXT NOT NULL,
    expires TEXT NOT NULL,
    identity TEXT NOT NULL,
    request TEXT NOT NULL,
    templates TEXT NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    claimed TEXT NOT NULL DEFAULT ''
);
CREATE TABLE template (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL);
"""
LEDGER_COLUMNS = (("notification", "owner"), ("probe", "owner"), ("probe", "claimed"))
"""Columns that ledgers made before do not have; added when they are opened."""
_PROBE = "token, kind, partition, event, expires, identity, request, owner, claimed"
DEFERRED, RETAINED = "deferred", "retained"
"""Kinds of kept probes: until an event, and for later arrivals."""
SETTLED = "settled"
"""Owner of a probe whose search is known to have been answered."""
PENDING, READY, DELIVERING, DELIVERED = "pending", "ready", "delivering", "delivered"
DECOY = "decoy"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a partition's owner about one search: exactly one for each hit.

    It holds no record id and no score; those are in the owner's envelope.

    Parameters
    ----------
    id : str
        Names the message; receiving the same id twice is receiving it once.
    office : str
        Where the policy routes it, or ``UNROUTED``.
    intent : int
        The audit log's record of the search.
    """

    id: str
    partition: str
    owner: str
    office: str
    tcn: str
    booking_ori: str
    transaction: str
    reason: str
    consent_overridden: bool
    intent: int
    time: str


@dataclass(frozen=True, slots=True)
class KeptProbe:
    """A probe that waits, with the facts that it came with.

    Parameters
    ----------
    kind : str
        ``deferred`` (waits for an event) or ``retained`` (searched against what comes later).
    partition : str
        The one partition that it is kept for.
    event, expires : str
        What it waits for, and until when (ISO time in UTC).
    identity : str
        Whom an expungement must name to destroy it too; may be empty.
    request : mapping
        The facts of the submission, as plain types.
    owner : str
        The opening of the gallery whose search kept it.
    claimed : str
        Who is taking it up at the moment, and under which control number: ``OWNER|TCN``, or "".
    """

    token: str
    kind: str
    partition: str
    event: str
    expires: str
    identity: str
    request: dict[str, Any]
    owner: str = ""
    claimed: str = ""


class Ledger:
    """Notifications and kept probes, in one SQLite file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.lock = threading.RLock()

    @classmethod
    def create(cls, folder: Path, *, durability: Durability = "full") -> Self:
        """Make an empty one."""
        files.create_file(folder / FILE, LEDGER)
        return cls.open(folder, durability=durability)

    @classmethod
    def open(cls, folder: Path, *, durability: Durability = "full") -> Self:
        """Open for writing; several processes may."""
        database = files.open_file(folder / FILE, write=True, durability=durability)
        files.add_columns(database, LEDGER_COLUMNS)
        return cls(database)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

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
        return [Notification(**json.loads(body)) for (body,) in found]

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
        return None if row is None else Notification(**json.loads(row[0]))

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
                for number in json.loads(found[0])
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
            for number in json.loads(found[0]):
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
        token, kind, partition, event, expires, identity, json.loads(request), owner, claimed
    )
