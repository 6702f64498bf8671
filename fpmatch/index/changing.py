"""How the index of a partition changes: rows come, are handed to readers, are written, and go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.index.segment import Part
from fpmatch.index.store import Store
from fpmatch.index.tail import Batch, Of


class Changing:
    """Base of `PartitionIndex`.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """Add rows; the next search sees them.

        Parameters
        ----------
        row_ids : (K,) int64
            Not negative, and none that the index holds or ever held.
        packed : PackedTemplates
            Search forms of the K rows.
        positions : (K,) uint8
            Finger positions, 0 for unknown.

        Raises
        ------
        InputError
            If the lengths differ, an id is not new, or a row has too many minutiae.
        ReadOnlyError
        """
        self._store.add(row_ids, packed, positions)

    def hold(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """Take rows that the writer has not written yet into this process's memory, for searches.

        For an index open for reading; `refresh` drops them once the writer has written them.

        Parameters
        ----------
        row_ids, packed, positions
            As for `add`; none that the index holds.

        Raises
        ------
        InputError
            As for `add`, or if the index is open for writing.
        """
        self._store.hold(row_ids, packed, positions)

    def release(self, row_ids: NDArray[np.int64]) -> None:
        """Drop rows that `hold` took.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        self._store.release(row_ids)

    def batch(self, packed: PackedTemplates, positions: NDArray[np.uint8]) -> Batch:
        """Lay out rows that are to be added, before their ids are known: most of the work.

        Parameters
        ----------
        packed : PackedTemplates
            Search forms of K rows.
        positions : (K,) uint8
        """
        return self._store.batch(packed, positions)

    def announce(self, part: Part, of: str) -> None:
        """Hand rows to readers that are about to be committed and added: nothing depends on it.

        Parameters
        ----------
        part : Part
            Of a `batch`.
        of : str
            Digest of what the system of record is going to have of them.
        """
        self._store.announce(part, of)

    def add_part(self, part: Part) -> None:
        """As `add`, of rows that are laid out.

        Parameters
        ----------
        part : Part
            Of a `batch`.

        Raises
        ------
        InputError
            If an id is not new.
        ReadOnlyError
        """
        self._store.add_part(part)

    def join_memory(self) -> None:
        """Join small parts in memory, while searches and changes go on."""
        self._store.join_memory()

    def take_tails(self, missing: NDArray[np.int64], of: Of) -> None:
        """As `hold`, of rows that the writer has announced, as far as they are what they say.

        Parameters
        ----------
        missing : (K,) int64
            Rows that the system of record has and this index lacks.
        of : callable
            Digest of what the system of record has of some rows, ascending.
        """
        self._store.take_tails(missing, of)

    def tombstone(self, row_ids: NDArray[np.int64]) -> int:
        """Make rows invisible at once and for good; returns how many existed.

        Durable when it returns; `purge` removes their bytes.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        return self._store.tombstone(row_ids)

    def forget(self, row_ids: NDArray[np.int64]) -> None:
        """Take expunged ids for new: the system of record was restored from before that.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        self._store.forget(row_ids)

    def flush(self) -> None:
        """Write the rows in memory as a segment; they are on disk when the call returns."""
        self._store.flush()

    def compact(self) -> None:
        """Merge segments into as few as may be, without tombstoned rows; delete the old files.

        Streams: memory does not grow with the columns. Searches and changes go on meanwhile.
        """
        self._store.compact()

    def purge(self) -> None:
        """Have no byte of tombstoned rows in any file: rewrite the segments that hold some.

        About 2 us a row of these segments (`SEGMENTS.rows_most` at most in each, unless an earlier
        release wrote it), whatever the index holds besides. Searches and changes go on meanwhile.
        """
        self._store.purge()

    def settle(self) -> None:
        """Wait until the background has nothing left to do; raises what went wrong there."""
        self._store.settle()

    def is_level(self) -> bool:
        """Whether another process has committed nothing since the last `refresh`."""
        return self._store.is_level()

    def refresh(self) -> bool:
        """Take over what another process has committed; whether there was any."""
        return self._store.refresh()
