"""What an index holds: segments on disk, newest rows in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import CorruptError, InputError, LockedError, StorageError
from fpmatch.index import manifest as manifests
from fpmatch.index import tail
from fpmatch.index.build import build_arrays, join
from fpmatch.index.manifest import Manifest
from fpmatch.index.quantizer import Quantizer, parameter_hash, quantizer
from fpmatch.index.segment import Part, Segment
from fpmatch.index.writing import joined, without_written
from fpmatch.parameters import DESCRIPTOR, SEGMENTS

Added = tuple[NDArray[np.int64], NDArray[np.uint8], PackedTemplates]
_TRIES = 20
"""How often a manifest is read again whose files the writer has replaced meanwhile."""


class Held:
    """Segments, the rows in memory, and the manifest that was read last; base of `Store`.

    ``_lock`` guards the state and is held briefly. Rows that are being written are in
    ``_frozen``.

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
        If there is no index.
    CorruptError
        If the manifest is damaged.
    """

    def __init__(self, folder: Path, mode: str, files: Files = PLAIN_FILES) -> None:
        self.folder = folder
        self.mode = mode
        self._files = files
        self._text = manifests.text(folder)
        self.manifest = manifests.read(folder)
        self._lock = threading.RLock()
        self._segments: tuple[Segment, ...] = ()
        self._memory: list[Part] = []
        self._frozen: tuple[Part, ...] = ()
        self._fresh: list[Added] = []
        self._dead = np.zeros(0, np.int64)
        self._expunged = np.zeros(0, np.int64)

    def _load(self) -> None:
        for _ in range(_TRIES):
            found = manifests.read(self.folder)
            try:
                self._take_over(found)
                return
            except (CorruptError, OSError):
                # Or has the writer replaced, meanwhile, what this manifest names?
                if manifests.read(self.folder) == found:
                    raise
        raise LockedError("the index changes faster than it can be opened; try again")

    def _take_over(self, found: Manifest) -> None:
        expected = parameter_hash(found.lists)
        if found.parameters != expected:
            raise StorageError(
                f"the index was made under parameters {found.parameters}, this release has "
                f"{expected}: rebuild it from the gallery"
            )
        dead = manifests.read_ids(self.folder, found.tombstones, found.tombstones_sha256)
        expunged = manifests.read_ids(self.folder, found.expunged, found.expunged_sha256)
        self._show(found, self._opened(found), dead, expunged)

    def _opened(self, found: Manifest) -> tuple[Segment, ...]:
        """The segments that a manifest names; those that are open already are not read again."""
        known = {(segment.path.name, segment.digest): segment for segment in self._segments}
        segments = []
        for name, sha256, rows in found.segments:
            segment = known.get((name, sha256)) or Segment(self.folder / name, sha256, self._files)
            if len(segment) != rows:
                raise CorruptError(f"{name}: {len(segment)} rows, the manifest says {rows}")
            segments.append(segment)
        return tuple(segments)

    def _show(
        self,
        found: Manifest,
        segments: tuple[Segment, ...],
        dead: NDArray[np.int64],
        expunged: NDArray[np.int64],
    ) -> None:
        """Have memory show what a manifest names; reads nothing, so that it cannot fail."""
        for segment in segments:
            gone = segment.find(dead)
            segment.live[gone[gone >= 0]] = 0
        self._dead, self._expunged = dead, expunged
        self._segments = segments
        self.manifest = found

    def is_level(self) -> bool:
        """See `PartitionIndex.is_level`."""
        return manifests.text(self.folder) == self._text

    def refresh(self) -> bool:
        """See `PartitionIndex.refresh`."""
        with self._lock:
            text = manifests.text(self.folder)
            if text == self._text:
                return False
            self._load()
            # Of before what was read: a later one is never taken for this.
            self._text = text
            self.parts()
            self._memory = without_written(self._memory, self._segments, self.manifest.lists)
            return True

    @property
    def stored_bytes(self) -> int:
        """Bytes of the segment files."""
        return sum(segment.layout.file_bytes for segment in self._segments)

    @property
    def tombstones(self) -> int:
        """See `PartitionIndex.tombstones`."""
        return len(self._dead)

    @property
    def expunged(self) -> NDArray[np.int64]:
        """See `PartitionIndex.expunged`."""
        return self._expunged

    def snapshot(self) -> tuple[tuple[Part, ...], NDArray[np.int64]]:
        """`parts`, and the ids of those of their rows that are tombstoned already, ascending."""
        with self._lock:
            return self.parts(), self._dead

    def parts(self) -> tuple[Part, ...]:
        """Everything that a search visits; a snapshot, but tombstones count at once.

        Rows added since the last call become a part. Parts in memory are joined when the newer
        is at least half as large, so that a row is moved a logarithmic number of times, and both
        are small.
        """
        with self._lock:
            if self._fresh:
                every, self._fresh = self._fresh, []
                self._memory.append(self._part(every))
                while pair := self._joinable():
                    self._memory[-2:] = [self._joined(pair)]
            return (*self._segments, *self._frozen, *self._memory)

    def _joinable(self) -> list[Part] | None:
        """The newest two parts in memory, where they are to be joined; ``_lock`` is held."""
        pair = self._memory[-2:]
        sizes = [len(part) for part in pair]
        if len(pair) < 2 or sizes[0] > 2 * sizes[1] or sum(sizes) > SEGMENTS.joined_most:
            return None
        return pair

    def _joined(self, pair: Sequence[Part]) -> Part:
        keep = [part.live.view(np.bool_) for part in pair]
        return Part(joined(pair, keep, self.manifest.lists))

    def take_tails(self, missing: NDArray[np.int64], of: tail.Of) -> None:
        """See `PartitionIndex.take_tails`.

        Parameters
        ----------
        missing : (K,) int64
        of : Of
        """
        for part in tail.read(self.folder, self.manifest, missing, of, self._files):
            with self._lock:
                if len(self.missing(part.row_ids)) == len(part):
                    self._memory.append(part)
                    while pair := self._joinable():
                        self._memory[-2:] = [self._joined(pair)]

    def _part(self, every: Sequence[Added]) -> Part:
        return Part(
            build_arrays(
                np.concatenate([ids for ids, _, _ in every]),
                np.concatenate([positions for _, positions, _ in every]),
                join([packed for _, _, packed in every]),
                self._quantizer(),
            )
        )

    def missing(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `PartitionIndex.missing`.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        row_ids = np.asarray(row_ids, np.int64)
        with self._lock:
            held = np.isin(row_ids, self._dead) | np.isin(row_ids, self._expunged)
            for part in (*self._segments, *self._frozen, *self._memory):
                held |= part.find(row_ids) >= 0
            for ids, _, _ in self._fresh:
                held |= np.isin(row_ids, ids)
        return row_ids[~held]

    def hold(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """See `PartitionIndex.hold`.

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
            As for `add`, or if the index is open for writing.
        """
        if self.mode != "r":
            raise InputError("an index that is open for writing takes rows with add")
        self._remember(row_ids, packed, positions)

    def release(self, row_ids: NDArray[np.int64]) -> None:
        """See `PartitionIndex.release`.

        Parameters
        ----------
        row_ids : (K,) int64
        """
        with self._lock:
            self.parts()
            for part in self._memory:
                rows = part.find(row_ids)
                part.live[rows[rows >= 0]] = 0
            self._memory = without_written(self._memory, (), self.manifest.lists)

    def _remember(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> int:
        """Take rows into memory; how many wait there."""
        row_ids = np.array(row_ids, np.int64)
        positions = np.array(positions, np.uint8)
        if not len(row_ids) == len(packed) == len(positions):
            raise InputError(
                f"{len(row_ids)} row ids, {len(packed)} templates and {len(positions)} positions"
            )
        if not len(row_ids):
            return 0
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
            return sum(len(ids) for ids, _, _ in self._fresh) + sum(map(len, self._memory))

    def _quantizer(self) -> Quantizer:
        return quantizer(self.manifest.lists)
