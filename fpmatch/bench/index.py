"""Benchmarks of the index: masks, batches, building and opening."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.bench.gallery import (
    background,
    build_index,
    gallery_conditions,
    opened,
    probe_set,
    timed_search,
)
from fpmatch.bench.measure import Bench, quantiles, stated
from fpmatch.bench.opening import make_gallery, time_openings
from fpmatch.evaluate.extraction import Progress
from fpmatch.index import PartitionIndex

Source = str | os.PathLike[str]


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
    """Time of a search under masks that bar more and more rows, against none.

    Parameters
    ----------
    fingers : int
        Rows of the gallery.
    barred : sequence of float
        Shares of the rows that a mask bars, 0 to 1.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    threads : int
        Threads of a search.
    repeats : int
        Searches under each mask.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    own = probe_set((), synthetic=repeats, progress=progress)
    with opened(fingers, own, threads, cache, progress) as index:
        ids = index.row_ids()
        rng = np.random.default_rng(1)
        masks: list[NDArray[np.bool_] | None] = [None]
        for share in barred:
            masks.append(rng.random(len(ids)) >= share)
        times: list[list[float]] = [[] for _ in masks]
        for probe in own.probes:
            for place, mask in enumerate(masks):
                times[place].append(timed_search(index, probe, effort, mask)[0])
        base = quantiles([1e3 * t for t in times[0][2:]]).median
        rows = []
        for share, spent in zip(barred, times[1:], strict=True):
            median = quantiles([1e3 * t for t in spent[2:]]).median
            rows.append({"barred": share, "search_ms_median": median, "ratio": median / base})
        figures = {"fingers": index.rows, "unmasked_ms_median": base, "by_barred": rows}
    return Bench("mask", figures, stated(threads=threads, **gallery_conditions(own, effort)))


def bench_batch(
    fingers: int = 10_000,
    *,
    batch: int = 32,
    efforts: Sequence[str] = ("balanced", "scan"),
    threads: int = 1,
    cache: Source | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Shortlists of many probes at once, against one after the other; results are compared.

    Parameters
    ----------
    fingers : int
        Rows of the gallery.
    batch : int
        Probes searched at once.
    efforts : sequence of str
        What to compare, each as the engine takes it.
    threads : int
        Threads of a search.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    own = probe_set((), synthetic=batch, progress=progress)
    forms = [p for p in own.probes if p is not None]
    rows = []
    with opened(fingers, own, threads, cache, progress) as index:
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
    return Bench("batch", figures, stated(threads=threads, **gallery_conditions(own, "")))


def bench_build(
    fingers: int = 10_000, *, cache: Source | None = None, progress: Progress | None = None
) -> Bench:
    """Time to add, write and merge, without making the fingers, and what is stored.

    Parameters
    ----------
    fingers : int
        Rows of the gallery.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
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

    Parameters
    ----------
    fingers : int
        Rows of the gallery.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    own = probe_set((), synthetic=10, progress=progress)
    forms = [p for p in own.probes if p is not None]
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "index"
        build_index(
            at, fingers, own, cache=None if cache is None else Path(cache), progress=progress
        ).close()
        times, firsts, seconds = [], [], []
        for _ in range(5):
            start = time.perf_counter()
            index = PartitionIndex.open(at)
            times.append(1e3 * (time.perf_counter() - start))
            firsts.append(1e3 * timed_search(index, forms[0], "balanced", None)[0])
            seconds.append(1e3 * timed_search(index, forms[1], "balanced", None)[0])
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
