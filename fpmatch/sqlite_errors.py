"""SQLite connections whose errors are ours, wherever they arise."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from fpmatch.errors import CorruptError, InputError, LockedError, StorageError, WriteError

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CANNOT_WRITE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}

_NO_VALUE = (OverflowError, UnicodeEncodeError)
"""A number of more than 63 bits, half a surrogate pair: SQLite has no such value."""
_CANNOT_STORE = "a number or a text cannot be stored: it is too large, or holds half a character"


class MissingTableError(CorruptError):
    """A table or column that this release expects is not there: an older release made the file."""


def ours(error: sqlite3.Error, name: str) -> StorageError:
    """One of our errors for one of SQLite's.

    Parameters
    ----------
    error : sqlite3.Error
    name : str
        Of the file, for the message.
    """
    # The low byte is the kind, the others say more (SQLite, "Result and Error Codes").
    code = getattr(error, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF
    if kind in _BUSY:
        return LockedError(f"{name} is in use by another process; repeat when it ends")
    if kind == sqlite3.SQLITE_FULL:
        return WriteError(
            f"{name} cannot be written: the disk is full; it goes on when there is room"
        )
    if kind in _CANNOT_WRITE:
        return WriteError(f"{name} cannot be read or written: {error}")
    if kind in _DAMAGED or "decode to UTF-8" in str(error):
        return CorruptError(f"{name} is damaged: {error}")
    if str(error).startswith(("no such table", "no such column")):
        return MissingTableError(f"{name}: {error}")
    return StorageError(f"{name}: {error}")


class Cursor(sqlite3.Cursor):
    """A cursor whose errors are ours."""

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """As `sqlite3.Cursor.execute`; raises `StorageError`, and `InputError` for `_NO_VALUE`."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error
        except _NO_VALUE:
            raise InputError(_CANNOT_STORE) from None

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        """As `sqlite3.Cursor.executemany`; raises `StorageError`, and `InputError` as `execute`."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error
        except _NO_VALUE:
            raise InputError(_CANNOT_STORE) from None

    def executescript(self, script: str, /) -> Self:
        """As `sqlite3.Cursor.executescript`; raises `StorageError`."""
        try:
            super().executescript(script)
            return self
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error

    def fetchone(self) -> Any:
        """As `sqlite3.Cursor.fetchone`; raises `StorageError`."""
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error

    def fetchall(self) -> list[Any]:
        """As `sqlite3.Cursor.fetchall`; raises `StorageError`."""
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """As `sqlite3.Cursor.fetchmany`; raises `StorageError`."""
        try:
            return super().fetchmany(self.arraysize if size is None else size)
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise ours(error, name_of(self.connection)) from error


class Connection(sqlite3.Connection):
    """A connection whose errors are ours: everything goes through its cursors."""

    file = ""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """As `sqlite3.Connection.execute`; raises `StorageError`."""
        try:
            cursor = super().cursor(Cursor)
        except sqlite3.Error as error:
            raise ours(error, self.file) from error
        return cursor.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        """As `sqlite3.Connection.executemany`; raises `StorageError`."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, script: str, /) -> Any:
        """As `sqlite3.Connection.executescript`; raises `StorageError`."""
        return self.cursor().executescript(script)

    def cursor(self, factory: Any = None) -> Any:
        """As `sqlite3.Connection.cursor`; raises `StorageError`."""
        try:
            return super().cursor(factory or Cursor)
        except sqlite3.Error as error:
            raise ours(error, self.file) from error

    def close(self) -> None:
        """As `sqlite3.Connection.close`; raises `StorageError`."""
        try:
            super().close()
        except sqlite3.Error as error:
            raise ours(error, self.file) from error


def name_of(connection: sqlite3.Connection) -> str:
    """The name of a connection's file."""
    return getattr(connection, "file", "")


def connect(path: Path, uri: str, **options: Any) -> Connection:
    """Open a connection.

    Parameters
    ----------
    path : Path
        Of the file, for messages.
    uri : str
        What SQLite opens.
    **options
        As for `sqlite3.connect`.

    Raises
    ------
    StorageError
        If it cannot be opened.
    """
    try:
        database = sqlite3.connect(uri, uri=True, factory=Connection, **options)
    except sqlite3.Error as error:
        raise ours(error, path.name) from error
    database.file = path.name
    return database
