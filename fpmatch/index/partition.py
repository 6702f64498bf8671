"""The index of one partition: what the rest of fpmatch sees of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_choice
from fpmatch.descriptor import COLUMNS, PackedTemplates, SearchTemplate
from fpmatch.errors import InputError
from fpmatch.index.batch import shortlist_batch
from fpmatch.index.build import take
from fpmatch.index.quantizer import quantizer
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import Shortlist, look, shortlist
from fpmatch.index.store import Store
from fpmatch.index.subject import Subjects, shortlist_groups
from fpmatch.index.work import Cancel, Clock, Workers, spans
from fpmatch.matcher import ROTATIONS, compare_many

UNVERIFIED = -1
"""Score of a row that `PartitionIndex.verify` did not reach before the deadline."""
_VERIFY_CHUNK = 64


class PartitionIndex:
    """Shortlists and scores over the fingers of one partition.

    A row is one enrolled finger, named by an int64 id that the caller gives and never uses twice.
    The index is no system of record: rows added are in memory until `flush` (or until
    `INDEX.tail_rows` of them have gathered and a thread of the index has written them) and are
    lost in a crash; `missing` tells what to add again. Everything written is immutable,
    checksummed and replaced by renaming. That thread also merges segments; what goes wrong there
    is raised by the next `add`, `flush`, `settle` or `close`, after their own work is done.

    Any number of threads may search while one adds. One process may have an index open for
    writing; others may read it, and see its changes after `refresh`.
    """

    def __init__(self, store: Store, threads: int) -> None:
        self._store = store
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
            Order of magnitude to come. Fixes the number of lists for good: a choice that no
            record enrolled later has a part in.
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

        Raises
        ------
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
        return int(sum(int(part.offsets[-1]) for part in self._store.parts()))

    def row_ids(self) -> NDArray[np.int64]:
        """Ids of all rows that exist, ascending."""
        ids = [p.row_ids[p.live.view(np.bool_)] for p in self._store.parts()]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))

    def missing(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the given ids, those that the index has never held: what to add after a crash."""
        return self._store.missing(row_ids)

    def add(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """Add rows; the next search sees them.

        Parameters
        ----------
        row_ids : (K,) int64
            Not negative, and none that the index holds or held since it was last compacted.
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

    def tombstone(self, row_ids: NDArray[np.int64]) -> int:
        """Make rows invisible at once and for good; returns how many existed.

        Durable when the call returns. Their bytes go with the next `compact`.
        """
        return self._store.tombstone(row_ids)

    def flush(self) -> None:
        """Write the rows in memory as a segment; they are on disk when the call returns."""
        self._store.flush()

    def compact(self) -> None:
        """Merge everything into one segment without tombstoned rows, and delete the old files.

        Waits for a merge that is under way. Streams: memory does not grow with the columns.
        Searches, additions and tombstones go on meanwhile.
        """
        self._store.compact()

    def settle(self) -> None:
        """Wait until the background has nothing left to write or merge.

        Raises
        ------
        Exception
            What went wrong there, if something did.
        """
        self._store.settle()

    @property
    def tombstones(self) -> int:
        """Rows tombstoned whose bytes are still stored: `compact` removes them."""
        return self._store.tombstones

    def refresh(self) -> bool:
        """Take over what another process has committed; whether there was anything."""
        return self._store.refresh()

    def shortlist(
        self,
        probe: SearchTemplate,
        *,
        allowed: NDArray[np.bool_] | None = None,
        position: int = 0,
        effort: str = "balanced",
        rotation: str = "upright",
        limit: int | None = None,
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> Shortlist:
        """The rows worth a full comparison.

        Parameters
        ----------
        probe : SearchTemplate
        allowed : (R,) bool, optional
            Indexed by row id: which rows the probe may see; ids from R on may not be seen. All
            rows if None. Applied before anything is ranked: the result is what an index without
            the other rows returns.
        position : int
            The probe's finger: sees rows of the same position and of unknown position. 0 for
            unknown: sees all rows.
        effort : {"fast", "balanced", "scan", "exhaustive"}
            Where at most `INDEX.exhaustive_below` rows may be seen, all efforts are exhaustive.
        rotation : {"upright", "any"}
            Whether cylinders vote whose directions differ by up to 67.5 degrees, or all.
        limit : int, optional
            Rows on the list, instead of the effort's own number.
        deadline : float, optional
            `time.monotonic` after which no more rows are visited; the cost then says
            ``complete=False``.
        cancel : object with is_set, optional

        Raises
        ------
        SearchCancelled
            If `cancel` is set.
        CorruptError
            If a block that the search would use fails its checksum.
        """
        _check(effort, rotation)
        clock = Clock(deadline, cancel)
        view = look(self._store.parts(), _mask(allowed), int(position))
        clock.lap("mask")
        return shortlist(
            view,
            probe,
            quantizer(self._store.manifest.lists),
            effort=effort,
            rotation=rotation,
            limit=limit,
            clock=clock,
            workers=self._workers,
        )

    def shortlist_many(
        self,
        probes: Sequence[SearchTemplate],
        *,
        allowed: NDArray[np.bool_] | None = None,
        positions: Sequence[int] | None = None,
        effort: str = "balanced",
        rotation: str = "upright",
        limit: int | None = None,
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> list[Shortlist]:
        """`shortlist` of several probes under one mask, each result as if searched alone.

        Probes of equal position share the mask; those that visit every row share one pass over
        the codes, and the others are spread over the threads. ``positions`` has one per probe.
        """
        _check(effort, rotation)
        wanted = [0] * len(probes) if positions is None else [int(p) for p in positions]
        if len(wanted) != len(probes):
            raise InputError(f"{len(probes)} probes and {len(wanted)} positions")
        return shortlist_batch(
            self._store.parts(),
            probes,
            wanted,
            quantizer(self._store.manifest.lists),
            allowed=_mask(allowed),
            effort=effort,
            rotation=rotation,
            limit=limit,
            deadline=deadline,
            cancel=cancel,
            workers=self._workers,
        )

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.int64],
        *,
        allowed: NDArray[np.bool_] | None = None,
        positions: Sequence[int] | None = None,
        effort: str = "balanced",
        rotation: str = "upright",
        limit: int | None = None,
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> Subjects:
        """The groups (records) worth a full comparison with several fingers of one person.

        Votes of all fingers are added up by group before the list is cut, so that each finger
        needs to look into fewer lists and few groups remain to be verified: ten fingers cost far
        less than ten searches.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) int64
            Indexed by row id: the group of each row, not negative.
        positions : sequence of int, optional
            Of each probe; a finger of known position is held against rows of that position and
            of unknown position. Unknown positions are handled: such a finger sees all rows.
        allowed, effort, rotation, limit, deadline, cancel
            As in `shortlist`; `limit` counts groups.
        """
        _check(effort, rotation)
        wanted = [0] * len(probes) if positions is None else [int(p) for p in positions]
        if len(wanted) != len(probes):
            raise InputError(f"{len(probes)} probes and {len(wanted)} positions")
        return shortlist_groups(
            self._store.parts(),
            probes,
            wanted,
            np.asarray(group_of_row, np.int64),
            quantizer(self._store.manifest.lists),
            allowed=_mask(allowed),
            effort=effort,
            rotation=rotation,
            limit=limit,
            clock=Clock(deadline, cancel),
            workers=self._workers,
        )

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

        `UNVERIFIED` for rows that were not reached before the deadline.

        Raises
        ------
        InputError
            If a row does not exist.
        """
        row_ids = np.asarray(row_ids, np.int64)
        clock = Clock(deadline, cancel)
        scores = np.full(len(row_ids), UNVERIFIED, np.int32)
        found = np.zeros(len(row_ids), np.bool_)
        tasks = []
        for part in self._store.parts():
            rows = part.find(row_ids)
            here = np.flatnonzero(rows >= 0)
            here = here[part.live[rows[here]] > 0]
            found[here] = True
            step = max(_VERIFY_CHUNK, -(-len(here) // (4 * self._workers.threads)))
            for first, last in spans(len(here), step):
                tasks.append(
                    _verify_task(part, probe, rotation, rows, here[first:last], scores, clock)
                )
        if not found.all():
            raise InputError(f"{int((~found).sum())} of the rows are not in the index")
        self._workers.run(tasks)
        return scores

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


def _verify_task(
    part: Part,
    probe: SearchTemplate,
    rotation: str,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    scores: NDArray[np.int32],
    clock: Clock,
) -> Callable[[], None]:
    def task() -> None:
        if clock.go_on():
            wanted = rows[at]
            part.ensure_rows(wanted, tuple(COLUMNS))
            scores[at] = compare_many(probe, take(part.packed, wanted), rotation=rotation)

    return task


def _mask(allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    if allowed is None:
        return None
    mask = np.ascontiguousarray(allowed)
    if mask.dtype != np.bool_ or mask.ndim != 1:
        raise InputError(f"allowed must be a bool array indexed by row id, not {mask.dtype}")
    return mask


def _check(effort: str, rotation: str) -> None:
    check_choice("rotation", rotation, ROTATIONS)
    if effort not in EFFORTS:
        raise InputError(f"effort must be one of {', '.join(EFFORTS)}, not {effort!r}")
