"""Benchmark of subjects with several fingers against as many searches of one finger."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.bench.gallery import SEED, background, mirrored
from fpmatch.bench.measure import Bench, quantiles, stated
from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.descriptor.scales import Forms
from fpmatch.evaluate.extraction import Progress
from fpmatch.gallery import Columns
from fpmatch.index import PartitionIndex
from fpmatch.search.compare import LocalPartition
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.probe import Probe
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.synthetic.gallery import mates
from fpmatch.template import Template
from fpmatch.types import FingerPosition

POOR = 13
"""Minutiae that are left of a poor finger: those nearest to one of them, as of a small touch."""


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """Second touches of enrolled people.

    Parameters
    ----------
    records : tuple of int
        Who they are.
    fingers : tuple of tuple of (SearchTemplate, position)
    """

    records: tuple[int, ...]
    fingers: tuple[tuple[tuple[SearchTemplate, FingerPosition], ...], ...]


def bench_tenprint(
    records: int = 1000,
    *,
    fingers: int = 10,
    subjects: int = 40,
    poor: Sequence[float] = (0.0, 0.5, 1.0),
    effort: str = "balanced",
    threads: int = 1,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Time and rank-1 of one search with all fingers, and of a search with each.

    Parameters
    ----------
    records : int
        Enrolled people, all with as many fingers as are searched.
    fingers : int
        1 to 10.
    subjects : int
        People searched for; all are enrolled.
    poor : sequence of float
        Shares of the probe fingers of which only a small patch is left.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    threads : int
        Threads of a search.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Notes
    -----
    A search is what the engine does in one partition: shortlist, verification, fusion. Probes
    of known positions are compared with rows of their own, those of unknown position with all.
    Rank-1 counts ties as misses; `rank1_alone` is over single fingers.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = subject_index(Path(folder), records, fingers, cache, progress)
        index.close()
        with PartitionIndex.open(folder, threads=threads) as index:
            searcher = searcher_of(index, records, fingers)
            rows = []
            for share in poor:
                people = subjects_of(records, fingers, subjects, share)
                for known in (True, False):
                    row = measure(searcher, people, known, effort, progress)
                    rows.append(
                        {"poor": share, "positions": "known" if known else "unknown", **row}
                    )
    figures = {"records": records, "fingers": fingers, "effort": effort, "by_case": rows}
    return Bench(
        "tenprint",
        figures,
        stated(threads=threads, subjects=subjects, seed=SEED, clock="process CPU"),
    )


def subject_index(
    folder: Path,
    records: int,
    fingers: int,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> PartitionIndex:
    """An index of `records` times `fingers` rows; `owners` says whose each is.

    Parameters
    ----------
    folder : path
        Of the index; to be made.
    records : int
        People.
    fingers : int
        Of each person.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    total = records * fingers
    index = PartitionIndex.create(folder, expected_fingers=total)
    done = 0
    for packed in background(total, cache=None if cache is None else Path(cache)):
        ids = done + np.arange(len(packed))
        index.add(ids, packed, owners(ids, records, fingers)[1])
        done += len(packed)
        if progress is not None:
            progress(f"building {total}", done, total)
    index.compact()
    return index


def searcher_of(index: PartitionIndex, records: int, fingers: int) -> LocalPartition:
    """What the engine searches with, without its other files.

    Parameters
    ----------
    index : PartitionIndex
        Open for reading.
    records : int
        People.
    fingers : int
        Of each person.
    """
    rows = np.arange(records * fingers)
    record, position = owners(rows, records, fingers)
    names = [(n + 1, f"R-{n:08d}") for n in range(records)]
    columns = Columns.of(names, {}, rows, record + 1, position)
    return LocalPartition("background", index, lambda: columns, str, ReadWriteLock())


def owners(
    rows: NDArray[np.int64], records: int, fingers: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Whose finger each row is, and which.

    In the background every finger is followed by its mirror image, which was touched, and is
    found, as badly or as well: two of them on one person would tell no more than one. So the
    fingers of one person are mirrored on the next. (The last one of an odd number of people
    has to do with what is left, pairs among them.)

    Parameters
    ----------
    rows : (K,) int64
    records : int
        People.
    fingers : int
        Of each person.

    Returns
    -------
    record : (K,) int64
        From 0.
    position : (K,) uint8
        From 1.
    """
    pair, side = rows // 2, rows % 2
    record, place = 2 * (pair // fingers) + side, pair % fingers
    last = rows >= (records - records % 2) * fingers
    record[last], place[last] = records - 1, rows[last] % fingers
    return record, (1 + place).astype(np.uint8)


def subjects_of(records: int, fingers: int, count: int, poor: float) -> Subjects:
    """Second touches of some records, evenly spaced; a share of the fingers is poor.

    Parameters
    ----------
    records : int
        People enrolled.
    fingers : int
        Of each person.
    count : int
        People searched for.
    poor : float
        Share of the fingers of which only a small patch is left, 0 to 1.
    """
    rng = np.random.default_rng(SEED)
    chosen = np.unique(np.linspace(0, records - 1, count).astype(int)).tolist()
    rows = np.arange(records * fingers)
    record, position = owners(rows, records, fingers)
    people = []
    for one in chosen:
        own = []
        for row in np.flatnonzero(record == one).tolist():
            # The mirror image touches again as it likes, not as the other did.
            template = next(mates(1, SEED, start=row // 2, impression=1 + row % 2))
            if row % 2:
                template = mirrored(template)
            if rng.random() < poor:
                template = patch(template, rng)
            own.append((encode(template), FingerPosition(int(position[row]))))
        people.append(tuple(own))
    return Subjects(tuple(chosen), tuple(people))


def patch(template: Template, rng: np.random.Generator) -> Template:
    """The minutiae nearest to one of them."""
    if len(template) <= POOR:
        return template
    centre = template.xy[rng.integers(len(template))].astype(np.float64)
    far = ((template.xy - centre) ** 2).sum(axis=1)
    kept = np.sort(np.argsort(far, kind="stable")[:POOR])
    return replace(
        template,
        xy=template.xy[kept],
        angle=template.angle[kept],
        kind=template.kind[kept],
        quality=template.quality[kept],
    )


def measure(
    searcher: PartitionSearcher,
    people: Subjects,
    known: bool,
    effort: str,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """One case: all fingers at once and each alone, in turn.

    Parameters
    ----------
    searcher : PartitionSearcher
        What the engine searches with.
    people : Subjects
        Who is searched for.
    known : bool
        Whether the positions of the probes are known.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    together, alone, verified = [], [], []
    right, single = [], []
    for n, (record, fingers) in enumerate(zip(people.records, people.fingers, strict=True)):
        named = [(f, p if known else FingerPosition.UNKNOWN) for f, p in fingers]
        found, spent = _searched(searcher, named, effort)
        together.append(spent)
        right.append(_first(found, record))
        verified.append(found.cost.fingers_verified)
        each = [_searched(searcher, [one], effort) for one in named]
        alone.append(sum(spent for _, spent in each))
        single += [_first(found, record) for found, _ in each]
        if progress is not None:
            progress("searching", n + 1, len(people.records))
    # The first subject warms up and is not timed.
    at_once, apart = quantiles(together[1:]).median, quantiles(alone[1:]).median
    return {
        "together_ms_median": at_once,
        "alone_ms_median": apart,
        "ratio": apart / at_once,
        "rank1": 100 * float(np.mean(right)),
        "rank1_alone": 100 * float(np.mean(single)),
        "verified_median": quantiles([float(v) for v in verified]).median,
    }


def _searched(
    searcher: PartitionSearcher,
    named: Sequence[tuple[SearchTemplate, FingerPosition]],
    effort: str,
) -> tuple[PartitionScores, float]:
    groups: dict[FingerPosition, list[Forms]] = {}
    for finger, position in named:
        groups.setdefault(position, []).append((finger,))
    probe = Probe(tuple((p, tuple(groups[p])) for p in sorted(groups)))
    request = PartitionRequest(searcher.partition, probe, True, frozenset(), effort)
    start = time.process_time()
    found = searcher.search(request)
    return found, 1e3 * (time.process_time() - start)


def _first(found: PartitionScores, record: int) -> bool:
    # Keys are counted from 1.
    mine = found.records == record + 1
    if not mine.any():
        return False
    return bool(found.scores[mine].max() > found.scores[~mine].max(initial=-np.inf))
