"""The index of one partition: what the rest of fpmatch sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, Unpack

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.errors import InputError
from fpmatch.index.changing import Changing
from fpmatch.index.context import SearchContext
from fpmatch.index.quantizer import quantizer
from fpmatch.index.search import PartitionSearch
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.store import Store
from fpmatch.index.subject import Subjects
from fpmatch.index.work import Cancel, Clock, SearchBounds, Workers


class PartitionIndex(Changing):
    """Shortlists and scores over the fingers of one partition.

    A row is one enrolled finger, named by an int64 id that the caller gives and never uses twice.
    The index is no system of record: rows added are in memory until `flush` (or until
    `INDEX.tail_rows` of them have gathered and a thread of the index has written them) and are
    lost in a crash; `missing` tells what to add again. Everything written is immutable,
    checksummed and replaced by renaming. That thread also merges segments; what goes wrong there
    is raised by the next `add`, `flush`, `settle` or `close`, after their own work is done.

    Any number of threads may search while one adds; other processes see changes after `refresh`.
    """

    def __init__(self, store: Store, threads: int) -> None:
        super().__init__(store)
        self._workers = Workers(threads)

    @classmethod
    def create(
        cls, folder: str | Path, *, expected_fingers: int = 100_000, threads: int = 1
    ) -> Self:
        """Make an empty index in a folder and open it for writing.

        Parameters
        ----------
        folder : path
            Made if it does not exist; must hold no index yet.
        expected_fingers : int
            Order of magnitude to come. Fixes the number of lists for good.
        threads : int
            Threads of one search. Results do not depend on it.

        Raises
        ------
        StorageError
            If the folder already holds an index.
        """
        return cls(Store.create(Path(folder), expected_fingers), threads)

    @classmethod
    def open(cls, folder: str | Path, mode: str = "r", *, threads: int = 1) -> Self:
        """Open an index for reading (``r``) or writing (``rw``).

        Reads headers, row ids, positions and offsets (17 bytes a finger); the rest is mapped.

        Parameters
        ----------
        folder : path
        mode : {"r", "rw"}
        threads : int
            Of one search.

        Raises
        ------
        InputError
            If the mode is another.
        StorageError
            If there is no index, it was made under other parameters, or is being written.
        CorruptError
            If a file is missing, truncated or its header is damaged.
        """
        if mode not in ("r", "rw"):
            raise InputError(f"mode must be r or rw, not {mode!r}")
        return cls(Store(Path(folder), mode), threads)

    @property
    def rows(self) -> int:
        """Rows that exist: added and not tombstoned."""
        return int(sum(int(part.live.sum()) for part in self._store.parts()))

    @property
    def generation(self) -> int:
        """Grows with every change on disk."""
        return self._store.manifest.generation

    @property
    def stored_bytes(self) -> int:
        """Bytes of the segment files."""
        return self._store.stored_bytes

    @property
    def cylinders(self) -> int:
        """Minutiae of all rows held."""
        return sum(int(part.offsets[-1]) for part in self._store.parts())

    def parts(self) -> tuple[Part, ...]:
        """Segments and rows in memory, as they are now."""
        return self._store.parts()

    def row_ids(self) -> NDArray[np.int64]:
        """Ids of all rows that exist, ascending."""
        ids = [p.row_ids[p.live.view(np.bool_)] for p in self._store.parts()]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))

    def holds(self, size: int) -> NDArray[np.bool_]:
        """(size,) bool by row id: which rows exist."""
        out = np.zeros(size, np.bool_)
        for part in self._store.parts():
            ids = part.row_ids[part.live.view(np.bool_)]
            out[ids[ids < size]] = True
        return out

    def missing(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the given ids, those that the index has never held: what to add after a crash.

        An id that was tombstoned is never among them, also after its bytes are gone.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        return self._store.missing(row_ids)

    @property
    def expunged(self) -> NDArray[np.int64]:
        """Ids of rows that were tombstoned and are no longer stored, ascending."""
        return self._store.expunged

    @property
    def tombstones(self) -> int:
        """Rows tombstoned whose bytes are still stored: `purge` removes them."""
        return self._store.tombstones

    def begin(
        self,
        *,
        allowed: NDArray[np.bool_] | None = None,
        effort: str = "balanced",
        rotation: str = "upright",
        limit: int | None = None,
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> PartitionSearch:
        """Begin a search over the index as it is now.

        Rows added meanwhile are not seen. Tombstones count at once, but where a segment was merged
        meanwhile: who removes rows waits for the searches that have begun.

        Parameters
        ----------
        allowed : (R,) bool, optional
            Indexed by row id: which rows may be seen; ids from R on may not. All rows if None.
            Applied before anything is ranked: the result is that of an index without the others.
        effort : {"fast", "balanced", "scan", "exhaustive"}
            Where at most `INDEX.exhaustive_below` rows may be seen, all efforts are exhaustive.
        rotation : {"upright", "any"}
            Whether cylinders vote whose directions differ by up to 67.5 degrees only, and
            verification tries the probe as it lies only.
        limit : int, optional
            Rows on the list, instead of the effort's own number; groups, for several fingers.
        deadline : float, optional
            `time.monotonic` after which no more rows are visited: ``complete`` is then False.
        cancel : object with is_set, optional

        Raises
        ------
        InputError
            If the mask, the effort, the rotation or the limit cannot be used.
        """
        parts, tombstoned = self._store.snapshot()
        return PartitionSearch(
            SearchContext(
                parts,
                quantizer(self._store.manifest.lists),
                self._workers,
                None if allowed is None else np.ascontiguousarray(allowed),
                effort,
                rotation,
                limit,
                Clock(deadline, cancel),
                tombstoned=tombstoned,
            )
        )

    def shortlist(
        self, probe: SearchTemplate, *, position: int = 0, **bounds: Unpack[SearchBounds]
    ) -> Shortlist:
        """The rows worth a full comparison.

        Parameters
        ----------
        probe : SearchTemplate
        position : int
            The probe's finger: sees rows of the same and of unknown position; 0 sees all.
        **bounds
            As in `begin`.

        Raises
        ------
        SearchCancelled
            If `cancel` is set.
        CorruptError
            If a block that the search would use fails its checksum.
        """
        return self.begin(**bounds).shortlist(probe, position)

    def shortlist_many(
        self,
        probes: Sequence[SearchTemplate],
        *,
        positions: Sequence[int] | None = None,
        **bounds: Unpack[SearchBounds],
    ) -> list[Shortlist]:
        """`shortlist` of several probes under one mask, each result as if searched alone.

        Probes of equal position share the mask, and one pass over the codes where they visit all.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        positions : sequence of int, optional
            One for each probe; all unknown if not given.
        **bounds
            As in `begin`.
        """
        return self.begin(**bounds).shortlist_many(probes, positions)

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.int64],
        *,
        positions: Sequence[int] | None = None,
        **bounds: Unpack[SearchBounds],
    ) -> Subjects:
        """The groups (records) worth a full comparison with several fingers of one person.

        Votes of all fingers are added up by group before the list is cut, so that ten fingers cost
        far less than ten searches.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) int64
            Indexed by row id: the group of each row, not negative.
        positions : sequence of int, optional
            Of each probe; as for `shortlist`.
        **bounds
            As in `begin`; `limit` counts groups.
        """
        return self.begin(**bounds).shortlist_subject(probes, group_of_row, positions)

    def verify(
        self,
        probe: SearchTemplate,
        row_ids: NDArray[np.int64],
        *,
        rotation: str = "upright",
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.int32]:
        """Raw scores of the full matcher, in the order of the given rows.

        `UNVERIFIED` for rows that were not reached before the deadline, `REMOVED` for rows that
        were tombstoned meanwhile.

        Parameters
        ----------
        probe : SearchTemplate
        row_ids : (K,) int64
        rotation, deadline, cancel
            As in `begin`.

        Raises
        ------
        InputError
            If a row does not exist.
        """
        search = self.begin(rotation=rotation, deadline=deadline, cancel=cancel)
        return search.verify(probe, row_ids)

    def close(self) -> None:
        """Wait for the background, write what is in memory, let go of files and threads."""
        try:
            self._store.close()
        finally:
            self._workers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<PartitionIndex, generation {self.generation}>"
