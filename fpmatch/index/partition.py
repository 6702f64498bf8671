"""The index of one partition: segments on disk, a tail in memory."""

from __future__ import annotations

import dataclasses
import fcntl
import threading
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates, SearchTemplate
from fpmatch.errors import CorruptError, InputError, ReadOnlyError, StorageError
from fpmatch.index import manifest as manifests
from fpmatch.index.build import build_arrays, join, take
from fpmatch.index.manifest import Manifest
from fpmatch.index.segment import Part, Segment
from fpmatch.index.segment_format import SegmentWriter
from fpmatch.index.shortlist import EFFORTS, Shortlist, shortlist
from fpmatch.index.work import Cancel, Clock, Workers, spans
from fpmatch.matcher import compare_many
from fpmatch.parameters import DESCRIPTOR, INDEX, digest

UNVERIFIED = -1
"""Score of a row that `PartitionIndex.verify` did not reach before the deadline."""
_VERIFY_CHUNK = 256


class PartitionIndex:
    """Shortlists and scores over the fingers of one partition.

    A row is one enrolled finger, named by an int64 id that the caller gives and never uses twice.
    The index is no system of record: rows added are in memory until `flush` (or until
    `INDEX.tail_rows` of them have gathered) and are lost in a crash; `missing` tells what to add
    again. Everything written is immutable, checksummed and replaced by renaming.

    Any number of threads may search while one adds. One process may have an index open for
    writing; others may read it, and see its changes after `refresh`.
    """

    def __init__(self, folder: Path, mode: str, threads: int) -> None:
        self.folder = folder
        self.mode = mode
        self._lock = threading.RLock()
        self._workers = Workers(threads)
        self._lockfile = open(folder / "lock", "wb") if mode == "rw" else None  # noqa: SIM115
        if self._lockfile is not None:
            try:
                fcntl.flock(self._lockfile, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._lockfile.close()
                raise StorageError("this index is open for writing elsewhere") from error
        self._segments: tuple[Segment, ...] = ()
        self._tail: Part | None = None
        self._fresh: list[tuple[NDArray[np.int64], NDArray[np.uint8], PackedTemplates]] = []
        self._dead = np.zeros(0, np.int64)
        self._load()
        if mode == "rw":
            manifests.remove_strays(folder, self._manifest)

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
            Order of magnitude to come. Fixes the number of lists, and so the speed at sizes far
            from it, never which rows exist.
        threads : int
            Threads of one search. Results do not depend on it.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / manifests.NAME).exists():
            raise StorageError("this folder already holds an index")
        manifests.write(folder, Manifest(1, list_count(expected_fingers), parameter_hash()))
        return cls(folder, "rw", threads)

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
        return cls(Path(folder), mode, threads)

    def _load(self) -> None:
        found = manifests.read(self.folder)
        if found.parameters != parameter_hash():
            raise StorageError(
                f"the index was made under parameters {found.parameters}, this release has "
                f"{parameter_hash()}: rebuild it from the gallery"
            )
        known = {segment.path.name: segment for segment in self._segments}
        segments = []
        for name, sha256, rows in found.segments:
            segment = known.get(name) or Segment(self.folder / name, sha256)
            if len(segment) != rows:
                raise CorruptError(f"{name}: {len(segment)} rows, the manifest says {rows}")
            segments.append(segment)
        self._dead = manifests.read_tombstones(self.folder, found)
        for segment in segments:
            hit = segment.find(self._dead)
            segment.live[hit[hit >= 0]] = 0
        self._segments = tuple(segments)
        self._manifest = found

    def refresh(self) -> bool:
        """Take over what another process has committed; whether there was anything."""
        with self._lock:
            if manifests.read(self.folder).generation == self._manifest.generation:
                return False
            self._load()
            return True

    @property
    def rows(self) -> int:
        """Rows that exist: added and not tombstoned."""
        return int(sum(int(part.live.sum()) for part in self._parts()))

    @property
    def generation(self) -> int:
        """Grows with every change on disk."""
        return self._manifest.generation

    def row_ids(self) -> NDArray[np.int64]:
        """Ids of all rows that exist, ascending."""
        ids = [p.row_ids[p.live.view(np.bool_)] for p in self._parts()]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))

    def missing(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the given ids, those that the index does not hold (not even as a tombstone)."""
        row_ids = np.asarray(row_ids, np.int64)
        held = np.zeros(len(row_ids), np.bool_)
        for part in self._parts():
            held |= part.find(row_ids) >= 0
        return row_ids[~held]

    def add(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """Add rows; the next search sees them.

        Parameters
        ----------
        row_ids : (K,) int64
            Not negative, and none that the index has held before.
        packed : PackedTemplates
            Search forms of the K rows.
        positions : (K,) uint8
            Finger positions, 0 for unknown.
        """
        self._writable()
        row_ids = np.array(row_ids, np.int64)
        positions = np.array(positions, np.uint8)
        if not len(row_ids) == len(packed) == len(positions):
            raise InputError(
                f"{len(row_ids)} row ids, {len(packed)} templates and {len(positions)} positions"
            )
        if not len(row_ids):
            return
        longest = int(np.diff(packed.offsets).max())
        if longest > DESCRIPTOR.max_minutiae:
            raise InputError(
                f"a row has {longest} minutiae; at most {DESCRIPTOR.max_minutiae} are allowed"
            )
        with self._lock:
            if int(row_ids.min()) < 0 or len(np.unique(row_ids)) < len(row_ids):
                raise InputError("row ids must be unique and not negative")
            if len(self.missing(row_ids)) < len(row_ids):
                raise InputError("a row id is already in the index; ids are never used twice")
            self._fresh.append((row_ids, positions, packed))
            held = sum(len(ids) for ids, _, _ in self._fresh)
            if held + (len(self._tail) if self._tail is not None else 0) >= INDEX.tail_rows:
                self.flush()

    def tombstone(self, row_ids: NDArray[np.int64]) -> int:
        """Make rows invisible at once and for good; returns how many existed.

        Durable when the call returns. Their bytes go with the next `compact`.
        """
        self._writable()
        row_ids = np.asarray(row_ids, np.int64)
        with self._lock:
            count = 0
            stored = []
            for part in self._parts():
                hit = part.find(row_ids)
                hit = hit[hit >= 0]
                count += int(part.live[hit].sum())
                part.live[hit] = 0
                if isinstance(part, Segment):
                    stored.append(part.row_ids[hit])
            gone = np.concatenate([np.zeros(0, np.int64), *stored])
            if len(gone):
                self._commit(self._manifest.segments, np.union1d(self._dead, gone))
            return count

    def flush(self) -> None:
        """Write the rows in memory as a segment."""
        self._writable()
        with self._lock:
            self._parts()
            tail = self._tail
            if tail is None or not len(tail):
                return
            keep = np.flatnonzero(tail.live)
            if len(keep):
                arrays = build_arrays(
                    tail.row_ids[keep], tail.positions[keep], take(tail.packed, keep)
                )
                entry = self._write(arrays)
                self._commit((*self._manifest.segments, entry), self._dead)
            self._tail = None

    def compact(self) -> None:
        """Merge everything into one segment without tombstoned rows, and delete the old files."""
        self._writable()
        with self._lock:
            self.flush()
            if len(self._segments) <= 1 and not len(self._dead):
                return
            ids, positions, packed = [], [], []
            for segment in self._segments:
                keep = np.flatnonzero(segment.live)
                segment.ensure_rows(keep, tuple(COLUMNS))
                ids.append(segment.row_ids[keep])
                positions.append(segment.positions[keep])
                packed.append(take(segment.packed, keep))
            entries: tuple[tuple[str, str, int], ...] = ()
            if sum(map(len, ids)):
                arrays = build_arrays(np.concatenate(ids), np.concatenate(positions), join(packed))
                entries = (self._write(arrays),)
            self._commit(entries, np.zeros(0, np.int64))
            manifests.remove_strays(self.folder, self._manifest)

    def _write(self, arrays: dict[str, NDArray]) -> tuple[str, str, int]:
        name = f"segment-{self._manifest.generation + 1:08d}.seg"
        shapes = {n: (a.dtype, a.shape) for n, a in arrays.items()}
        attributes: dict[str, Any] = {
            "parameters": self._manifest.parameters,
            "lists": self._manifest.lists,
        }
        writer = SegmentWriter(self.folder / name, attributes, shapes)
        for section, array in arrays.items():
            writer.array(section)[...] = array
        return name, writer.commit(), len(arrays["row_ids"])

    def _commit(self, segments: tuple[tuple[str, str, int], ...], dead: NDArray[np.int64]) -> None:
        generation = self._manifest.generation + 1
        old = self._manifest.tombstones
        name, sha256 = self._manifest.tombstones, self._manifest.tombstones_sha256
        if not np.array_equal(dead, self._dead):
            name, sha256 = manifests.write_tombstones(self.folder, generation, dead)
        manifests.write(
            self.folder,
            dataclasses.replace(
                self._manifest,
                generation=generation,
                segments=segments,
                tombstones=name,
                tombstones_sha256=sha256,
            ),
        )
        if old and old != name:
            (self.folder / old).unlink(missing_ok=True)
        self._load()

    def shortlist(
        self,
        probe: SearchTemplate,
        *,
        allowed: NDArray[np.bool_] | None = None,
        position: int = 0,
        effort: str = "balanced",
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
        if effort not in EFFORTS:
            raise InputError(f"effort must be one of {', '.join(EFFORTS)}, not {effort!r}")
        return shortlist(
            self._parts(),
            probe,
            allowed=allowed,
            position=int(position),
            effort=effort,
            limit=limit,
            clock=Clock(deadline, cancel),
            workers=self._workers,
        )

    def verify(
        self,
        probe: SearchTemplate,
        row_ids: NDArray[np.int64],
        *,
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
        for part in self._parts():
            rows = part.find(row_ids)
            here = np.flatnonzero(rows >= 0)
            here = here[part.live[rows[here]] > 0]
            found[here] = True
            for first, last in spans(len(here), _VERIFY_CHUNK):
                tasks.append(_verify_task(part, probe, rows, here[first:last], scores, clock))
        if not found.all():
            raise InputError(f"{int((~found).sum())} of the rows are not in the index")
        self._workers.run(tasks)
        return scores

    def _parts(self) -> tuple[Part, ...]:
        with self._lock:
            if self._fresh:
                tail = self._tail
                old = [] if tail is None else [(tail.row_ids, tail.positions, tail.packed)]
                every = old + self._fresh
                part = Part(
                    build_arrays(
                        np.concatenate([ids for ids, _, _ in every]),
                        np.concatenate([positions for _, positions, _ in every]),
                        join([packed for _, _, packed in every]),
                    )
                )
                if tail is not None:
                    part.live[part.find(tail.row_ids[tail.live == 0])] = 0
                self._tail = part
                self._fresh = []
            return (*self._segments, *(() if self._tail is None else (self._tail,)))

    def _writable(self) -> None:
        if self.mode != "rw":
            raise ReadOnlyError("the index is open for reading only")

    def close(self) -> None:
        """Write what is in memory (in mode ``rw``) and let go of files and threads."""
        if self._lockfile is not None:
            self.flush()
            self._lockfile.close()
            self._lockfile = None
            self.mode = "r"
        self._workers.close()
        self._segments = ()
        self._tail = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _verify_task(
    part: Part,
    probe: SearchTemplate,
    rows: NDArray[np.int64],
    at: NDArray[np.int64],
    scores: NDArray[np.int32],
    clock: Clock,
) -> Any:
    def task() -> None:
        if clock.go_on():
            wanted = rows[at]
            part.ensure_rows(wanted, tuple(COLUMNS))
            scores[at] = compare_many(probe, take(part.packed, wanted))

    return task


def list_count(expected_fingers: int) -> int:
    """Lists for an order of magnitude of fingers."""
    for lists, fingers in ((256, 20_000), (1024, 60_000), (4096, 400_000)):
        if expected_fingers <= fingers:
            return lists
    return 16384


def parameter_hash() -> str:
    """Hash of all that shapes what an index stores and how it votes."""
    return digest(DESCRIPTOR, INDEX)
