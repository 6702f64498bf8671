"""How an index changes: rows come, are written as segments, merged, and go."""

from __future__ import annotations

import dataclasses
import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.durable import storage_errors
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import InputError, LockedError, StorageError, WriteError
from fpmatch.index import manifest as manifests
from fpmatch.index import tail
from fpmatch.index.announcing import Announcing
from fpmatch.index.manifest import Manifest
from fpmatch.index.quantizer import list_count, parameter_hash
from fpmatch.index.segment import Part, Segment
from fpmatch.index.work import Background
from fpmatch.index.writing import (
    Entry,
    blank,
    died_since,
    is_small,
    row_ids_of,
    smaller,
    write_merged,
    write_parts,
)
from fpmatch.locking import try_lock
from fpmatch.parameters import INDEX

log = logging.getLogger(__name__)


class Store(Announcing):
    """An index that may change; used by `PartitionIndex` alone.

    ``_writing`` is held while a segment is written, during which searches, additions and
    tombstones go on. Segments are written and merged by a thread of the index's own as rows
    gather, and by `flush`, `compact` and `close` in the caller's.

    Parameters
    ----------
    folder : Path
    mode : str
        ``r`` or ``rw``.
    files : Files
        How files lie.

    Raises
    ------
    StorageError
        If there is no index, or it was made under other parameters.
    LockedError
        If another process has it open for writing.
    CorruptError
        If a file is missing, truncated or its header is damaged.
    """

    def __init__(self, folder: Path, mode: str, files: Files = PLAIN_FILES) -> None:
        super().__init__(folder, mode, files)
        self._writing = threading.RLock()
        self._closing = False
        self._background = Background("fpmatch-index-write")
        self._lockfile = None
        if mode == "rw":
            with storage_errors("the index's lock"):
                self._lockfile = open(folder / "lock", "wb")  # noqa: SIM115
            if not try_lock(self._lockfile):
                self._lockfile.close()
                raise LockedError("this index is open for writing elsewhere")
        try:
            self._load()
        except BaseException:
            if self._lockfile is not None:
                self._lockfile.close()
            raise
        if mode == "rw":
            manifests.remove_strays(folder, self.manifest)
            tail.remove(folder)
            if any(segment.earlier for segment in self._segments):
                self._background.ask(self._bring_up_to_date)

    @classmethod
    def create(cls, folder: Path, expected_fingers: int, files: Files = PLAIN_FILES) -> Self:
        """Make an empty index; StorageError if the folder holds one already.

        Parameters
        ----------
        folder : Path
        expected_fingers : int
            Order of magnitude to come.
        files : Files
            How files lie.
        """
        with storage_errors(folder.name):
            folder.mkdir(parents=True, exist_ok=True)
        if (folder / manifests.NAME).exists():
            raise StorageError("this folder already holds an index")
        lists = list_count(expected_fingers)
        manifests.write(folder, Manifest(1, lists, parameter_hash(lists)))
        return cls(folder, "rw", files)

    def add(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """See `PartitionIndex.add`.

        Parameters
        ----------
        row_ids : (K,) int64
        packed : PackedTemplates
            Search forms of the K rows.
        positions : (K,) uint8
            Finger positions; 0 for unknown.

        Raises
        ------
        InputError
            If the lengths differ, an id is not new, or a row has too many minutiae.
        ReadOnlyError
        """
        self._writable()
        self._gathered(self._remember(row_ids, packed, positions))

    def add_part(self, part: Part) -> None:
        """See `PartitionIndex.add_part`.

        Parameters
        ----------
        part : Part

        Raises
        ------
        InputError
            If an id is not new.
        ReadOnlyError
        """
        self._writable()
        with self._lock:
            if len(self.missing(part.row_ids)) < len(part):
                raise InputError("a row id is already in the index; ids are never used twice")
            self._memory.append(part)
            waiting = sum(map(len, self._memory)) + sum(len(ids) for ids, _, _ in self._fresh)
        self._gathered(waiting)

    def _gathered(self, waiting: int) -> None:
        """Have rows in memory written once they are many."""
        if waiting >= INDEX.tail_rows:
            self._background.ask(self._tidy)
        if waiting >= INDEX.waiting_most:
            self._background.wait()
        self._background.check()

    def tombstone(self, row_ids: NDArray[np.int64]) -> int:
        """See `PartitionIndex.tombstone`.

        Parameters
        ----------
        row_ids : (K,) int64

        Raises
        ------
        ReadOnlyError
        """
        self._writable()
        row_ids = np.asarray(row_ids, np.int64)
        with self._lock:
            found = [np.zeros(0, np.int64)]
            for part in self.parts():
                rows = part.find(row_ids)
                rows = rows[rows >= 0]
                rows = rows[part.live[rows] > 0]
                part.live[rows] = 0
                found.append(part.row_ids[rows])
            gone = np.concatenate(found)
            if len(gone):
                self._commit(self.manifest.segments, np.union1d(self._dead, gone))
            return len(gone)

    def flush(self) -> None:
        """See `PartitionIndex.flush`."""
        self._writable()
        self._write_memory()
        if self._many():
            self._background.ask(self._tidy)
        self._background.check()

    def compact(self) -> None:
        """See `PartitionIndex.compact`."""
        self._writable()
        # Held throughout: the background must not begin another merge in between.
        with self._writing:
            self._write_memory()
            self._merge(everything=True)
            with self._lock:
                manifests.remove_strays(self.folder, self.manifest)

    def renew(self) -> int:
        """Write segments that are under an older key anew, while searches go on; how many."""
        self._writable()
        done = 0
        # Held throughout: no file may go meanwhile, or it would be back.
        with self._writing:
            # Batches of before are under the older key too, and in no manifest.
            self._write_memory()
            tail.remove(self.folder)
            for name, _, _ in self.manifest.segments:
                path = self.folder / name
                with storage_errors(name):
                    if self._files.stale(path):
                        self._files.renew(path)
                        done += 1
        return done

    def purge(self) -> None:
        """See `PartitionIndex.purge`."""
        self._writable()
        with self._writing:
            with self._lock:
                for part in self.parts():
                    if not isinstance(part, Segment):
                        blank(part)
                chosen = [s for s in self._segments if not s.live.all()]
                keep = [s.live.astype(np.bool_) for s in chosen]
                gone = self._dead
            self._unannounce(gone)
            self._rewrite(chosen, keep, gone)

    def settle(self) -> None:
        """See `PartitionIndex.settle`."""
        self._background.wait()
        self._background.check()

    def _tidy(self) -> None:
        """What the background does: write the rows in memory, merge segments if they are many."""
        with self._lock:
            every = list(self._fresh)
        if every:
            part = self._part(every)
            with self._lock:
                # A search may have made a part of them meanwhile.
                if [id(new) for new in self._fresh[: len(every)]] == [id(old) for old in every]:
                    self._fresh = self._fresh[len(every) :]
                    self._memory.append(part)
        self._write_memory()
        if self._many():
            self._merge(everything=False)

    def _bring_up_to_date(self) -> None:
        """What the background does: store a segment of an earlier release as today's; the next."""
        with self._writing:
            with self._lock:
                chosen = [s for s in self._segments if s.earlier][:1]
                keep = [s.live.astype(np.bool_) for s in chosen]
                gone = np.intersect1d(self._dead, row_ids_of(chosen))
            if not chosen or self._closing:
                return
            try:
                self._rewrite(chosen, keep, gone)
            except StorageError as error:
                # Who searches it is told what is wrong with it.
                log.warning("%s stays as it is: %s", chosen[0].path.name, type(error).__name__)
                return
        self._background.ask(self._bring_up_to_date)

    def _many(self) -> bool:
        """Whether there are so many segments that the smaller ones are to be merged."""
        return sum(map(is_small, self._segments)) > INDEX.segments_most

    def _write_memory(self) -> None:
        """Write the rows in memory as a segment."""
        with self._writing:
            with self._lock:
                self.parts()
                if not self._memory:
                    return
                self._frozen, self._memory = tuple(self._memory), []
                keep = [part.live.astype(np.bool_) for part in self._frozen]
            try:
                entries = write_parts(self.folder, self.manifest, self._frozen, keep, self._files)
                with self._lock:
                    # Rows tombstoned before are not in the segment; those since must stay so.
                    pairs = zip(self._frozen, keep, strict=True)
                    left = [np.zeros(0, np.int64), *(part.row_ids[~k] for part, k in pairs)]
                    dead = np.setdiff1d(self._dead, np.concatenate(left))
                    dead = np.union1d(dead, died_since(self._frozen, keep))
                    self._commit((*self.manifest.segments, *entries), dead)
                    written = np.concatenate([part.row_ids for part in self._frozen])
                    self._frozen = ()
                self._unannounce(written)
            except BaseException:
                with self._lock:
                    self._memory, self._frozen = [*self._frozen, *self._memory], ()
                raise

    def _merge(self, *, everything: bool) -> None:
        """Merge segments into few without their tombstoned rows, then delete the old files."""
        with self._writing:
            with self._lock:
                chosen = [s for s in self._segments if is_small(s) or s.earlier or not s.live.all()]
                gone = self._dead
                if not everything:
                    chosen = smaller(self._segments)
                    gone = np.intersect1d(gone, row_ids_of(chosen))
                keep = [s.live.astype(np.bool_) for s in chosen]
            pairs = zip(chosen, keep, strict=True)
            stale = len(gone) or any(s.earlier or not k.all() for s, k in pairs)
            if len(chosen) <= 1 and not (everything and stale):
                return
            self._rewrite(chosen, keep, gone)

    def _rewrite(
        self, chosen: list[Segment], keep: list[NDArray[np.bool_]], gone: NDArray[np.int64]
    ) -> None:
        """Replace segments by what is kept of them; of the tombstones, `gone` are none any more."""
        entries = write_merged(self.folder, self.manifest, chosen, keep, self._files)
        with self._lock:
            names = {s.path.name for s in chosen}
            rest = tuple(e for e in self.manifest.segments if e[0] not in names)
            dead = np.union1d(np.setdiff1d(self._dead, gone), died_since(chosen, keep))
            self._commit((*rest, *entries), dead)
            # Also what a write that failed has left: it holds rows that may be gone by now.
            manifests.remove_strays(self.folder, self.manifest)

    def forget(self, row_ids: NDArray[np.int64]) -> None:
        """See `PartitionIndex.forget`.

        Parameters
        ----------
        row_ids : (K,) int64

        Raises
        ------
        ReadOnlyError
        """
        self._writable()
        with self._lock:
            left = np.setdiff1d(self._expunged, row_ids)
            if len(left) < len(self._expunged):
                self._put(self.manifest.segments, self._dead, left)

    def _commit(self, segments: tuple[Entry, ...], dead: NDArray[np.int64]) -> None:
        """Put a new manifest in place; what is no longer among the tombstones is expunged."""
        gone = np.setdiff1d(self._dead, dead)
        self._put(segments, dead, np.union1d(self._expunged, gone))

    def _put(
        self, segments: tuple[Entry, ...], dead: NDArray[np.int64], expunged: NDArray[np.int64]
    ) -> None:
        """Put a new manifest in place: whatever fails, memory shows the one that is on disk."""
        old = self.manifest
        generation = old.generation + 1
        new = dataclasses.replace(old, generation=generation, segments=segments)
        if not np.array_equal(dead, self._dead):
            name, sha256 = manifests.write_ids(self.folder, "tombstones", generation, dead)
            new = dataclasses.replace(new, tombstones=name, tombstones_sha256=sha256)
        if not np.array_equal(expunged, self._expunged):
            name, sha256 = manifests.write_ids(self.folder, "expunged", generation, expunged)
            new = dataclasses.replace(new, expunged=name, expunged_sha256=sha256)
        opened = self._opened(new)
        try:
            manifests.write(self.folder, new)
        except WriteError:
            # It may have its name already, and only waiting for the disk have failed.
            with suppress(StorageError):
                if manifests.read(self.folder) == new:
                    self._show(new, opened, dead, expunged)
            raise
        self._show(new, opened, dead, expunged)
        for name in {old.tombstones, old.expunged} - {"", new.tombstones, new.expunged}:
            with storage_errors(name):
                (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Write what is in memory and let go of everything."""
        self._closing = True
        try:
            if self._lockfile is not None:
                self._background.wait()
                self._write_memory()
                tail.remove(self.folder)
                self._background.check()
        finally:
            self._background.close()
            with self._writing, self._lock:
                if self._lockfile is not None:
                    self._lockfile.close()
                self._lockfile = None
                self.mode = "r"
                self._segments = ()
                self._memory = []
