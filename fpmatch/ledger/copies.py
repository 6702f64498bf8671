"""Copies of answers that wait for their recipients: a table of the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fpmatch.encryption import PLAIN_BOX, PlainBox
from fpmatch.ledger.values import DELIVERING, PENDING, READY

TABLE = """
CREATE TABLE IF NOT EXISTS copy (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    booking TEXT NOT NULL,
    tcn TEXT NOT NULL,
    recipient TEXT NOT NULL,
    intent INTEGER NOT NULL,
    state TEXT NOT NULL,
    expires TEXT NOT NULL,
    sealed INTEGER NOT NULL,
    body BLOB NOT NULL,
    owner TEXT NOT NULL
)
"""
_COPY = "id, booking, tcn, recipient, intent, expires, sealed, body, owner"


@dataclass(frozen=True, slots=True)
class KeptCopy:
    """A copy of an answer, for one agency.

    Parameters
    ----------
    id : int
        Given when it is stored.
    booking, tcn, recipient : str
        Who submitted, under which control number, and who may fetch the copy.
    intent : int
        The audit log's record of the search.
    expires : str
        Until when it waits (ISO time in UTC).
    sealed : bool
        Whether a vault sealed the body.
    body : bytes
        What the recipient may be shown, and the facts of the submission.
    owner : str
        The opening of the gallery whose search made it, or that hands it out.
    """

    id: int
    booking: str
    tcn: str
    recipient: str
    intent: int
    expires: str
    sealed: bool
    body: bytes
    owner: str


class Copies:
    """The table of copies.

    Parameters
    ----------
    transaction : callable
        Begins one of the ledger's file.
    box : PlainBox
        How bodies lie.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        box: PlainBox = PLAIN_BOX,
    ) -> None:
        self._transaction = transaction
        self._box = box

    def prepare(self, made: Sequence[KeptCopy], now: str) -> None:
        """Store copies that nobody can fetch before `show`, and drop those whose time is over.

        Parameters
        ----------
        made : sequence of KeptCopy
            Of one search; their ids are given here.
        now : str
            ISO time in UTC.
        """
        with self._transaction() as database:
            database.execute("DELETE FROM copy WHERE expires <= ?", (now,))
            for one in made:
                database.execute(
                    "INSERT INTO copy (booking, tcn, recipient, intent, state, expires, sealed, "
                    "body, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (one.booking, one.tcn, one.recipient, one.intent, PENDING, one.expires,
                     int(one.sealed), self._box.put(one.body, *place(one.intent, one.recipient)),
                     one.owner),
                )  # fmt: skip

    def show(self, intent: int) -> None:
        """Let the recipients of a search's copies fetch them."""
        with self._transaction() as database:
            database.execute(
                "UPDATE copy SET state = ? WHERE intent = ? AND state = ?", (READY, intent, PENDING)
            )

    def discard(self, intent: int) -> None:
        """Drop the copies of a search that was never answered."""
        with self._transaction() as database:
            database.execute("DELETE FROM copy WHERE intent = ? AND state = ?", (intent, PENDING))

    def waiting(self, tcn: str, recipient: str, booking: str | None, now: str) -> list[KeptCopy]:
        """Copies that a recipient could fetch, oldest first.

        Parameters
        ----------
        tcn : str
            Control number of the submission.
        recipient : str
            Who asks.
        booking : str or None
            Who submitted; None for any.
        now : str
            ISO time in UTC.
        """
        with self._transaction() as database:
            found = database.execute(
                f"SELECT {_COPY} FROM copy WHERE tcn = ? AND recipient = ? AND state = ? "
                "AND expires > ? AND (? IS NULL OR booking = ?) ORDER BY id",
                (tcn, recipient, READY, now, booking, booking),
            ).fetchall()
        return [self._copy(row) for row in found]

    def claim(self, copy: int, owner: str) -> bool:
        """Take a copy up to hand it out: one statement, so one of all succeeds.

        Parameters
        ----------
        copy : int
            Its id.
        owner : str
            The opening of the gallery that hands it out.
        """
        with self._transaction() as database:
            taken = database.execute(
                "UPDATE copy SET state = ?, owner = ? WHERE id = ? AND state = ?",
                (DELIVERING, owner, copy, READY),
            )
            return taken.rowcount > 0

    def unclaim(self, copy: int) -> None:
        """Let a copy that was not handed out wait again."""
        with self._transaction() as database:
            database.execute(
                "UPDATE copy SET state = ? WHERE id = ? AND state = ?", (READY, copy, DELIVERING)
            )

    def destroy(self, copy: int) -> None:
        """Forget a copy: it was handed out, or holds what nobody may have any more."""
        with self._transaction() as database:
            database.execute("DELETE FROM copy WHERE id = ?", (copy,))

    def rewrite(self, copy: int, body: bytes) -> None:
        """Put another body in the place of a copy's own."""
        with self._transaction() as database:
            found = database.execute(
                "SELECT intent, recipient FROM copy WHERE id = ?", (copy,)
            ).fetchone()
            if found is not None:
                body = self._box.put(body, *place(*found))
                database.execute("UPDATE copy SET body = ? WHERE id = ?", (body, copy))

    def every(self) -> list[KeptCopy]:
        """All copies, whatever becomes of them at the moment."""
        with self._transaction() as database:
            found = database.execute(f"SELECT {_COPY} FROM copy ORDER BY id").fetchall()
        return [self._copy(row) for row in found]

    def unsettled(self) -> tuple[list[KeptCopy], list[KeptCopy]]:
        """Copies that are not shown yet, and those that are being handed out."""
        with self._transaction() as database:
            found = [
                database.execute(f"SELECT {_COPY} FROM copy WHERE state = ?", (state,)).fetchall()
                for state in (PENDING, DELIVERING)
            ]
        shown, handed = ([self._copy(row) for row in rows] for rows in found)
        return shown, handed

    def _copy(self, row: tuple) -> KeptCopy:
        number, booking, tcn, recipient, intent, expires, sealed, body, owner = row
        content = self._box.get(body, *place(intent, recipient))
        return KeptCopy(
            number, booking, tcn, recipient, intent, expires, bool(sealed), content, owner
        )


def place(intent: int, recipient: str) -> tuple[object, ...]:
    """What an encrypted body is bound to.

    Parameters
    ----------
    intent : int
        The audit log's record of the search.
    recipient : str
        Who may fetch the copy.
    """
    return ("copy", intent, recipient)
