"""What an index holds and how it changes: segments on disk, newest rows in memory."""

from __future__ import annotations

import dataclasses
import fcntl
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates
from fpmatch.errors import CorruptError, InputError, ReadOnlyError, StorageError
from fpmatch.index import manifest as manifests
from fpmatch.index.build import build_arrays, join, shapes, stream_arrays, take
from fpmatch.index.manifest import Manifest
from fpmatch.index.quantizer import SIZES, Quantizer, file_hash, quantizer
from fpmatch.index.segment import Part, Segment
from fpmatch.index.segment_format import SegmentWriter
from fpmatch.parameters import DESCRIPTOR, INDEX, digest

Entry = tuple[str, str, int]


class Store:
    """Segments, the rows in memory, and the manifest; used by `PartitionIndex` alone.

    ``_lock`` guards the state and is held briefly; ``_merging`` is held through a merge, during
    which searches, additions and tombstones go on.
    """

    def __init__(self, folder: Path, mode: str) -> None:
        self.folder = folder
        self.mode = mode
        self._lock = threading.RLock()
        self._merging = threading.Lock()
        self.manifest = manifests.read(folder)
        self._lockfile = None
        if mode == "rw":
            self._lockfile = open(folder / "lock", "wb")  # noqa: SIM115
            try:
                fcntl.flock(self._lockfile, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._lockfile.close()
                raise StorageError("this index is open for writing elsewhere") from error
        self._segments: tuple[Segment, ...] = ()
        self._memory: list[Part] = []
        self._fresh: list[tuple[NDArray[np.int64], NDArray[np.uint8], PackedTemplates]] = []
        self._dead = np.zeros(0, np.int64)
        try:
            self._load()
        except BaseException:
            if self._lockfile is not None:
                self._lockfile.close()
            raise
        if mode == "rw":
            manifests.remove_strays(folder, self.manifest)

    @classmethod
    def create(cls, folder: Path, expected_fingers: int) -> Self:
        """Make an empty index."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / manifests.NAME).exists():
            raise StorageError("this folder already holds an index")
        lists = list_count(expected_fingers)
        manifests.write(folder, Manifest(1, lists, parameter_hash(lists)))
        return cls(folder, "rw")

    def _load(self) -> None:
        found = manifests.read(self.folder)
        expected = parameter_hash(found.lists)
        if found.parameters != expected:
            raise StorageError(
                f"the index was made under parameters {found.parameters}, this release has "
                f"{expected}: rebuild it from the gallery"
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
        self.manifest = found

    def refresh(self) -> bool:
        """See `PartitionIndex.refresh`."""
        with self._lock:
            if manifests.read(self.folder).generation == self.manifest.generation:
                return False
            self._load()
            return True

    @property
    def stored_bytes(self) -> int:
        """Bytes of the segment files."""
        return sum(segment.layout.file_bytes for segment in self._segments)

    def parts(self) -> tuple[Part, ...]:
        """Everything that a search visits; a snapshot, but tombstones count at once.

        Rows added since the last call become a part. Parts in memory are joined when the newer
        is at least half as large, so that a row is moved a logarithmic number of times.
        """
        with self._lock:
            if self._fresh:
                every, self._fresh = self._fresh, []
                self._memory.append(
                    Part(
                        build_arrays(
                            np.concatenate([ids for ids, _, _ in every]),
                            np.concatenate([positions for _, positions, _ in every]),
                            join([packed for _, _, packed in every]),
                            self._quantizer(),
                        )
                    )
                )
                while len(self._memory) > 1 and len(self._memory[-2]) <= 2 * len(self._memory[-1]):
                    newest = [self._memory.pop(), self._memory.pop()]
                    self._memory.append(Part(self._joined(newest)))
            return (*self._segments, *self._memory)

    def missing(self, row_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `PartitionIndex.missing`."""
        row_ids = np.asarray(row_ids, np.int64)
        with self._lock:
            held = np.isin(row_ids, self._dead)
            for part in (*self._segments, *self._memory):
                held |= part.find(row_ids) >= 0
            for ids, _, _ in self._fresh:
                held |= np.isin(row_ids, ids)
        return row_ids[~held]

    def add(
        self, row_ids: NDArray[np.int64], packed: PackedTemplates, positions: NDArray[np.uint8]
    ) -> None:
        """See `PartitionIndex.add`."""
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
            held = sum(len(ids) for ids, _, _ in self._fresh) + sum(map(len, self._memory))
        if held >= INDEX.tail_rows:
            self.flush()

    def tombstone(self, row_ids: NDArray[np.int64]) -> int:
        """See `PartitionIndex.tombstone`."""
        self._writable()
        row_ids = np.asarray(row_ids, np.int64)
        with self._lock:
            count = 0
            gone = [np.zeros(0, np.int64)]
            for part in self.parts():
                hit = part.find(row_ids)
                hit = hit[hit >= 0]
                hit = hit[part.live[hit] > 0]
                count += len(hit)
                part.live[hit] = 0
                gone.append(part.row_ids[hit])
            if count:
                dead = np.union1d(self._dead, np.concatenate(gone))
                self._commit(self.manifest.segments, dead)
            return count

    def flush(self) -> None:
        """See `PartitionIndex.flush`."""
        self._writable()
        with self._lock:
            self.parts()
            if not self._memory:
                return
            parts = self._memory
            entries = list(self.manifest.segments)
            dead = self._dead
            if any(part.live.any() for part in parts):
                arrays = parts[0].arrays
                if len(parts) > 1 or not parts[0].live.all():
                    arrays = self._joined(parts)
                entries.append(self._write(arrays))
            for part in parts:
                dead = np.setdiff1d(dead, part.row_ids)
            self._commit(tuple(entries), dead)
            self._memory = []
            crowded = len(entries) > INDEX.segments_most
        if crowded:
            self.merge(everything=False)

    def merge(self, *, everything: bool) -> None:
        """Merge segments into one without their tombstoned rows, then delete the old files.

        All of them, or the smaller ones: from the smallest up as long as the next is no larger
        than those before it together.
        """
        self._writable()
        with self._merging:
            with self._lock:
                chosen = list(self._segments)
                dropped = self._dead
            if not everything:
                chosen = _smaller(chosen)
            if len(chosen) <= 1 and not (everything and len(dropped)):
                return
            keep = [~np.isin(s.row_ids, dropped) for s in chosen]
            entry = self._write_merged(chosen, keep)
            with self._lock:
                names = {s.path.name for s in chosen}
                rest = tuple(e for e in self.manifest.segments if e[0] not in names)
                merged = np.concatenate([s.row_ids for s in chosen])
                dead = np.setdiff1d(self._dead, np.intersect1d(dropped, merged))
                self._commit((*rest, *(() if entry is None else (entry,))), dead)
                manifests.remove_strays(self.folder, self.manifest)

    def _write_merged(
        self, segments: Sequence[Segment], keep: Sequence[NDArray[np.bool_]]
    ) -> Entry | None:
        """Stream the kept rows of some segments into a new one."""
        rows = [np.flatnonzero(k) for k in keep]
        if not sum(map(len, rows)):
            return None
        cylinders = sum(
            int((s.offsets[r + 1] - s.offsets[r]).sum())
            for s, r in zip(segments, rows, strict=True)
        )
        count = sum(map(len, rows))
        writer = self._writer(shapes(count, cylinders, self.manifest.lists))
        arrays = {name: writer.array(name) for name in writer.layout.sections}
        stream_arrays(segments, rows, arrays, self._quantizer())
        del arrays
        return writer.path.name, writer.commit(), count

    def _joined(self, parts: Sequence[Part]) -> dict[str, NDArray]:
        keep = [np.flatnonzero(part.live) for part in parts]
        pairs = list(zip(parts, keep, strict=True))
        return build_arrays(
            np.concatenate([p.row_ids[k] for p, k in pairs]),
            np.concatenate([p.positions[k] for p, k in pairs]),
            join([take(p.packed, k) for p, k in pairs]),
            self._quantizer(),
        )

    def _write(self, arrays: Mapping[str, NDArray]) -> Entry:
        writer = self._writer({n: (a.dtype, a.shape) for n, a in arrays.items()})
        for section, array in arrays.items():
            writer.array(section)[...] = array
        return writer.path.name, writer.commit(), len(arrays["row_ids"])

    def _writer(self, arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> SegmentWriter:
        with self._lock:
            taken = [int(p.name[8:16]) for p in self.folder.glob("segment-????????.seg*")]
            name = f"segment-{1 + max([0, *taken]):08d}.seg"
            attributes = {"parameters": self.manifest.parameters, "lists": self.manifest.lists}
            return SegmentWriter(self.folder / name, attributes, arrays)

    def _commit(self, segments: tuple[Entry, ...], dead: NDArray[np.int64]) -> None:
        generation = self.manifest.generation + 1
        old = self.manifest.tombstones
        name, sha256 = self.manifest.tombstones, self.manifest.tombstones_sha256
        if not np.array_equal(dead, self._dead):
            name, sha256 = manifests.write_tombstones(self.folder, generation, dead)
        manifests.write(
            self.folder,
            dataclasses.replace(
                self.manifest,
                generation=generation,
                segments=segments,
                tombstones=name,
                tombstones_sha256=sha256,
            ),
        )
        if old and old != name:
            (self.folder / old).unlink(missing_ok=True)
        self._load()

    def _quantizer(self) -> Quantizer:
        return quantizer(self.manifest.lists)

    def _writable(self) -> None:
        if self.mode != "rw":
            raise ReadOnlyError("the index is open for reading only")

    def close(self) -> None:
        """Write what is in memory and let go of everything."""
        if self._lockfile is not None:
            self.flush()
            with self._merging, self._lock:
                self._lockfile.close()
                self._lockfile = None
                self.mode = "r"
        self._segments = ()
        self._memory = []


def _smaller(segments: Sequence[Segment]) -> list[Segment]:
    """The smaller segments, in the order given."""
    chosen: set[str] = set()
    total = 0
    for segment in sorted(segments, key=lambda s: (len(s), s.path.name)):
        if len(chosen) > 1 and len(segment) > total:
            break
        chosen.add(segment.path.name)
        total += len(segment)
    return [s for s in segments if s.path.name in chosen]


def list_count(expected_fingers: int) -> int:
    """Lists for an order of magnitude of fingers."""
    for lists, fingers in zip(SIZES, (10_000, 50_000, 400_000), strict=False):
        if expected_fingers <= fingers:
            return lists
    return SIZES[-1]


def parameter_hash(lists: int) -> str:
    """Hash of all that shapes what an index stores: descriptor, quantizer, columns."""
    columns = {name: [np.dtype(dtype).str, list(shape)] for name, (dtype, shape) in COLUMNS.items()}
    return digest(DESCRIPTOR, _Shipped(file_hash(lists), str(columns), INDEX.beam))


@dataclasses.dataclass(frozen=True, slots=True)
class _Shipped:
    quantizer: str
    columns: str
    beam: int
