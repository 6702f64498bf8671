"""Benchmarks of 1:N: search, mask, batch, build and open."""

from __future__ import annotations

import math
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.evaluate.bench import Bench, quantiles, stated
from fpmatch.evaluate.bench_gallery import ProbeSet, build_index, probe_set
from fpmatch.evaluate.bench_opening import make_gallery, time_openings
from fpmatch.evaluate.extraction import Progress
from fpmatch.index import PartitionIndex
from fpmatch.index.build import LIST_COLUMNS

Source = str | os.PathLike[str]
_LIST_BYTES = sum(np.dtype(dtype).itemsize for dtype, _ in LIST_COLUMNS.values())
_ROW_BYTES = 8 + 1 + 8 + 1
_SCAN_PROBES = 140


def bench_search(
    fingers: Sequence[int] = (10_000,),
    probes: Sequence[Source] = (),
    *,
    ppi_map: Source | Mapping[str, float] | None = None,
    identities: Source | None = None,
    effort: str = "balanced",
    threads: int = 1,
    scan_probes: int = _SCAN_PROBES,
    exhaustive_probes: int = 40,
    cache: Source | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Speed and rank-1 of searches at several sizes.

    Parameters
    ----------
    fingers : sequence of int
        Gallery sizes, mates included.
    probes : sequence of path
        Folders of ``<finger>_<impression>.<ext>``: impression 1 is enrolled, the others are
        probes. Synthetic fingers without.
    effort : str
    threads : int
    scan_probes : int
        Probes, evenly spaced, that are searched with effort ``scan`` as well: all of them up to
        100 000 fingers, so many above. ``rank1_same`` is the effort's rank-1 on the same probes.
    exhaustive_probes : int
        The same for effort ``exhaustive``, up to 20 000 fingers.
    cache : path, optional
        Folder that keeps the background for the next run.

    Notes
    -----
    A search is the shortlist and its verification. Rank-1 counts ties as misses. Templates a
    second and core are N / (median x threads). Times are wall clock after one warm-up pass over
    a few probes; `search_cpu_ms_median` is the time of the searching process.
    """
    own = probe_set(probes, ppi_map=ppi_map, identities=identities, progress=progress)
    rows = []
    for n in sorted(fingers):
        with _gallery(n, own, threads, cache, progress) as index:
            rows.append(
                _measure(index, own, effort, threads, scan_probes, exhaustive_probes, progress)
            )
    for before, row in zip([None, *rows[:-1]], rows, strict=True):
        row["growth_exponent"] = None if before is None else _growth(before, row)
    largest = {k: v for k, v in rows[-1].items() if k != "milliseconds"}
    figures = {**largest, "by_fingers": rows}
    return Bench("search", figures, stated(threads=threads, **_conditions(own, effort)))


def bench_mask(
    fingers: int = 10_000,
    *,
    barred: Sequence[float] = (0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999),
    effort: str = "balanced",
    threads: int = 1,
    repeats: int = 40,
    cache: Source | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Time of a search under masks that bar more and more rows, against none."""
    own = probe_set((), synthetic=repeats, progress=progress)
    with _gallery(fingers, own, threads, cache, progress) as index:
        ids = index.row_ids()
        rng = np.random.default_rng(1)
        masks: list[NDArray[np.bool_] | None] = [None]
        for share in barred:
            masks.append(rng.random(len(ids)) >= share)
        times: list[list[float]] = [[] for _ in masks]
        for probe in own.probes:
            for place, mask in enumerate(masks):
                times[place].append(_timed(index, probe, effort, mask)[0])
        base = quantiles([1e3 * t for t in times[0][2:]]).median
        rows = []
        for share, spent in zip(barred, times[1:], strict=True):
            median = quantiles([1e3 * t for t in spent[2:]]).median
            rows.append({"barred": share, "search_ms_median": median, "ratio": median / base})
        figures = {"fingers": index.rows, "unmasked_ms_median": base, "by_barred": rows}
    return Bench("mask", figures, stated(threads=threads, **_conditions(own, effort)))


def bench_batch(
    fingers: int = 10_000,
    *,
    batch: int = 32,
    efforts: Sequence[str] = ("balanced", "scan"),
    threads: int = 1,
    cache: Source | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Shortlists of many probes at once, against one after the other; results are compared."""
    own = probe_set((), synthetic=batch, progress=progress)
    forms = [p for p in own.probes if p is not None]
    rows = []
    with _gallery(fingers, own, threads, cache, progress) as index:
        for effort in efforts:
            index.shortlist_many(forms[:2], effort=effort)
            start = time.perf_counter()
            together = index.shortlist_many(forms, effort=effort)
            middle = time.perf_counter()
            alone = [index.shortlist(p, effort=effort) for p in forms]
            end = time.perf_counter()
            same = all(
                np.array_equal(a.row_ids, b.row_ids) and np.array_equal(a.votes, b.votes)
                for a, b in zip(together, alone, strict=True)
            )
            rows.append(
                {
                    "effort": effort,
                    "batch_ms_per_probe": 1e3 * (middle - start) / len(forms),
                    "single_ms_per_probe": 1e3 * (end - middle) / len(forms),
                    "identical": same,
                }
            )
        figures = {"fingers": index.rows, "batch": len(forms), "by_effort": rows}
    return Bench("batch", figures, stated(threads=threads, **_conditions(own, "")))


def bench_build(
    fingers: int = 10_000, *, cache: Source | None = None, progress: Progress | None = None
) -> Bench:
    """Time to add, write and merge, without making the fingers, and what is stored."""
    from fpmatch.evaluate.bench_gallery import background

    made = list(background(fingers, cache=None if cache is None else Path(cache)))
    with tempfile.TemporaryDirectory() as folder:
        index = PartitionIndex.create(folder, expected_fingers=fingers)
        start = time.process_time()
        done = 0
        for packed in made:
            ids = done + np.arange(len(packed))
            index.add(ids, packed, np.zeros(len(packed), np.uint8))
            done += len(packed)
            if progress is not None:
                progress("adding", done, fingers)
        index.flush()
        added = time.process_time()
        index.compact()
        figures = {
            "fingers": index.rows,
            "add_us_per_finger": 1e6 * (added - start) / fingers,
            "compact_us_per_finger": 1e6 * (time.process_time() - added) / fingers,
            "bytes_per_finger": index.stored_bytes / index.rows,
        }
        index.close()
    return Bench("build", figures, stated(state="processor time"))


def bench_open(
    fingers: int = 10_000, *, cache: Source | None = None, progress: Progress | None = None
) -> Bench:
    """Time to open a gallery, and of its first searches, which check the blocks they touch.

    ``open_ms_*`` is the index alone; ``engine_open_*`` all of `Engine.open` on a gallery of one
    record a finger, the first time (``_first``) with columns read from the tables.
    """
    own = probe_set((), synthetic=10, progress=progress)
    forms = [p for p in own.probes if p is not None]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "index"
        build_index(at, fingers, own, cache=_path(cache), progress=progress).close()
        times, firsts, seconds = [], [], []
        for _ in range(5):
            start = time.perf_counter()
            index = PartitionIndex.open(at)
            times.append(1e3 * (time.perf_counter() - start))
            firsts.append(1e3 * _timed(index, forms[0], "balanced", None)[0])
            seconds.append(1e3 * _timed(index, forms[1], "balanced", None)[0])
            index.close()
        figures = {
            "fingers": fingers,
            "open_ms_median": quantiles(times).median,
            "open_ms_first": times[0],
            "first_search_ms_median": quantiles(firsts).median,
            "second_search_ms_median": quantiles(seconds).median,
        }
        make_gallery(Path(folder) / "gallery.fpm", at, fingers)
        figures |= time_openings(Path(folder) / "gallery.fpm")
    return Bench("open", figures, stated(state="pages in the system's cache"))


@contextmanager
def _gallery(
    fingers: int,
    own: ProbeSet,
    threads: int,
    cache: Source | None,
    progress: Progress | None,
) -> Iterator[PartitionIndex]:
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "index"
        build_index(at, fingers, own, cache=_path(cache), progress=progress).close()
        index = PartitionIndex.open(at, threads=threads)
        try:
            yield index
        finally:
            index.close()


def _measure(
    index: PartitionIndex,
    own: ProbeSet,
    effort: str,
    threads: int,
    scan_probes: int,
    exhaustive_probes: int,
    progress: Progress | None,
) -> dict[str, Any]:
    every = np.arange(len(own.probes))
    count = index.rows
    for n in every[:5]:
        _timed(index, own.probes[n], effort, None)
    found = {effort: _rank1(index, own, effort, every, progress)}
    hits, wall, cpu, stages = found[effort]
    figures: dict[str, Any] = {
        "fingers": count,
        "threads": threads,
        "effort": effort,
        "search_ms_median": quantiles(wall).median,
        "search_ms_p95": quantiles(wall).p95,
        "search_cpu_ms_median": quantiles(cpu).median,
        "rank1": 100 * float(hits.mean()),
        "probes": len(every),
    }
    figures["templates_per_second_per_core"] = count / (figures["search_ms_median"] / 1e3 * threads)
    limits = {"scan": scan_probes if count > 150_000 else len(every)}
    limits["exhaustive"] = min(exhaustive_probes, len(every)) if count <= 20_000 else 0
    for other, limit in limits.items():
        some = every[:: max(1, len(every) // limit)] if limit else every[:0]
        if not len(some):
            continue
        right, spent, _, _ = _rank1(index, own, other, some, progress)
        figures[f"rank1_{other}"] = 100 * float(right.mean())
        figures[f"rank1_same_{other}"] = 100 * float(hits[some].mean())
        figures[f"probes_{other}"] = len(some)
        figures[f"{other}_ms_median"] = quantiles(spent).median
    stored = index.stored_bytes
    figures |= {
        "bytes_per_finger": stored / count,
        "resident_bytes_per_finger": _LIST_BYTES * index.cylinders / count + _ROW_BYTES,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "milliseconds": {name: quantiles(values).median for name, values in stages.items()},
    }
    return figures


def _rank1(
    index: PartitionIndex,
    own: ProbeSet,
    effort: str,
    probes: NDArray[np.int64],
    progress: Progress | None,
) -> tuple[NDArray[np.bool_], list[float], list[float], dict[str, list[float]]]:
    """Whether each probe's identity scores highest alone; milliseconds of wall and process."""
    right = np.zeros(len(probes), np.bool_)
    wall, cpu = [], []
    stages: dict[str, list[float]] = {}
    for place, n in enumerate(probes):
        spent, used, ids, scores, ms = _timed_in_full(index, own.probes[n], effort)
        wall.append(1e3 * spent)
        cpu.append(1e3 * used)
        for name, value in ms.items():
            stages.setdefault(name, []).append(value)
        mine = own.own(int(n), ids)
        if mine.any():
            best = int(scores[~mine].max(initial=-1))
            right[place] = int(scores[mine].max()) > best
        if progress is not None:
            progress(f"searching {index.rows} ({effort})", place + 1, len(probes))
    return right, wall, cpu, stages


def _timed_in_full(
    index: PartitionIndex,
    probe: SearchTemplate | None,
    effort: str,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[float, float, NDArray[np.int64], NDArray[np.int32], dict[str, float]]:
    if probe is None:
        return math.nan, math.nan, np.zeros(0, np.int64), np.zeros(0, np.int32), {}
    wall, cpu = time.perf_counter(), time.process_time()
    found = index.shortlist(probe, effort=effort, allowed=allowed)
    middle = time.perf_counter()
    scores = index.verify(probe, found.row_ids)
    end = time.perf_counter()
    ms = {**found.cost.milliseconds, "verify": 1e3 * (end - middle)}
    return end - wall, time.process_time() - cpu, found.row_ids, scores, ms


def _timed(
    index: PartitionIndex,
    probe: SearchTemplate | None,
    effort: str,
    allowed: NDArray[np.bool_] | None,
) -> tuple[float, float]:
    wall, cpu, *_ = _timed_in_full(index, probe, effort, allowed)
    return wall, cpu


def _growth(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    ratio = after["search_ms_median"] / before["search_ms_median"]
    return math.log(ratio) / math.log(after["fingers"] / before["fingers"])


def _path(cache: Source | None) -> Path | None:
    return None if cache is None else Path(cache)


def _conditions(own: ProbeSet, effort: str) -> dict[str, Any]:
    return {
        "probes": own.source,
        "background": "synthetic fingers and their mirror images, one touch each",
        "effort": effort,
    }
