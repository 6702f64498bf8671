"""The system of record of one gallery folder."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from fpmatch.errors import InputError, ReadOnlyError
from fpmatch.gallery import schema
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.digest import EMPTY, Sum
from fpmatch.gallery.loading import ROW_BITS, Stamps
from fpmatch.gallery.schema import Durability
from fpmatch.template import Template
from fpmatch.types import PartitionInfo

FILE = "gallery.sqlite"
__all__ = ["FILE", "ROW_BITS", "Gallery"]


class Gallery:
    """Partitions, records, templates and policies in one SQLite file.

    Knows nothing of indexes and policies' meaning. A finger's row is numbered within its
    partition, from 0, and never used twice. Writers are serialised by a lock; every method that
    changes something has committed it to disk when it returns.
    """

    def __init__(
        self, database: sqlite3.Connection, mode: str, folder: Path, *, sync: bool = True
    ) -> None:
        self.database = database
        self.mode = mode
        self.folder = folder
        self.sync = sync
        self.lock = threading.RLock()
        self._columns: dict[str, Columns] = {}
        self._sums: dict[str, Sum] = {}
        self._roots: dict[str, str] = {}
        self._info: dict[str, tuple[int, PartitionInfo]] = {}
        self._stamps = Stamps(database)
        if mode == "rw":
            self._stamps.install()
        for key, name, ndr, owner in database.execute(
            "SELECT id, name, ndr, owner FROM partition ORDER BY id"
        ):
            self._info[name] = (key, PartitionInfo(name, ndr, owner))

    @classmethod
    def create(cls, folder: Path, *, durability: Durability = "full") -> Self:
        """Make an empty gallery in a folder that exists."""
        schema.create(folder / FILE, schema.GALLERY)
        return cls.open(folder, "rw", durability=durability)

    @classmethod
    def open(cls, folder: Path, mode: str = "r", *, durability: Durability = "full") -> Self:
        """Open for reading (``r``) or writing (``rw``)."""
        write = mode == "rw"
        database = schema.connect(folder / FILE, write=write, durability=durability)
        return cls(database, mode, folder, sync=durability == "full")

    def secret(self, name: str) -> bytes:
        """A random key kept with the gallery, made when it is first asked for."""
        query = "SELECT value FROM meta WHERE key = ?"
        with self.lock:
            found = self.database.execute(query, (name,)).fetchone()
        if found is None:
            with self.transaction() as database:
                database.execute(
                    "INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, secrets.token_bytes(32))
                )
                found = database.execute(query, (name,)).fetchone()
        return bytes(found[0])

    # -- partitions ----------------------------------------------------------------------------

    @property
    def partitions(self) -> tuple[PartitionInfo, ...]:
        """All partitions, oldest first."""
        return tuple(info for _, info in self._info.values())

    def add_partition(self, info: PartitionInfo, expected: int) -> str:
        """Add an empty partition; the name of the journal entry.

        Raises
        ------
        InputError
            If the name or the repository number is taken.
        """
        if (
            not info.name
            or len(info.name) > 64
            or not all(c.isalnum() or c in "-_" for c in info.name)
        ):
            raise InputError(
                f"{info.name[:64]!r} is no partition name: 1 to 64 letters, digits, '-' and '_'"
            )
        for other in self.partitions:
            if info.name == other.name or info.ndr == other.ndr:
                raise InputError(f"partition {other.name!r} has that name or number {other.ndr}")
        with self.transaction() as database:
            database.execute(
                "INSERT INTO partition (name, ndr, owner, expected, sum) VALUES (?, ?, ?, ?, ?)",
                (info.name, info.ndr, info.owner, expected, EMPTY),
            )
            key = database.execute("SELECT last_insert_rowid()").fetchone()[0]
            journal = self.journal(
                "PARTITION", {"partition": info.name, "ndr": info.ndr, "owner": info.owner}
            )
        self._info[info.name] = (int(key), info)
        return journal

    def key_of(self, partition: str) -> int:
        """The partition's key; InputError if there is none of that name."""
        if partition not in self._info:
            known = ", ".join(self._info) or "none yet"
            raise InputError(f"there is no partition {partition!r}; there is: {known}")
        return self._info[partition][0]

    def expected(self, partition: str) -> int:
        """Fingers expected when the partition was made."""
        key = self.key_of(partition)
        with self.lock:
            found = self.database.execute("SELECT expected FROM partition WHERE id = ?", (key,))
            return int(found.fetchone()[0])

    def root(self, partition: str) -> str:
        """Digest of the partition's contents; see `fpmatch.gallery.digest`."""
        with self.lock:
            if partition not in self._roots:
                self._roots[partition] = self.sum_of(partition).root()
            return self._roots[partition]

    def sum_of(self, partition: str) -> Sum:
        """The partition's running sum, to be changed on a copy within a transaction."""
        if partition not in self._sums:
            key = self.key_of(partition)
            found = self.database.execute("SELECT sum FROM partition WHERE id = ?", (key,))
            self._sums[partition] = Sum(found.fetchone()[0])
        return self._sums[partition]

    def store_sum(self, partition: str, total: Sum) -> None:
        """Write a sum; part of the running transaction."""
        self.database.execute(
            "UPDATE partition SET sum = ?, changes = changes + 1 WHERE id = ?",
            (total.state(), self.key_of(partition)),
        )

    def committed_sum(self, partition: str, total: Sum) -> None:
        """Take over a sum whose transaction has been committed and is in the columns."""
        with self.lock:
            self._sums[partition] = total
            self._roots[partition] = total.root()
            self._stamps.followed(self.key_of(partition))

    def columns(self, partition: str) -> Columns:
        """The partition's columns, loaded once."""
        with self.lock:
            if partition not in self._columns:
                self._columns[partition] = self._stamps.load(self.folder, self.key_of(partition))
            return self._columns[partition]

    def keep_columns(self) -> None:
        """Write the columns that are in memory to files, for the next opening; cheap if they are.

        Without effect where the gallery is open for reading only. A file that cannot be written
        costs the next opening its time and nothing else.
        """
        if self.mode != "rw":
            return
        with self.lock:
            for name, columns in self._columns.items():
                self._stamps.keep(self.folder, self.key_of(name), columns, sync=self.sync)

    def templates(self, partition: str, rows: list[int]) -> Iterator[tuple[int, Template]]:
        """Stored templates of rows, in the order given."""
        first = self.key_of(partition) << ROW_BITS
        for row in rows:
            with self.lock:
                found = self.database.execute(
                    "SELECT t.bytes FROM finger f JOIN template t ON t.id = f.template "
                    "WHERE f.key = ?",
                    (first + row,),
                ).fetchone()
            if found is not None:
                yield row, Template.from_bytes(found[0])

    # -- policies ------------------------------------------------------------------------------

    def publish(self, digest: str, document: str, version: int, at: datetime) -> str:
        """Store a policy document under the next version; the name of the journal entry."""
        with self.transaction() as database:
            database.execute(
                "INSERT INTO policy VALUES (?, ?, ?, ?)",
                (version, digest, at.isoformat(), document),
            )
            return self.journal("POLICY", {"policy_version": version, "policy_digest": digest})

    def policy(self, version: int | None = None) -> tuple[int, str, str] | None:
        """A policy's version, document and digest; the newest by default, None if none."""
        with self.lock:
            found = self.database.execute(
                "SELECT version, document, digest FROM policy WHERE ? IS NULL OR version = ? "
                "ORDER BY version DESC LIMIT 1",
                (version, version),
            ).fetchone()
        return None if found is None else (int(found[0]), str(found[1]), str(found[2]))

    # -- transactions and the journal ----------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; committed to disk on leaving."""
        if self.mode != "rw":
            raise ReadOnlyError("the gallery is open for reading only; open it with mode='rw'")
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                before = self._stamps.began()
                yield self.database
                self._stamps.committing(before)
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

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
        return [(name, kind, json.loads(fields)) for name, kind, fields in found]

    def logged(self, name: str) -> None:
        """Forget an event that the audit log has."""
        with self.transaction() as database:
            database.execute("DELETE FROM journal WHERE id = ?", (name,))

    def scrub(self) -> None:
        """Empty the write-ahead log and remove copies of columns as they were before.

        See `fpmatch.gallery.schema.scrub`.
        """
        with self.lock:
            self._stamps.scrub(self.folder)
            schema.scrub(self.database)

    def close(self) -> None:
        """Keep the columns and close the file."""
        with self.lock:
            try:
                self.keep_columns()
            finally:
                self._columns = {}
                self.database.close()
