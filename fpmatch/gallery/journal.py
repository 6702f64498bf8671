"""Transactions of the system of record, and what is noted there until the log has it."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fpmatch import database as files
from fpmatch.errors import LockedError, ReadOnlyError
from fpmatch.gallery import answers
from fpmatch.gallery.cipher import PLAIN, Cipher, use
from fpmatch.gallery.loading import Stamps
from fpmatch.sqlite_errors import MissingTableError


class Journal:
    """Base of `fpmatch.gallery.Gallery`: all or nothing, and nothing that the log never hears of.

    Parameters
    ----------
    database : sqlite3.Connection
    mode : str
        "r" or "rw".
    cipher : Cipher
        How values lie.
    """

    def __init__(self, database: sqlite3.Connection, mode: str, cipher: Cipher = PLAIN) -> None:
        use(database, cipher)
        self.cipher = cipher
        self.database = database
        self.mode = mode
        self.lock = threading.RLock()
        self.writer = ""
        self.superseded = False
        self.stamps = Stamps(database)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; committed to disk on leaving.

        Raises
        ------
        ReadOnlyError
            If it is open for reading only.
        """
        if self.mode != "rw":
            raise ReadOnlyError("the gallery is open for reading only; open it with mode='rw'")
        with self.lock, files.transaction(self.database):
            self._check_writer()
            before = self.stamps.began()
            yield self.database
            self.stamps.committing(before)

    def _check_writer(self) -> None:
        """StorageError if another opening has become the one that writes."""
        if not self.writer:
            return
        found = self.database.execute("SELECT value FROM meta WHERE key = 'writer'").fetchone()
        if found is None or found[0] != self.writer:
            self.superseded = True
            raise LockedError("another process has taken over writing this gallery; open it again")

    def unfinished(self) -> list[tuple[str, dict[str, Any]]]:
        """Removals that are committed here and not yet carried through: id, fields."""
        with self.lock:
            try:
                found = self.database.execute(
                    "SELECT id, fields FROM unfinished ORDER BY rowid"
                ).fetchall()
            except MissingTableError:
                return []  # Made by an earlier release and never opened for writing since.
        rows = [(name, self._noted(name, fields)) for name, fields in found]
        return [(name, fields) for name, fields in rows if "done" not in fields]

    def begin_removal(self, fields: Mapping[str, Any]) -> str:
        """Note, in the running transaction, what a removal has still to do elsewhere; its id."""
        name = uuid.uuid4().hex
        self.database.execute(
            "INSERT INTO unfinished VALUES (?, ?)", (name, self._note(name, fields))
        )
        return name

    def _note(self, name: str, fields: Mapping[str, Any]) -> Any:
        return self.cipher.values.put_text(json.dumps(fields), "removal", name)

    def _noted(self, name: str, stored: Any) -> dict[str, Any]:
        text = self.cipher.values.get_text(stored, "removal", name)
        noted: dict[str, Any] = files.stored(text, "a removal")
        return noted

    def note_removal(self, name: str, fields: Mapping[str, Any]) -> None:
        """Change what is noted of a removal."""
        with self.transaction() as database:
            database.execute(
                "UPDATE unfinished SET fields = ? WHERE id = ?", (self._note(name, fields), name)
            )

    def end_removal(
        self,
        name: str,
        fields: Mapping[str, Any] | None = None,
        *,
        answered: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Forget a removal that has been carried through.

        Parameters
        ----------
        name : str
            Its id.
        fields : mapping, optional
            What its repetition shall be answered with, where the call that began it was not
            answered; holds no name. ``done`` says which call that was.
        answered : (str, mapping), optional
            Its journal entry, and what whoever repeats it under its key is answered with.
        """
        with self.transaction() as database:
            if answered is not None:
                answers.amend(database, *answered)
            if fields is None:
                database.execute("DELETE FROM unfinished WHERE id = ?", (name,))
            else:
                database.execute(
                    "UPDATE unfinished SET fields = ? WHERE id = ?",
                    (self._note(name, fields), name),
                )

    def unanswered(self, done: str) -> dict[str, Any] | None:
        """What a repeated removal is answered with, once; None if it was not cut off before."""
        with self.transaction() as database:
            for name, text in database.execute("SELECT id, fields FROM unfinished").fetchall():
                fields = self._noted(name, text)
                if fields.get("done") == done:
                    database.execute("DELETE FROM unfinished WHERE id = ?", (name,))
                    return fields
        return None

    def journal(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Note, in the running transaction, an event that the audit log has still to take."""
        name = uuid.uuid4().hex
        self.database.execute(
            "INSERT INTO journal VALUES (?, ?, ?)", (name, kind, json.dumps(fields))
        )
        return name

    def unlogged(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Events committed here and not yet known to be in the audit log: id, kind, fields."""
        with self.lock:
            found = self.database.execute(
                "SELECT id, kind, fields FROM journal ORDER BY rowid"
            ).fetchall()
        return [
            (name, kind, files.stored(fields, "an entry of the journal"))
            for name, kind, fields in found
        ]

    def logged(self, name: str, seq: int = 0) -> None:
        """Forget an event that the audit log has; who repeats its act is told the number.

        Parameters
        ----------
        name : str
            Of the entry.
        seq : int
            Of its record in the log.
        """
        with self.transaction() as database:
            database.execute("DELETE FROM journal WHERE id = ?", (name,))
            answers.number(database, name, seq)
