"""One bucket of a partition at a host: an index of its rows, and whose they are."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.cluster.owners import Changed, Owners, applied
from fpmatch.descriptor import encode_many
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import CorruptError, InputError, StorageError
from fpmatch.index import PartitionIndex
from fpmatch.index.segment import Part
from fpmatch.template import Template

OWNERS = "owners.fpb"
INDEX = "index"


@dataclass(frozen=True, slots=True)
class Seen:
    """A bucket as one search found it.

    Parameters
    ----------
    owners : Owners
    parts : tuple of Part
        Every row that the owners have is in one of them.
    tombstoned : (K,) int64
        Rows that were tombstoned before.
    """

    owners: Owners
    parts: tuple[Part, ...]
    tombstoned: NDArray[np.int64]


class Bucket:
    """One bucket of a partition; any number of threads may search while one changes it.

    Changes are in memory until `commit`, except that removals count, and are on disk, at once.
    What a crash loses is brought again: the level on disk is that of what is on disk.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    expected : int
        Fingers of the whole partition: an index of a bucket has as many lists as one of all.

    Raises
    ------
    StorageError
        If it cannot be opened and cannot be made anew.
    """

    def __init__(self, folder: Path, expected: int) -> None:
        self.folder = folder
        self._changing = threading.RLock()
        try:
            self._index = self._opened(expected)
            self._owners = self._stored()
            if not self._holds(self._owners.rows).all():
                # Copied from a host that wrote meanwhile, or broken off in a removal: by its level
                # it would pass for whole, and what it lacks would be in no search.
                self._owners = Owners.nothing()
        except (CorruptError, StorageError):
            # The system of record has everything: a damaged bucket begins again.
            shutil.rmtree(folder, ignore_errors=True)
            self._index = self._opened(expected)
            self._owners = Owners.nothing()
        self._written = self._owners

    def _opened(self, expected: int) -> PartitionIndex:
        place = self.folder / INDEX
        if (place / "index.json").exists():
            return PartitionIndex.open(place, "rw")
        return PartitionIndex.create(place, expected_fingers=expected)

    def _stored(self) -> Owners:
        try:
            return Owners.from_bytes((self.folder / OWNERS).read_bytes())
        except FileNotFoundError:
            return Owners.nothing()

    @property
    def owners(self) -> Owners:
        """Whose rows it holds, now."""
        return self._owners

    @property
    def lists(self) -> int:
        """Lists of its index: the same in all that are searched as one."""
        return self._index.begin().contexts[0].quantizer.lists

    @property
    def rows(self) -> int:
        """Rows that it holds, whether they are anybody's or not."""
        return self._index.rows

    @property
    def stored_bytes(self) -> int:
        """Bytes of its segments."""
        return self._index.stored_bytes

    def see(self) -> Seen:
        """It as it is now, for a search: first the owners, so that each of their rows is found."""
        owners = self._owners
        (context,) = self._index.begin().contexts
        return Seen(owners, tuple(context.parts), context.tombstoned)

    def put(
        self, rows: NDArray[np.int64], positions: NDArray[np.uint8], templates: Sequence[bytes]
    ) -> None:
        """Take rows that it does not hold yet; nobody's until it follows to a state that has them.

        Parameters
        ----------
        rows : (K,) int64
        positions : (K,) uint8
        templates : sequence of bytes
            Stored templates, one for each.

        Raises
        ------
        InputError
            If there are not as many of each.
        """
        if not len(rows) == len(positions) == len(templates):
            raise InputError("rows, positions and templates must be as many")
        with self._changing:
            new = np.flatnonzero(~self._holds(rows))
            given = rows[new]
            # The system of record decides: restored from before, it gives a number again.
            again = np.setdiff1d(given, self._index.missing(given))
            if len(again):
                # Not purge: that blanks a row in memory and keeps its number.
                self._index.compact()
                self._index.forget(again)
            if len(given):
                few = [Template.from_bytes(templates[n]) for n in new.tolist()]
                self._index.add(given, encode_many(few), positions[new])

    def follow(self, changed: Changed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bring it to another state, if it has every row of that.

        Parameters
        ----------
        changed : Changed

        Returns
        -------
        lacks : (K,) int64
            Rows that it has to be given first; nothing has changed if there are any.
        gone : (K,) int64
            Rows that it holds no more.
        """
        with self._changing:
            whole = changed.touched is None
            wanted = changed.now.rows
            lacks = wanted[~self._holds(wanted)]
            if len(lacks):
                return lacks, np.zeros(0, np.int64)
            old, new = self._owners, applied(self._owners, changed)
            gone = np.setdiff1d(self._index.row_ids() if whole else old.rows, new.rows)
            self._owners = new
            if len(gone):
                self._index.tombstone(gone)
            return lacks, gone

    def _holds(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        out = np.zeros(len(rows), np.bool_)
        for part in filter(len, self._index.parts()):
            at = part.find(rows)
            out |= (at >= 0) & (part.live[at] > 0)
        return out

    def commit(self, *, purge: bool = False, final: bool = False) -> None:
        """Put it on disk as it is now, with its level.

        Parameters
        ----------
        purge : bool
            Leave no byte behind of rows that it holds no more.
        final : bool
            Write its level too where nothing else has changed.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        with self._changing:
            owners = self._owners
            # Of a bucket in which nothing changed the level on disk may stay behind: it is brought
            # level again by hardly more than its number.
            if owners.rows is not self._written.rows or final:
                self._index.flush()
                with storage_errors(OWNERS), replacing(self.folder / OWNERS) as file:
                    file.write(owners.to_bytes())
                self._written = owners
            if purge and self._index.tombstones:
                self._index.purge()

    def close(self) -> None:
        """Commit and let go of files."""
        try:
            self.commit(final=self._written.level != self._owners.level)
        finally:
            self._index.close()

    def drop(self) -> None:
        """Let go of it for good: its files are deleted."""
        self._index.close()
        shutil.rmtree(self.folder, ignore_errors=True)
