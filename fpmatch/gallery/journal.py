"""Transactions of the system of record, and what is noted there until the log has it."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fpmatch import database as files
from fpmatch.errors import LockedError, ReadOnlyError
from fpmatch.gallery import answers
from fpmatch.gallery.cipher import PLAIN, Cipher, use
from fpmatch.gallery.loading import Stamps
from fpmatch.sqlite_errors import MissingTableError

DONE = "done "
"""Begins the id of a note that says no more than what its repetition is answered with."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A removal that has been carried through.

    Parameters
    ----------
    name : str
        Of its note.
    fields : mapping, optional
        What its repetition shall be answered with, where the call that began it was not answered;
        holds no name. ``done`` says which call that was.
    answered : (str, mapping), optional
        Its journal entry, and what whoever repeats it under its key is answered with.
    """

    name: str
    fields: Mapping[str, Any] | None = None
    answered: tuple[str, Mapping[str, Any]] | None = None


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
                    f"SELECT id, fields FROM unfinished WHERE id NOT GLOB '{DONE}*' ORDER BY rowid"
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

    def end_removals(self, ended: Iterable[Ended]) -> None:
        """Forget removals that have been carried through, all at once.

        Parameters
        ----------
        ended : iterable of Ended
        """
        with self.transaction() as database:
            for one in ended:
                database.execute("DELETE FROM unfinished WHERE id = ?", (one.name,))
                if one.answered is not None:
                    answers.amend(database, *one.answered)
                if one.fields is not None:
                    # Found by the call. Of two that were cut off the later one is repeated.
                    kept = DONE + one.fields["done"]
                    database.execute(
                        "INSERT OR REPLACE INTO unfinished VALUES (?, ?)",
                        (kept, self._note(kept, one.fields)),
                    )

    def unanswered(self, calls: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
        """What repeated removals are answered with, once, where they were cut off before.

        Parameters
        ----------
        calls : sequence of str
            Names of the calls.

        Returns
        -------
        dict of str to (str, dict)
            By call, of those that were cut off: the note, for `forget_answer`, and its fields.
        """
        out = {}
        select = "SELECT id, fields FROM unfinished WHERE id"
        with self.lock:
            for call in calls:
                for name, text in self.database.execute(f"{select} = ?", (DONE + call,)):
                    out[call] = (name, self._noted(name, text))
            if len(out) < len(set(calls)):
                # As earlier releases kept them.
                for name, text in self.database.execute(f"{select} NOT GLOB '{DONE}*'"):
                    fields = self._noted(name, text)
                    if fields.get("done") in calls:
                        out.setdefault(fields["done"], (name, fields))
        return out

    def forget_answer(self, database: sqlite3.Connection, name: str) -> None:
        """Forget, in the running transaction, what a repeated removal is answered with.

        Parameters
        ----------
        database : sqlite3.Connection
            Of the gallery.
        name : str
            Of the note, as `unanswered` gave it.
        """
        database.execute("DELETE FROM unfinished WHERE id = ?", (name,))

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

    def logged(self, numbers: Mapping[str, int]) -> None:
        """Forget events that the audit log has; who repeats their acts is told the numbers.

        Parameters
        ----------
        numbers : mapping of str to int
            Of their records in the log, by entry.
        """
        with self.transaction() as database:
            for name, seq in numbers.items():
                database.execute("DELETE FROM journal WHERE id = ?", (name,))
                answers.number(database, name, seq)
