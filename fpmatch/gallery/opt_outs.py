"""Requests to opt out: a table of their own, so that no later policy document loses one."""

from __future__ import annotations

import sqlite3

from fpmatch.errors import InputError
from fpmatch.gallery.gallery import Gallery
from fpmatch.sqlite_errors import MissingTableError
from fpmatch.types import OptOutReceipt

TABLE = """CREATE TABLE IF NOT EXISTS opt_out (
    request TEXT PRIMARY KEY, who TEXT NOT NULL, partition TEXT NOT NULL, status TEXT NOT NULL,
    asked TEXT NOT NULL, reason TEXT NOT NULL, decided TEXT NOT NULL, authority TEXT NOT NULL,
    answer TEXT NOT NULL
) WITHOUT ROWID"""
"""Made when it is first needed, in galleries of earlier releases too."""

_COLUMNS = "request, who, partition, status, asked, reason, decided, authority, answer"
OPEN, ACCEPTED, REFUSED = "open", "accepted", "refused"


def add(gallery: Gallery, asked: OptOutReceipt) -> str:
    """Store a request; the name of the journal entry.

    Raises
    ------
    InputError
        If there is one of that name.
    """
    with gallery.transaction() as database:
        database.execute(TABLE)
        if _find(database, asked.request) is not None:
            raise InputError("there is a request of that name already; give it another")
        database.execute(
            f"INSERT INTO opt_out ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(asked)
        )
        return gallery.journal("OPT_OUT", _fields(asked))


def close(
    gallery: Gallery, request: str, *, status: str, decided: str, authority: str, answer: str
) -> str:
    """Answer an open request; the name of the journal entry.

    Parameters
    ----------
    gallery : Gallery
        Open.
    request : str
        Its name.
    status : str
        What became of it.
    decided : str
        When.
    authority : str
        Who ordered it.
    answer : str
        In words.

    Raises
    ------
    InputError
        If there is no open one of that name.
    """
    with gallery.transaction() as database:
        database.execute(TABLE)
        found = _find(database, request)
        if found is None or found.status != OPEN:
            raise InputError("there is no open request of that name to answer")
        database.execute(
            "UPDATE opt_out SET status = ?, decided = ?, authority = ?, answer = ? "
            "WHERE request = ?",
            (status, decided, authority, answer, request),
        )
        closed = _find(database, request)
        assert closed is not None
        return gallery.journal("OPT_OUT", _fields(closed))


def listed(gallery: Gallery) -> list[OptOutReceipt]:
    """All requests, in the order in which they were made."""
    with gallery.lock:
        try:
            found = gallery.database.execute(
                f"SELECT {_COLUMNS} FROM opt_out ORDER BY asked, request"
            ).fetchall()
        except MissingTableError:
            return []  # Nobody has asked in this gallery yet.
    return [OptOutReceipt(*row) for row in found]


def _find(database: sqlite3.Connection, request: str) -> OptOutReceipt | None:
    row = database.execute(
        f"SELECT {_COLUMNS} FROM opt_out WHERE request = ?", (request,)
    ).fetchone()
    return None if row is None else OptOutReceipt(*row)


def _row(one: OptOutReceipt) -> tuple[str, ...]:
    return tuple(getattr(one, name) for name in _COLUMNS.split(", "))


def _fields(one: OptOutReceipt) -> dict[str, str]:
    return {
        "request": one.request,
        "cri": one.who,
        "partition": one.partition,
        "status": one.status,
        "asked": one.asked,
        "authority": one.authority,
    }
