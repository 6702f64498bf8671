"""What the 1:N benchmarks search: a synthetic background with probes and mates mixed in."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, PackedTemplates, SearchTemplate, encode, pack
from fpmatch.evaluate.evaluation import load_samples
from fpmatch.evaluate.extraction import Progress, Sample
from fpmatch.index import PartitionIndex
from fpmatch.parameters import DESCRIPTOR, SYNTHETIC_GALLERY, digest
from fpmatch.synthetic.gallery import mates, templates
from fpmatch.template import Template

SEED = 20260101
"""Population of the background; the index was trained on another."""
STRANGERS = 20260102
"""Population of probes that have no mate."""
BATCH = 5000


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSet:
    """Probes, and the gallery rows that belong to them.

    Parameters
    ----------
    probes : tuple of SearchTemplate or None
        None where extraction failed: a miss in every search.
    identity : (P,) int64
    mates : PackedTemplates
        Rows to enrol, with row ids from 0.
    mate_identity : (M,) int64
    source : str
    """

    probes: tuple[SearchTemplate | None, ...]
    identity: NDArray[np.int64]
    mates: PackedTemplates
    mate_identity: NDArray[np.int64]
    source: str

    def own(self, probe: int, row_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some rows are of the probe's identity.

        Parameters
        ----------
        probe : int
            Which probe.
        row_ids : (K,) int64
            Rows of the index.
        """
        return rows_of(int(self.identity[probe]), self.mate_identity, row_ids)


def rows_of(
    identity: int, mate_identity: NDArray[np.int64], row_ids: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of some rows are of an identity; rows past the mates are background.

    Parameters
    ----------
    identity : int
        Whose rows are looked for.
    mate_identity : (M,) int64
        Identity of each of the first M rows.
    row_ids : (K,) int64
        Rows of the index.
    """
    out = np.zeros(len(row_ids), np.bool_)
    mixed = row_ids < len(mate_identity)
    out[mixed] = mate_identity[row_ids[mixed]] == identity
    return out


def probe_set(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None = None,
    identities: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    synthetic: int = 200,
    progress: Progress | None = None,
) -> ProbeSet:
    """Impression 1 of every finger enrolled, the others probes; synthetic touches without folders.

    Synthetic probes are second touches of fingers that the background does not hold.

    Parameters
    ----------
    folders : sequence of path
        Folders of ``<finger>_<impression>.<ext>``; synthetic prints if empty.
    ppi_map : path or mapping, optional
        Pixels per inch by folder key.
    identities : path, optional
        File that joins fingers of several folders to identities.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    synthetic : int
        How many synthetic fingers, where there are no folders.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    if not folders:
        own = list(templates(synthetic, STRANGERS + 1))
        other = list(mates(synthetic, STRANGERS + 1))
        numbers = np.arange(synthetic)
        return ProbeSet(
            tuple(encode(t) for t in other), numbers, pack([encode(t) for t in own]), numbers,
            f"{synthetic} synthetic fingers, second touches",
        )  # fmt: skip
    samples, names = load_samples(
        folders, ppi_map=ppi_map, identities=identities, extractor=extractor, progress=progress
    )
    enrolled = [s for s in samples if s.impression == 1 and s.template is not None]
    probes = [s for s in samples if s.impression != 1]
    return ProbeSet(
        tuple(_encoded(s) for s in probes),
        np.array([s.identity for s in probes], np.int64),
        pack([encode(s.template) for s in enrolled if s.template is not None]),
        np.array([s.identity for s in enrolled], np.int64),
        ", ".join(names),
    )


def joined(first: ProbeSet, second: ProbeSet) -> ProbeSet:
    """Both sets of probes, with both sets of mates enrolled; identities stay apart."""
    base = 1 + int(max(first.identity.max(initial=-1), first.mate_identity.max(initial=-1)))
    return ProbeSet(
        first.probes + second.probes,
        np.concatenate([first.identity, base + second.identity]),
        pack([*(first.mates[k] for k in range(len(first.mates))),
              *(second.mates[k] for k in range(len(second.mates)))]),
        np.concatenate([first.mate_identity, base + second.mate_identity]),
        f"{first.source}; {second.source}",
    )  # fmt: skip


def _encoded(sample: Sample) -> SearchTemplate | None:
    return None if sample.template is None else encode(sample.template)


def background(
    count: int, *, seed: int = SEED, cache: Path | None = None
) -> Iterator[PackedTemplates]:
    """Search forms of `count` synthetic fingers, a few thousand at a time.

    Every generated finger is followed by its mirror image, which is another finger of the same
    statistics at half the price. With a cache folder, batches are kept for the next run.

    Parameters
    ----------
    count : int
        Fingers.
    seed : int
        Same seed, same result.
    cache : path, optional
        Folder that keeps the background for the next run.
    """
    for first in range(0, count, 2 * BATCH):
        path = None if cache is None else cache / f"{seed}-{first:08d}.npz"
        if path is not None and path.exists():
            with np.load(path) as stored:
                packed = PackedTemplates(**{name: stored[name] for name in stored.files})
        else:
            made: list[SearchTemplate] = []
            for template in templates(BATCH, seed, start=first // 2):
                made += [encode(template), encode(mirrored(template))]
            packed = pack(made)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(".part.npz")
                columns = {name: getattr(packed, name) for name in COLUMNS}
                np.savez(temporary, offsets=packed.offsets, **columns)
                temporary.replace(path)
        left = count - first
        yield packed if left >= len(packed) else pack([packed[k] for k in range(left)])


def mirrored(template: Template) -> Template:
    """The mirror image of a finger."""
    xy = template.xy.copy()
    xy[:, 0] = template.width * 8 - 1 - xy[:, 0]
    angle = ((32768 - template.angle.astype(np.int64)) % 65536).astype(np.uint16)
    field = template.orientation
    if field is not None:
        turned = field[:, ::-1].astype(np.int64)
        field = np.where(turned > 0, 1 + (256 - turned) % 255, 0).astype(np.uint8)
    return dataclasses.replace(template, xy=xy, angle=angle, orientation=field)


@contextmanager
def opened(
    fingers: int,
    probes: ProbeSet,
    threads: int,
    cache: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> Iterator[PartitionIndex]:
    """`build_index`, opened as a reader does; kept in the cache folder or gone at the end.

    Parameters
    ----------
    fingers : int
        Rows of the gallery.
    probes : ProbeSet
        Its mates are the first rows.
    threads : int
        Threads of a search.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "index"
        if cache is None:
            build_index(at, fingers, probes, progress=progress).close()
        else:
            at = Path(cache) / f"index-{fingers}-{_contents(fingers, probes)}"
            if not at.exists():
                half = at.with_suffix(".part")
                shutil.rmtree(half, ignore_errors=True)
                build_index(half, fingers, probes, cache=Path(cache), progress=progress).close()
                half.rename(at)
        index = PartitionIndex.open(at, threads=threads)
        try:
            yield index
        finally:
            index.close()


def _contents(fingers: int, probes: ProbeSet) -> str:
    """Everything that an index of the benchmarks is made from, hashed."""
    total = hashlib.sha256(f"{fingers} {SEED} {digest(DESCRIPTOR, SYNTHETIC_GALLERY)}".encode())
    total.update(probes.mates.offsets.tobytes())
    for name in COLUMNS:
        total.update(getattr(probes.mates, name).tobytes())
    return total.hexdigest()[:16]


def build_index(
    folder: Path,
    fingers: int,
    probes: ProbeSet,
    *,
    threads: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> PartitionIndex:
    """An index of `fingers` rows, mates included, merged into one segment.

    Parameters
    ----------
    folder : path
        Of the index; to be made.
    fingers : int
        Rows of the gallery.
    probes : ProbeSet
        Its mates are the first rows.
    threads : int
        Threads of a search.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    index = PartitionIndex.create(folder, expected_fingers=fingers, threads=threads)
    count = len(probes.mates)
    index.add(np.arange(count), probes.mates, np.zeros(count, np.uint8))
    done = count
    for packed in background(max(0, fingers - count), cache=cache):
        ids = done + np.arange(len(packed))
        index.add(ids, packed, np.zeros(len(packed), np.uint8))
        done += len(packed)
        if progress is not None:
            progress(f"building {fingers}", done, fingers)
    index.compact()
    return index


def timed_in_full(
    index: PartitionIndex,
    probe: SearchTemplate | None,
    effort: str,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[float, float, NDArray[np.int64], NDArray[np.int32], dict[str, float]]:
    """One search with its verification: seconds of wall and process, rows, scores, stages.

    Parameters
    ----------
    index : PartitionIndex
        Open for reading.
    probe : SearchTemplate or None
        None, for a probe that failed to extract, takes no time.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    allowed : (rows,) bool, optional
        Rows that may be looked at; all by default.
    """
    if probe is None:
        return math.nan, math.nan, np.zeros(0, np.int64), np.zeros(0, np.int32), {}
    wall, cpu = time.perf_counter(), time.process_time()
    found = index.shortlist(probe, effort=effort, allowed=allowed)
    middle = time.perf_counter()
    scores = index.verify(probe, found.row_ids)
    end = time.perf_counter()
    ms = {**found.cost.milliseconds, "verify": 1e3 * (end - middle)}
    return end - wall, time.process_time() - cpu, found.row_ids, scores, ms


def timed_search(
    index: PartitionIndex,
    probe: SearchTemplate | None,
    effort: str,
    allowed: NDArray[np.bool_] | None,
) -> tuple[float, float]:
    """One search with its verification: seconds of wall and process.

    Parameters
    ----------
    index : PartitionIndex
        Open for reading.
    probe : SearchTemplate or None
        None, for a probe that failed to extract, takes no time.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    allowed : (rows,) bool, optional
        Rows that may be looked at; all by default.
    """
    wall, cpu, *_ = timed_in_full(index, probe, effort, allowed)
    return wall, cpu


def gallery_conditions(own: ProbeSet, effort: str) -> dict[str, Any]:
    """What a 1:N benchmark says of its gallery."""
    return {
        "probes": own.source,
        "background": "synthetic fingers and their mirror images, one touch each",
        "effort": effort,
    }
