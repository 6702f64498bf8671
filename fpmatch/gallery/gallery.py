"""The system of record of one gallery folder."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from fpmatch import database as files
from fpmatch.checks import quoted
from fpmatch.database import Durability
from fpmatch.encryption import Chest
from fpmatch.errors import CorruptError, InputError
from fpmatch.gallery import changes, schema, snapshot
from fpmatch.gallery import partition_names as names
from fpmatch.gallery.cipher import cipher_for, install
from fpmatch.gallery.columns import Columns
from fpmatch.gallery.digest import EMPTY, Sum
from fpmatch.gallery.items import records_sum
from fpmatch.gallery.loading import ROW_BITS
from fpmatch.gallery.policies import Policies
from fpmatch.template import Template
from fpmatch.types import PartitionInfo

FILE = "gallery.sqlite"
DEFAULT_EXPECTED = 100_000
__all__ = ["FILE", "ROW_BITS", "Gallery"]


class Gallery(Policies):
    """Partitions, records, templates and policies in one SQLite file.

    Knows nothing of indexes and policies' meaning. A finger's row is numbered within its
    partition, from 0, and never used twice. Writers are serialised by a lock; every method that
    changes something has committed it to disk when it returns.

    Parameters
    ----------
    database : sqlite3.Connection
    mode : str
        "r" or "rw".
    folder : Path
    sync : bool
        Whether a change waits for the disk.
    chest : Chest, optional
        The keys of an encrypted gallery.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        mode: str,
        folder: Path,
        *,
        sync: bool = True,
        chest: Chest | None = None,
    ) -> None:
        cipher = cipher_for(database, folder, chest)
        super().__init__(database, mode, cipher)
        self.folder = folder
        self.sync = sync
        self.still: tuple[int, ...] | None = None
        self.version = int(database.execute("PRAGMA data_version").fetchone()[0])
        self._columns: dict[str, Columns] = {}
        self._roots: dict[str, str] = {}
        self._info: dict[str, tuple[int, PartitionInfo]] = {}
        if mode == "rw":
            self.stamps.install()
            changes.install(database)
            files.add_columns(database, schema.GALLERY_COLUMNS)
            database.execute(schema.UNFINISHED)
            database.execute(schema.WITHDRAWN)
            self.secret("withdrawn")
            database.executescript(schema.ORIGINS)
            database.executescript(schema.ANSWERED)
            with files.transaction(database):
                database.execute(schema.NEXT_RECORD)
        self.read_partitions()

    @classmethod
    def create(
        cls, folder: Path, *, durability: Durability = "full", chest: Chest | None = None
    ) -> Self:
        """Make an empty gallery in a folder that exists.

        Parameters
        ----------
        folder : Path
        durability : Durability
            As for `open`.
        chest : Chest, optional
            Its keys, if it shall be encrypted.
        """
        files.create_file(folder / FILE, schema.GALLERY)
        if chest is not None:
            database = files.open_file(folder / FILE, write=True, durability=durability)
            with closing(database), files.transaction(database):
                install(database, chest)
        return cls.open(folder, "rw", durability=durability, chest=chest)

    @classmethod
    def open(
        cls,
        folder: Path,
        mode: str = "r",
        *,
        durability: Durability = "full",
        chest: Chest | None = None,
        still: bool = False,
    ) -> Self:
        """Open for reading (``r``) or writing (``rw``).

        Parameters
        ----------
        folder : Path
            Of the gallery.
        mode : str
            "r" or "rw".
        durability : Durability
            "full" waits for the disk at each commit.
        chest : Chest, optional
            The keys of an encrypted gallery.
        still : bool
            Nobody writes it meanwhile, so that nothing needs to be written to read it.

        Raises
        ------
        KeysError
            If it is encrypted and these are not its keys.
        """
        write = mode == "rw"
        found = files.state_of(folder / FILE) if still else None
        database = files.open_file(folder / FILE, write=write, durability=durability, still=still)
        try:
            gallery = cls(database, mode, folder, sync=durability == "full", chest=chest)
            gallery.still = found
            return gallery
        except BaseException:
            database.close()
            raise

    def take_over(self, writer: str) -> None:
        """Become the one that writes: transactions of whoever did before are refused from now on.

        Parameters
        ----------
        writer : str
            A name that no other opening has.
        """
        with self.transaction() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES ('writer', ?)", (writer,))
        self.writer = writer

    def secret(self, name: str) -> bytes:
        """A random key kept with the gallery, made when it is first asked for."""
        query = "SELECT value FROM meta WHERE key = ?"
        with self.lock:
            found = self.database.execute(query, (name,)).fetchone()
        if found is None:
            with self.transaction() as database:
                made = self.cipher.values.put(secrets.token_bytes(32), "secret", name)
                database.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, made))
                found = database.execute(query, (name,)).fetchone()
        return self.cipher.values.get(found[0], "secret", name)

    # -- partitions ----------------------------------------------------------------------------

    def read_partitions(self) -> None:
        """Take over the partitions that the database has."""
        with self.lock:
            for key, name, ndr, owner in self.database.execute(
                "SELECT id, name, ndr, owner FROM partition ORDER BY id"
            ):
                files.stored_number(ndr, files.stored_text(name, "the name of a partition"))
                files.stored_text(owner, "the owner of a partition")
                self._info[name] = (key, PartitionInfo(name, ndr, owner))

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
        names.check_partition(info, expected)
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
        if not isinstance(partition, str) or partition not in self._info:
            known = ", ".join(self._info) or "none yet"
            raise InputError(f"there is no partition {quoted(partition)}; there is: {known}")
        return self._info[partition][0]

    def expected(self, partition: str) -> int:
        """Fingers expected when the partition was made."""
        key = self.key_of(partition)
        with self.lock:
            found = self.database.execute("SELECT expected FROM partition WHERE id = ?", (key,))
            value = found.fetchone()[0]
        # What an earlier release took unchecked must not keep the gallery from opening.
        return value if isinstance(value, int) and value > 0 else DEFAULT_EXPECTED

    def next_row(self, partition: str) -> int:
        """The row that the next finger will be; `CorruptError` where what is stored is none."""
        key = self.key_of(partition)
        with self.lock:
            found = self.database.execute("SELECT next_row FROM partition WHERE id = ?", (key,))
            row = files.stored_number(found.fetchone()[0], "a partition's next row")
        if not 0 <= row < 1 << ROW_BITS:
            raise CorruptError(f"partition {partition!r} is stored damaged: its next row")
        return row

    def root(self, partition: str) -> str:
        """Digest of the partition's contents; see `fpmatch.gallery.digest`."""
        found = self._roots.get(partition)
        if found is not None:
            return found  # A search does not wait for a transaction.
        with self.lock:
            if partition not in self._roots:
                self._roots[partition] = self.sum_of(partition).root()
            return self._roots[partition]

    def sum_of(self, partition: str) -> Sum:
        """The partition's running sum as the database has it; to be changed in a transaction."""
        key = self.key_of(partition)
        found = self.database.execute("SELECT sum FROM partition WHERE id = ?", (key,))
        return Sum(found.fetchone()[0])

    def mend_sums(self) -> list[tuple[str, str, str]]:
        """Compare each partition's sum with its records where they were not stored together.

        A sum and the records that it is of get one stamp; only where that differs are all records
        of the partition read (about 10 us each). Open for writing, a false sum is replaced.

        Returns
        -------
        list of (str, str, str)
            Partition, root that was stored, root of what is there: those that differed.

        Raises
        ------
        CorruptError
            If one differs and the gallery is open for reading only.
        """
        out = []
        for name, (key, _) in self._info.items():
            with self.lock:
                with files.reading(self.database):
                    if self.stamps.fits_sum(key):
                        continue
                    stored, total = self.sum_of(name).root(), records_sum(self.database, key)
                differs = stored != total.root()
                if differs and self.mode != "rw":
                    raise CorruptError(
                        f"the root of partition {name!r} is not that of its records; open the "
                        "gallery once with mode='rw' to have it computed anew"
                    )
                if self.mode == "rw":
                    with self.transaction():
                        if differs:
                            self.store_sum(name, total)
                        self.stamps.mark_sum(key)
                if differs:
                    out.append((name, stored, total.root()))
                    self._roots.pop(name, None)
        return out

    def doubt_sums(self) -> None:
        """Have all sums compared with their records at the next opening, and mended."""
        with self.transaction() as database:
            database.execute("UPDATE partition SET sum_stamp = ''")

    def column_files(self) -> set[str]:
        """Names of the files that copies of the columns are kept in."""
        return {snapshot.path_of(self.folder, key).name for key, _ in self._info.values()}

    def store_sum(self, partition: str, total: Sum) -> None:
        """Write a sum; part of the running transaction."""
        self.database.execute(
            "UPDATE partition SET sum = ?, changes = changes + 1 WHERE id = ?",
            (total.state(), self.key_of(partition)),
        )

    def committed_sum(self, partition: str, total: Sum) -> None:
        """Take over a sum whose transaction has been committed and is in the columns."""
        with self.lock:
            self.followed(partition, total)
            self.stamps.followed(self.key_of(partition))

    def followed(self, partition: str, total: Sum) -> None:
        """Take over the sum of what the columns show."""
        self._roots[partition] = total.root()

    def held(self, partition: str) -> Columns | None:
        """The partition's columns if they are in memory."""
        return self._columns.get(partition)

    def columns(self, partition: str) -> Columns:
        """The partition's columns, loaded once."""
        found = self._columns.get(partition)
        if found is not None:
            return found
        with self.lock:
            if partition not in self._columns:
                self._columns[partition] = self.stamps.load(self.folder, self.key_of(partition))
            return self._columns[partition]

    def forget(self, partition: str) -> None:
        """Drop what memory holds of a partition; it is read from the database when next asked."""
        with self.lock:
            self._columns.pop(partition, None)
            self._roots.pop(partition, None)

    @contextmanager
    def following(self, *partitions: str) -> Iterator[None]:
        """Bring memory level with what was committed; if that is cut off, it is read anew."""
        try:
            yield
        except BaseException:
            for partition in partitions:
                self.forget(partition)
            raise

    def keep_columns(self) -> None:
        """Write the columns that are in memory to files, for the next opening; cheap if they are.

        Without effect where the gallery is open for reading only. A file that cannot be written
        costs the next opening its time and nothing else.
        """
        if self.mode != "rw":
            return
        with self.lock:
            for name, columns in self._columns.items():
                self.stamps.keep(self.folder, self.key_of(name), columns, sync=self.sync)

    def templates(self, partition: str, rows: list[int]) -> Iterator[tuple[int, Template]]:
        """Stored templates of rows, in the order given."""
        for row, stored in self.stored_templates(partition, rows):
            yield row, Template.from_bytes(stored)

    def stored_templates(self, partition: str, rows: list[int]) -> Iterator[tuple[int, bytes]]:
        """The bytes of stored templates of rows, in the order given."""
        first = self.key_of(partition) << ROW_BITS
        for row in rows:
            # A template is read with its key, which another process may destroy meanwhile.
            with self.lock, files.reading(self.database):
                found = self.database.execute(
                    "SELECT t.id, t.bytes FROM finger f JOIN template t ON t.id = f.template "
                    "WHERE f.key = ?",
                    (first + row,),
                ).fetchone()
                if found is None:
                    continue
                content = self.cipher.template(self.database, *found)
            yield row, content

    def scrub(self, *, wait: bool = True) -> None:
        """Empty the write-ahead log and remove copies of columns as they were before.

        See `fpmatch.database.scrub`.
        """
        with self.lock:
            self.stamps.scrub(self.folder)
            files.scrub(self.database, wait=wait)

    def close(self) -> None:
        """Keep the columns and close the file."""
        with self.lock:
            try:
                self.keep_columns()
            finally:
                self._columns = {}
                self.database.close()
