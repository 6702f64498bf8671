"""Benchmark of 1:N searches: time, rank-1, growth and bytes, beside a peer."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.bench.gallery import (
    ProbeSet,
    gallery_conditions,
    opened,
    probe_set,
    timed_in_full,
    timed_search,
)
from fpmatch.bench.measure import Bench, quantiles, stated
from fpmatch.bench.peer import measure_nbis
from fpmatch.errors import InputError
from fpmatch.evaluate.extraction import Progress
from fpmatch.index import PartitionIndex
from fpmatch.index.list_layout import LIST_COLUMNS

Source = str | os.PathLike[str]
_LIST_BYTES = sum(np.zeros(entry, dtype).nbytes for dtype, entry in LIST_COLUMNS.values())
_ROW_BYTES = 8 + 1 + 8 + 8 + 1
_SCAN_PROBES = 140
PEERS = ("nbis", "none")


def bench_search(
    fingers: Sequence[int] = (10_000,),
    probes: Sequence[Source] = (),
    *,
    ppi_map: Source | Mapping[str, float] | None = None,
    identities: Source | None = None,
    extractor: str | None = None,
    effort: str = "balanced",
    threads: int = 1,
    peer: str = "nbis",
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
    ppi_map, identities, extractor
        As in `fpmatch.evaluate.evaluate`.
    effort : str
    threads : int
    peer : {"nbis", "none"}
        What else is measured in the same run, on the same prints: see `measure_nbis`.
    scan_probes : int
        Probes, evenly spaced, that are searched with effort ``scan`` as well: all of them up to
        100 000 fingers, so many above. ``rank1_same`` is the effort's rank-1 on the same probes.
    exhaustive_probes : int
        The same for effort ``exhaustive``, up to 20 000 fingers.
    cache : path, optional
        Folder that keeps the background for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Raises
    ------
    InputError
        If the peer is not known.

    Notes
    -----
    A search is the shortlist and its verification. Rank-1 counts ties as misses. Templates a
    second and core are N / (median x threads). Times are wall clock after one warm-up pass over
    a few probes; `search_cpu_ms_median` is the time of the searching process. ``calculated`` is
    no measurement: see `_calculated`.
    """
    if peer not in PEERS:
        raise InputError(f"peer must be one of {', '.join(PEERS)}, not {peer!r}")
    own = probe_set(
        probes, ppi_map=ppi_map, identities=identities, extractor=extractor, progress=progress
    )
    rows = []
    for n in sorted(fingers):
        with opened(n, own, threads, cache, progress) as index:
            rows.append(
                _measure(index, own, effort, threads, scan_probes, exhaustive_probes, progress)
            )
    for before, row in zip([None, *rows[:-1]], rows, strict=True):
        row["growth_exponent"] = None if before is None else _growth(before, row)
    largest = {k: v for k, v in rows[-1].items() if k != "milliseconds"}
    figures = {**largest, "by_fingers": rows}
    if len(rows) > 1:
        figures["calculated"] = _calculated(rows[-1])
    if peer != "none":
        figures["peer"] = _beside(measure_nbis(probes, ppi_map, progress=progress), rows[-1])
    return Bench("search", figures, stated(threads=threads, **gallery_conditions(own, effort)))


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
        timed_search(index, own.probes[n], effort, None)
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
        median = quantiles(spent).median
        figures[f"{other}_ms_median"] = median
        figures[f"{other}_templates_per_second_per_core"] = count / (median / 1e3 * threads)
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
        spent, used, ids, scores, ms = timed_in_full(index, own.probes[n], effort)
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


def _growth(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    ratio = after["search_ms_median"] / before["search_ms_median"]
    return math.log(ratio) / math.log(after["fingers"] / before["fingers"])


def _calculated(row: Mapping[str, Any], times: int = 10) -> list[dict[str, Any]]:
    """Search times at a gallery `times` larger, from what was measured; no measurement.

    Once along the measured slope, which holds as long as lists grow in number, and once as the
    parameters stand: the number of lists ends at 16 384, so that all stages grow with the rows.
    """
    out = []
    for by, slope in (("measured slope", row["growth_exponent"]), ("in proportion", 1.0)):
        median = row["search_ms_median"] * times**slope
        fingers = times * row["fingers"]
        rate = fingers / (median / 1e3 * row["threads"])
        out.append(
            {
                "by": by,
                "fingers": fingers,
                "search_ms_median": median,
                "templates_per_second_per_core": rate,
            }
        )
    return out


def _beside(measured: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The peer's rate, and how many times as fast the searches of the largest gallery are."""
    own = "templates_per_second_per_core"
    if own in measured:
        for name, key in ((row["effort"], own), ("scan", f"scan_{own}")):
            if key in row:
                measured[f"ratio_{name}"] = row[key] / measured[own]
    return measured
