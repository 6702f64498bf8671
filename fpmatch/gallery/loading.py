"""A partition's columns: from a snapshot where it fits, else from the tables."""

from __future__ import annotations

import logging
import sqlite3
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fpmatch.database import reading, stored_bytes, stored_uses
from fpmatch.errors import MALFORMED, CorruptError, KeysError
from fpmatch.gallery import changes, schema, snapshot
from fpmatch.gallery.cipher import cipher_of
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.items import shown_name, unnamed
from fpmatch.sqlite_errors import MissingTableError

ROW_BITS = 40
_MANY = 10_000
"""Rows that are fetched at once."""
_FINGER = np.dtype([("key", np.int64), ("record", np.int64), ("position", np.uint8)])
log = logging.getLogger(__name__)


def from_tables(database: sqlite3.Connection, partition: int) -> Columns:
    """Columns as the tables have them; about 2 us a record and finger.

    Raises
    ------
    CorruptError
        If a value is of another kind than its column's.
    """
    try:
        return _from_tables(database, partition)
    except MALFORMED as error:
        what = type(error).__name__
        raise CorruptError(f"records of a partition are stored damaged ({what})") from error


def _from_tables(database: sqlite3.Connection, partition: int) -> Columns:
    run = database.execute
    # Names come from an index alone; the table is read for what bars a record, which few have.
    records = run("SELECT id, record FROM record WHERE partition = ?", (partition,)).fetchall()
    records, nameless = _named(database, records)
    barred = run(
        "SELECT id, protected, sealed, banned FROM record NOT INDEXED WHERE partition = ? "
        "AND (protected != 0 OR sealed != 0 OR banned != '[]')",
        (partition,),
    ).fetchall()
    first = partition << ROW_BITS
    found = run(
        "SELECT key, record, position FROM finger WHERE key >= ? AND key < ?",
        (first, first + (1 << ROW_BITS)),
    )
    fingers = np.fromiter(chain.from_iterable(iter(lambda: found.fetchmany(_MANY), [])), _FINGER)
    bans = {text: stored_uses(text) for text in {text for *_, text in barred}}
    out = Columns.of(
        records,
        {key: (bool(p), bool(s), bans[text]) for key, p, s, text in barred},
        fingers["key"] - first,
        fingers["record"],
        fingers["position"],
    )
    out.unnamed = nameless
    return out


def _named(
    database: sqlite3.Connection, records: list[tuple[int, Any]]
) -> tuple[list[tuple[int, str]], frozenset[int]]:
    """Records with their names, and the keys of those whose names cannot be read."""
    if not cipher_of(database).encrypted and all(type(name) is str for _, name in records):
        # As nearly always: a million of them are looked at when a gallery opens.
        return records, frozenset()
    named = [(key, shown_name(database, key, name)) for key, name in records]
    return named, frozenset(key for key, name in named if name == unnamed(key))


class Stamps:
    """Which state of the database the columns in memory show.

    `known` has a partition's stamp from when its columns were loaded until something happens
    that they may not have followed: a change by another hand, or one of this process that ended
    between the commit and the columns. Columns without a known stamp are never written to a file.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.known: dict[int, bytes] = {}
        self.changes: dict[int, int] = {}
        self._coming: dict[int, bytes] = {}
        self._kept: dict[int, bytes] = {}

    def install(self) -> None:
        """Have the database make stamps, if it does not yet."""
        if not self._guarded():
            self._database.executescript("BEGIN IMMEDIATE;" + schema.STAMPS + "COMMIT;")

    def _guarded(self) -> bool:
        """Whether the database has every trigger; one is lost with a table that is made anew."""
        found = self._database.execute(
            "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'stamp%'"
        ).fetchone()[0]
        return int(found) >= schema.STAMPS.count("CREATE")

    def now(self) -> dict[int, bytes]:
        """The stamps in the database; empty where it makes none."""
        try:
            found = self._database.execute("SELECT partition, value FROM stamp").fetchall()
        except MissingTableError:
            return {}
        return {int(key): stored_bytes(value, "the stamp of a partition") for key, value in found}

    def began(self) -> dict[int, bytes]:
        """At the start of a transaction: notices what others have changed."""
        found = self.now()
        self.known = {k: v for k, v in self.known.items() if found.get(k) == v}
        # What is not as it was then will never be followed.
        self._coming = {k: v for k, v in self._coming.items() if found.get(k) == v}
        return found

    def committing(self, before: dict[int, bytes]) -> None:
        """At its end: the columns of what it changed show nothing known until `followed`."""
        for key, value in self.now().items():
            if before.get(key) != value:
                self.mark_sum(key)
                self._coming.pop(key, None)
                if self.known.pop(key, None) is not None:
                    self._coming[key] = value

    def mark_sum(self, partition: int) -> None:
        """Note, in the running transaction, that the partition's sum is that of its records."""
        stamp = self.now().get(partition)
        if stamp is not None:
            self._database.execute(
                "UPDATE partition SET sum_stamp = ? WHERE id = ?", (stamp.hex(), partition)
            )

    def fits_sum(self, partition: int) -> bool:
        """Whether the partition's sum was stored together with the records that are there.

        True too where a gallery that is open for reading only makes no stamps yet.
        """
        stamp = self.now().get(partition)
        try:
            found = self._database.execute(
                "SELECT sum_stamp FROM partition WHERE id = ?", (partition,)
            ).fetchone()
        except MissingTableError:
            return True
        return stamp is None or found[0] == stamp.hex()

    def shows(self, partition: int, stamp: bytes, last: int | None) -> None:
        """Note what the columns in memory show.

        Parameters
        ----------
        partition : int
            Its key.
        stamp : bytes
            Of the state.
        last : int or None
            The last change that the state has; None where the database notes none.
        """
        self.known[partition] = stamp
        if last is not None:
            self.changes[partition] = last

    def followed(self, partition: int) -> None:
        """The columns show what the last transaction made of the partition."""
        if partition in self._coming:
            self.known[partition] = self._coming.pop(partition)

    def load(self, folder: Path, partition: int) -> Columns:
        """The partition's columns."""
        database = self._database
        inside = database.in_transaction
        files = cipher_of(database).files
        with reading(database):
            last = changes.newest(database)
            stamp = self.now().get(partition) if self._guarded() else None
            found = None if stamp is None else snapshot.read(folder, partition, stamp, files)
            columns = from_tables(database, partition) if found is None else Columns.from_(found)
        for key in sorted(columns.unnamed):
            log.warning("%s of partition %d cannot be read: check it", unnamed(key), partition)
        if stamp is not None and not inside:
            self.shows(partition, stamp, last)
            if found is not None:
                self._kept[partition] = stamp
        return columns

    def keep(self, folder: Path, partition: int, columns: Columns, *, sync: bool) -> None:
        """Write the partition's columns to a file, unless it is there or they may differ.

        Parameters
        ----------
        folder : Path
            Of the gallery.
        partition : int
            Its name.
        columns : Columns
            In memory.
        sync : bool
            Whether to wait for the disk.
        """
        stamp = self.known.get(partition)
        if stamp is None or self._kept.get(partition) == stamp or columns.unnamed:
            return
        if self.now().get(partition) != stamp:
            return
        try:
            files = cipher_of(self._database).files
            snapshot.write(folder, partition, stamp, columns.snapshot(), sync=sync, files=files)
            self._kept[partition] = stamp
        except (OSError, KeysError) as error:
            log.warning("no snapshot of partition %d was written: %s", partition, error)

    def scrub(self, folder: Path) -> None:
        """Remove files of other states than the present."""
        now = self.now()
        snapshot.remove_stale(folder, now, cipher_of(self._database).files)
        self._kept = {k: v for k, v in self._kept.items() if now.get(k) == v}
