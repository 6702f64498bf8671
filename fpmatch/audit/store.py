"""The log's SQLite file: schema, connections, rows. Knows nothing of what records mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fpmatch import database as files
from fpmatch.audit.merkle import Peaks
from fpmatch.checks import is_file, is_folder
from fpmatch.database import Durability
from fpmatch.errors import AuditError, StorageError

APPLICATION_ID = 0x66704175
FORMAT = 1

DATABASE_ERRORS = (StorageError, UnicodeDecodeError)
"""What is raised on damaged files; messages and names in them may be no UTF-8."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    prev TEXT NOT NULL,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    tcn TEXT NOT NULL,
    intent_seq INTEGER,
    body TEXT NOT NULL,
    nonce BLOB NOT NULL,
    hash TEXT NOT NULL
);
CREATE UNIQUE INDEX records_search ON records (tcn, intent_seq);
CREATE TRIGGER records_no_update BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
_NO_DELETE = """
CREATE TRIGGER records_no_delete BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
_COLUMNS = "seq, prev, time, kind, tcn, intent_seq, body, nonce, hash"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored record, as it lies in the file."""

    seq: int
    prev: str
    time: str
    kind: str
    tcn: str
    intent_seq: int | None
    body: str
    nonce: bytes
    hash: str


def create(path: Path, values: dict[str, str]) -> None:
    """Make an empty log file with its meta table; `AuditError` if something is there already."""
    if is_file(path) or is_folder(path):
        raise AuditError(f"{path} exists already; open it instead")
    try:
        with contextlib.closing(files.make(path, "")) as database:
            database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={FORMAT}")
            database.executescript("BEGIN;" + _SCHEMA + _NO_DELETE)
            set_meta(database, values)
            database.execute("COMMIT")
    except (StorageError, OSError) as error:
        raise AuditError(f"the audit log {path} cannot be made: {error}") from error


def connect(path: Path, *, write: bool, durability: Durability = "full") -> sqlite3.Connection:
    """Open a connection; `AuditError` if the file is missing or is no audit log.

    Parameters
    ----------
    path : Path
        Of the log; for a tree the hashes from leaf to root.
    write : bool
        Whether it may be changed.
    durability : Durability
        As for `open`.
    """
    if not is_file(path):
        raise AuditError(f"there is no audit log at {path}")
    try:
        database = files.connect(path, write=write, durability=durability)
    except StorageError as error:
        raise AuditError(f"the audit log {path} cannot be opened: {error}") from error
    try:
        found = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
    except DATABASE_ERRORS as error:
        database.close()
        raise AuditError(f"{path} is no readable audit log: {error}") from error
    if found != APPLICATION_ID or version != FORMAT:
        database.close()
        raise AuditError(f"{path} is no audit log of format {FORMAT}")
    return database


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that sees one state of the log; SQLite's errors become ours.

    Raises
    ------
    AuditError
        If the file is missing or damaged.
    """
    database = connect(path, write=False)
    try:
        database.execute("BEGIN")
        yield database
    except DATABASE_ERRORS as error:
        raise AuditError(f"the audit log {path} cannot be read: {error}") from error
    finally:
        database.close()


def head(database: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last record, or of the last pruned one, or of none."""
    found = database.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
    if found is not None:
        return int(found[0]), str(found[1])
    return base(database)[:2]


def insert(database: sqlite3.Connection, values: tuple) -> None:
    """Write one row, given in the order of `Row`."""
    database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def rows(database: sqlite3.Connection, where: str = "", values: tuple = ()) -> Iterator[Row]:
    """Rows in order of their number, optionally only those that a condition selects.

    Parameters
    ----------
    database : sqlite3.Connection
        Open connection.
    where : str
        Which records go out.
    values : tuple
        Of the condition.
    """
    clause = f" WHERE {where}" if where else ""
    query = f"SELECT {_COLUMNS} FROM records{clause} ORDER BY seq"
    for found in database.execute(query, values):
        yield Row(*found)


def meta(database: sqlite3.Connection, key: str) -> str:
    """A value of the meta table; `AuditError` if it is missing."""
    found = database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if found is None:
        raise AuditError(f"the audit log has no {key!r} in its meta table: it is damaged")
    return str(found[0])


def base(database: sqlite3.Connection) -> tuple[int, str, Peaks]:
    """Number and hash of the last pruned record and the tree over all pruned ones.

    `AuditError` if what the meta table says of them is damaged.
    """
    try:
        seq = int(meta(database, "base_seq"))
        peaks = Peaks.from_text(seq, meta(database, "base_peaks").split())
    except ValueError as error:
        raise AuditError(f"what stands for the pruned records is damaged: {error}") from None
    return seq, meta(database, "base_hash"), peaks


def set_meta(database: sqlite3.Connection, values: dict[str, str]) -> None:
    """Set values of the meta table."""
    database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def delete_through(database: sqlite3.Connection, seq: int) -> None:
    """Delete records 1 to `seq` and overwrite them, inside the caller's transaction."""
    database.execute("DROP TRIGGER records_no_delete")
    database.execute("DELETE FROM records WHERE seq <= ?", (seq,))
    database.execute(_NO_DELETE)
