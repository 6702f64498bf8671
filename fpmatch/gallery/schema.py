"""The tables, and how their file is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from fpmatch.errors import CorruptError, LockedError, StorageError

FORMAT = 1
Durability = Literal["full", "off"]

GALLERY = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE partition (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    ndr INTEGER NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    expected INTEGER NOT NULL,
    next_row INTEGER NOT NULL DEFAULT 0,
    changes INTEGER NOT NULL DEFAULT 0,
    sum BLOB NOT NULL
);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL REFERENCES partition (id),
    record TEXT NOT NULL,
    identity TEXT NOT NULL,
    contributor TEXT NOT NULL,
    protected INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    banned TEXT NOT NULL,
    item BLOB NOT NULL,
    UNIQUE (partition, record)
);
CREATE INDEX record_identity ON record (partition, identity);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    UNIQUE (record, event)
);
CREATE TABLE finger (
    key INTEGER PRIMARY KEY,
    record INTEGER NOT NULL REFERENCES record (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    template INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    UNIQUE (record, sha256)
);
CREATE TABLE held (
    event INTEGER NOT NULL REFERENCES event (id) ON DELETE CASCADE,
    finger INTEGER NOT NULL REFERENCES finger (key) ON DELETE CASCADE,
    PRIMARY KEY (event, finger)
) WITHOUT ROWID;
CREATE INDEX held_finger ON held (finger);
CREATE TABLE template (id INTEGER PRIMARY KEY AUTOINCREMENT, bytes BLOB NOT NULL);
CREATE TABLE policy (
    version INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    published TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE TABLE journal (id TEXT PRIMARY KEY, kind TEXT NOT NULL, fields TEXT NOT NULL);
"""
# `template` is only ever appended to and overwritten in place: SQLite leaves stale copies behind
# when it moves cells between pages, even with secure_delete, and rows that never move leave none.

STAMPS = """
CREATE TABLE IF NOT EXISTS stamp (partition INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS stamp_partition AFTER INSERT ON partition BEGIN
    INSERT OR REPLACE INTO stamp VALUES (NEW.id, randomblob(16));
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_insert AFTER INSERT ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = NEW.partition;
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_update
AFTER UPDATE OF id, partition, record, protected, sealed, banned ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition IN (OLD.partition, NEW.partition);
END;
CREATE TRIGGER IF NOT EXISTS stamp_record_delete AFTER DELETE ON record BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = OLD.partition;
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_insert AFTER INSERT ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = NEW.key >> 40;
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_update
AFTER UPDATE OF key, record, position ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition IN (OLD.key >> 40, NEW.key >> 40);
END;
CREATE TRIGGER IF NOT EXISTS stamp_finger_delete AFTER DELETE ON finger BEGIN
    UPDATE stamp SET value = randomblob(16) WHERE partition = OLD.key >> 40;
END;
INSERT OR REPLACE INTO stamp SELECT id, randomblob(16) FROM partition;
"""
# A new stamp with every change of what `fpmatch.gallery.columns` shows, whoever makes it: this
# release, an older one, or a hand in the database. Drawn at random, so that none comes twice, not
# even where an older copy of the file is put back and goes another way. Added to galleries that
# lack it when they are opened for writing; older releases read and write them as before.

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

UNFINISHED = "CREATE TABLE IF NOT EXISTS unfinished (id TEXT PRIMARY KEY, fields TEXT NOT NULL)"
"""Removals that are committed and not yet carried through to every other file."""

GALLERY_COLUMNS = (("partition", "sum_stamp"),)
"""Columns that galleries made before do not have; added when they are opened for writing."""

LEDGER_COLUMNS = (("notification", "owner"), ("probe", "owner"), ("probe", "claimed"))
"""Columns that ledgers made before do not have; added when they are opened."""


def create(path: Path, script: str) -> None:
    """Make a new file with the given tables.

    Raises
    ------
    StorageError
        If something is there already, or cannot be written.
    """
    if path.exists():
        raise StorageError(f"{path.name} already exists in this folder")
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript("BEGIN;" + script + "COMMIT;")
        database.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT,))
    finally:
        database.close()


def connect(path: Path, *, write: bool, durability: Durability = "full") -> sqlite3.Connection:
    """Open a file made by `create`.

    Parameters
    ----------
    path : Path
        Of the file.
    write : bool
        Whether it may be changed.
    durability : Durability
        "full" waits for the disk at each commit.

    Raises
    ------
    StorageError
        If it is missing or from a later release.
    CorruptError
        If it is no such file.
    """
    if not path.exists():
        raise StorageError(f"{path.name} is missing: this folder is no gallery")
    database = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'rw' if write else 'ro'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=30.0,
    )
    try:
        if write:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'OFF'}")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA foreign_keys = ON")
        found = database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except sqlite3.DatabaseError as error:
        database.close()
        raise CorruptError(f"{path.name} is no gallery file: {error}") from error
    if found is None or int(found[0]) > FORMAT:
        database.close()
        raise StorageError(
            f"{path.name} has format {found and found[0]}; this release reads up to {FORMAT}"
        )
    return database


def add_columns(database: sqlite3.Connection, columns: Iterable[tuple[str, str]]) -> None:
    """Add text columns that a table lacks; safe with several processes at once.

    Parameters
    ----------
    columns : iterable of (str, str)
        Table and column; empty text is their value in the rows that are there.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        for table, column in columns:
            there = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            if column not in there:
                database.execute(
                    f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"
                )
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def scrub(database: sqlite3.Connection, *, wait: bool = True) -> None:
    """Empty the write-ahead log, so that overwritten bytes are in no file any more.

    Parameters
    ----------
    wait : bool
        Wait for another connection that holds the log open, up to the connection's limit.

    Raises
    ------
    LockedError
        If another connection holds the log open.
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
