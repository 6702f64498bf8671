"""Connections to SQLite, and what was overwritten there: the same for gallery, ledger and log."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from fpmatch import sqlite_errors
from fpmatch.errors import MALFORMED, CorruptError, LockedError, StorageError
from fpmatch.parameters import DATABASE
from fpmatch.sqlite_errors import MissingTableError

Durability = Literal["full", "normal", "off"]

FORMAT, ENCRYPTED = 1, 2
"""Of gallery and ledger, as they are and encrypted; the log has one of its own."""


def make(path: Path, script: str) -> sqlite3.Connection:
    """A new file with the given tables, open.

    Parameters
    ----------
    path : Path
        Nothing lies there yet.
    script : str
        SQL statements, run in one transaction.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    database = sqlite_errors.connect(path, path.resolve().as_uri(), isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(f"BEGIN;{script}COMMIT;")
    except BaseException:
        database.close()
        raise
    return database


def connect(
    path: Path, *, write: bool, durability: Durability = "full", still: bool = False
) -> sqlite3.Connection:
    """Open a file for any number of threads, one at a time.

    Deleted rows are overwritten with zeros, and other processes' locks waited for up to
    `DATABASE.busy_seconds`.

    Parameters
    ----------
    path : Path
        Of a file that is there.
    write : bool
        Whether it may be changed.
    durability : {"full", "normal", "off"}
        "full" waits for the disk at each commit, "normal" may lose the last ones in a power cut,
        "off" leaves it to the system.
    still : bool
        Nobody writes it meanwhile: it is read without a file beside it and without locks.

    Raises
    ------
    StorageError
        If it cannot be opened, or is no SQLite file; `CorruptError` if it is damaged.
    """
    if still:
        _check_still(path)
    how = "rw" if write else "ro&immutable=1" if still else "ro"
    database = sqlite_errors.connect(
        path,
        f"{path.resolve().as_uri()}?mode={how}",
        isolation_level=None,
        check_same_thread=False,
        timeout=DATABASE.busy_seconds,
    )
    try:
        if write:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {durability.upper()}")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA foreign_keys = ON")
            # SQLite opens for reading what it cannot open for writing at the moment, and there even
            # takes BEGIN IMMEDIATE for BEGIN; a statement that would write tells.
            with suppress(MissingTableError):
                database.execute("UPDATE meta SET value = value WHERE FALSE")
    except BaseException:
        database.close()
        raise
    return database


def _check_still(path: Path) -> None:
    """StorageError where the file alone is not all that was committed."""
    if state_of(path)[-1]:
        raise StorageError(
            f"{path.name} was not closed by its last writer: open the gallery once, where it can "
            "be written, with mode='rw'"
        )


def state_of(path: Path) -> tuple[int, ...]:
    """What differs once anybody has written a file that nobody should write; two looks, 5 us.

    Raises
    ------
    StorageError
        If it cannot be looked at.
    """
    try:
        now = path.stat()
        beside = path.with_name(path.name + "-wal")
        left = beside.stat().st_size if beside.exists() else 0
    except OSError as error:
        raise StorageError(f"{path.name} cannot be looked at: {error.strerror}") from error
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, left


def create_file(path: Path, script: str) -> None:
    """Make a new file with the given tables.

    Raises
    ------
    StorageError
        If something is there already, or cannot be written.
    """
    if path.exists():
        raise StorageError(f"{path.name} already exists in this folder")
    database = make(path, script)
    try:
        database.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT,))
    finally:
        database.close()


def open_file(
    path: Path, *, write: bool, durability: Durability = "full", still: bool = False
) -> sqlite3.Connection:
    """Open a file made by `create`.

    Parameters
    ----------
    path : Path
        Of the file.
    write : bool
        Whether it may be changed.
    durability : Durability
        "full" waits for the disk at each commit.
    still : bool
        Nobody writes it meanwhile.

    Raises
    ------
    StorageError
        If it is missing or from a later release.
    CorruptError
        If it is no such file.
    """
    if not path.exists():
        raise StorageError(f"{path.name} is missing: this folder is no gallery")
    database = connect(path, write=write, durability=durability, still=still)
    try:
        found = database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        later = found is None or int(found[0]) > ENCRYPTED
    except StorageError:
        database.close()
        raise
    except MALFORMED:
        database.close()
        raise CorruptError(f"{path.name} is damaged: its format is no number") from None
    if later:
        database.close()
        raise StorageError(
            f"{path.name} has format {found and found[0]}; this release reads up to {ENCRYPTED}"
        )
    return database


def mark_encrypted(database: sqlite3.Connection, gallery: str) -> None:
    """Note in a new file under which gallery's keys it is, in the running transaction.

    Parameters
    ----------
    database : sqlite3.Connection
        With a table ``meta``.
    gallery : str
        What those keys name.
    """
    database.execute("INSERT INTO meta VALUES ('encrypted', ?)", (gallery,))
    # Or an earlier release would read it, and take ciphertexts for names.
    database.execute("UPDATE meta SET value = ? WHERE key = 'format'", (ENCRYPTED,))


def encrypted_under(database: sqlite3.Connection) -> str | None:
    """Under which gallery's keys a file is; None if it is not encrypted."""
    found = database.execute("SELECT value FROM meta WHERE key = 'encrypted'").fetchone()
    return None if found is None else found[0]


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; committed on leaving. Other processes' changes are waited for at the start.

    Parameters
    ----------
    database : sqlite3.Connection
        Open for writing, with no transaction under way.

    Raises
    ------
    StorageError
        If it cannot be begun or committed; then nothing of it is there.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself; what went wrong matters more than that.
        with suppress(StorageError):
            database.execute("ROLLBACK")
        raise


def stored(text: str, what: str) -> Any:
    """The value of JSON that was stored in a column.

    Raises
    ------
    CorruptError
        If it is none.
    """
    try:
        return json.loads(text)
    except MALFORMED as error:
        raise CorruptError(f"{what} is stored damaged: {error}") from error


def stored_bytes(value: Any, what: str) -> bytes:
    """Bytes as a column holds them: SQLite keeps a value of any type in any column.

    Raises
    ------
    CorruptError
        If it holds something else.
    """
    if not isinstance(value, bytes):
        raise CorruptError(f"{what} is stored damaged: it is no bytes")
    return value


def stored_number(value: Any, what: str) -> int:
    """A whole number as a column holds it; `CorruptError` where something else is."""
    if not isinstance(value, int):
        raise CorruptError(f"{what} is stored damaged: it is no number")
    return value


def stored_text(value: Any, what: str) -> str:
    """Text as a column holds it; `CorruptError` where something else is."""
    if not isinstance(value, str):
        raise CorruptError(f"{what} is stored damaged: it is no text")
    return value


def stored_uses(text: str) -> frozenset[str]:
    """Banned uses of a record, as they are stored.

    Raises
    ------
    CorruptError
        If they cannot be read.
    """
    found = stored(text, "what a contributor bans")
    if not isinstance(found, list) or not all(isinstance(use, str) for use in found):
        raise CorruptError("what a contributor bans is stored damaged: it is no list of uses")
    return frozenset(found)


@contextmanager
def reading(database: sqlite3.Connection) -> Iterator[None]:
    """See one state of the database throughout, whatever others commit meanwhile.

    Parameters
    ----------
    database : sqlite3.Connection
        Within a transaction that is under way this is that transaction's.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    if database.in_transaction:
        yield
        return
    database.execute("BEGIN")
    try:
        yield
    finally:
        # SQLite may have ended it by itself; what went wrong matters more than that.
        with suppress(StorageError):
            database.execute("ROLLBACK")


def add_columns(database: sqlite3.Connection, columns: Iterable[tuple[str, str]]) -> None:
    """Add text columns that a table lacks; safe with several processes at once.

    Parameters
    ----------
    columns : iterable of (str, str)
        Table and column; empty text is their value in the rows that are there.
    """
    with transaction(database):
        for table, column in columns:
            there = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            if column not in there:
                database.execute(
                    f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"
                )


def scrub(database: sqlite3.Connection, *, wait: bool = True) -> None:
    """Empty the write-ahead log, so that overwritten bytes are in no file any more.

    Parameters
    ----------
    database : sqlite3.Connection
        Open for writing.
    wait : bool
        Wait for another connection that holds the log open, up to the connection's limit.

    Raises
    ------
    LockedError
        If another connection holds the log open.
    StorageError
        If a file cannot be written.
    """
    limit = database.execute("PRAGMA busy_timeout").fetchone()[0]
    if not wait:
        database.execute("PRAGMA busy_timeout = 0")
    try:
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        database.execute(f"PRAGMA busy_timeout = {int(limit)}")
    if busy:
        raise LockedError("the write-ahead log is in use by another process; repeat when it ends")
