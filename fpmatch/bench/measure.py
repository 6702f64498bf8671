"""What every benchmark shares, and the benchmarks of extraction and comparison.

A benchmark is a function that returns `Bench`: fixed seeds, a warm-up that is thrown away, medians,
and the conditions they were measured under. ``fpmatch bench`` prints them; ``benchmarks/`` runs the
same functions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpmatch.errors import InputError
from fpmatch.evaluate import conditions
from fpmatch.evaluate.extraction import Progress, Sample
from fpmatch.synthetic.bundled import bundled_prints

if TYPE_CHECKING:
    from fpmatch.image import FingerImage

SEED = 20260401
"""Seed of every synthetic print that a benchmark makes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The outcome of one benchmark.

    Parameters
    ----------
    name : str
    figures : dict
        What was measured; names end in their unit.
    conditions : dict
        Machine, versions, sizes, threads, warm or cold.
    nothing : dict
        Figures that are None, and why there was nothing to time.
    """

    name: str
    figures: dict[str, Any]
    conditions: dict[str, Any] = field(default_factory=dict)
    nothing: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Figures at the top, conditions below: plain types."""
        out = {"bench": self.name, **self.figures}
        if self.nothing:
            out["nothing_to_time"] = self.nothing
        return {**out, "conditions": self.conditions}


@dataclass(frozen=True, slots=True)
class Times:
    """Quantiles of repeated timings, in the unit that they were taken in."""

    median: float
    p05: float
    p95: float
    count: int


def stated(*, threads: int = 1, state: str = "warm", **more: Any) -> dict[str, Any]:
    """The conditions of a benchmark.

    Parameters
    ----------
    threads : int
        Threads that did the work.
    state : str
        ``warm`` (compiled, pages in memory) or ``cold``.
    **more
        Sizes, seeds and sources.
    """
    return {
        **more,
        "threads": threads,
        "state": state,
        "machine": conditions.machine(),
        "versions": conditions.versions(),
        "parameters": conditions.parameter_hash(),
    }


def quantiles(values: Sequence[float]) -> Times:
    """Median, 5th and 95th percentile; NaN of nothing."""
    kept = np.asarray([v for v in values if np.isfinite(v)], np.float64)
    if not len(kept):
        return Times(np.nan, np.nan, np.nan, 0)
    low, middle, high = np.percentile(kept, [5, 50, 95])
    return Times(float(middle), float(low), float(high), len(kept))


def timed(
    work: Callable[[], object],
    *,
    repeats: int,
    warmup: int = 1,
    clock: Callable[[], float] = time.thread_time,
) -> Times:
    """Time one piece of work repeatedly, seconds.

    Parameters
    ----------
    work : callable
    repeats, warmup : int
        Timed calls, and calls before them that are thrown away.
    clock : callable
        ``time.thread_time`` for work on this thread (other processes do not disturb it),
        ``time.perf_counter`` for work that waits or uses several threads.
    """
    for _ in range(warmup):
        work()
    values = []
    for _ in range(repeats):
        start = clock()
        work()
        values.append(clock() - start)
    return quantiles(values)


def bench_images(folders: Sequence[str | os.PathLike[str]], ppi_map: Any = None) -> list[Any]:
    """Encoded images (bytes, ppi) of the folders, or synthetic ones where none are given."""
    from fpmatch.evaluate.folders import find_databases, read_ppi_map

    if not folders:
        return _synthetic_images()
    keys = read_ppi_map(ppi_map) if ppi_map is not None else None
    found = find_databases(folders, ppi_map=keys)
    return [(f.path.read_bytes(), d.ppi) for d in found for f in d.impressions]


def bench_extract(
    folders: Sequence[str | os.PathLike[str]] = (),
    *,
    ppi_map: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    repeats: int = 3,
    progress: Progress | None = None,
) -> Bench:
    """Reading and extraction per image, on one thread.

    Parameters
    ----------
    folders : sequence of path
        Images to take; synthetic ones of 388 x 374 pixels if empty.
    ppi_map, extractor
        As in `fpmatch.evaluate.evaluate`.
    repeats : int
        Passes over all images.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    import cv2

    from fpmatch.errors import FpmatchError
    from fpmatch.image import read_image
    from fpmatch.template import extract

    images = bench_images(folders, ppi_map)
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    read_ms: list[float] = []
    extract_ms: list[float] = []
    pixels: list[int] = []
    failures = 0
    try:
        _try_extract(read_image(images[0][0], ppi=images[0][1]), extractor)
        for done in range(repeats * len(images)):
            data, ppi = images[done % len(images)]
            start = time.thread_time()
            image = read_image(data, ppi=ppi)
            middle = time.thread_time()
            try:
                extract(image, extractor=extractor)
            except FpmatchError:
                failures += 1
            read_ms.append((middle - start) * 1e3)
            extract_ms.append((time.thread_time() - middle) * 1e3)
            pixels.append(image.pixels.size)
            if progress is not None:
                progress("extracting", done + 1, repeats * len(images))
    finally:
        cv2.setNumThreads(before)
    times = quantiles(extract_ms)
    figures = {
        "images": len(images),
        "extract_ms_median": round(times.median, 3),
        "extract_ms_p95": round(times.p95, 3),
        "read_ms_median": round(quantiles(read_ms).median, 3),
        "images_per_second_per_core": round(1e3 / times.median, 1),
        "median_pixels": int(np.median(pixels)),
        "failures_to_extract": failures // repeats,
    }
    source = [str(f) for f in folders] or "synthetic, optical"
    return Bench("extract", figures, stated(images=source, seed=SEED, clock="thread CPU"))


def bench_compare(
    folders: Sequence[str | os.PathLike[str]] = (),
    *,
    ppi_map: str | os.PathLike[str] | None = None,
    identities: str | os.PathLike[str] | None = None,
    repeats: int = 5,
    progress: Progress | None = None,
) -> Bench:
    """Comparison of packed templates and of single ones, on one thread.

    ``compare_us_median`` is as in ``fpmatch evaluate``: non-mated candidates, one probe a call.
    ``single_us_median`` is one call of `fpmatch.compare` on two stored templates, encoding
    included.

    Parameters
    ----------
    folders : sequence of path
        Folders of ``<finger>_<impression>.<ext>``; synthetic prints if empty.
    ppi_map : path or mapping, optional
        Pixels per inch by folder key.
    identities : path, optional
        File that joins fingers of several folders to identities.
    repeats : int
        Passes over all comparisons.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Raises
    ------
    InputError
        If fewer than two templates could be made.
    """
    from fpmatch.evaluate.evaluation import load_samples
    from fpmatch.evaluate.protocol import Comparer, within_folders
    from fpmatch.matcher import compare

    if folders:
        samples, _ = load_samples(folders, ppi_map=ppi_map, identities=identities)
    else:
        samples = synthetic_samples(progress)
    pairs = within_folders(samples)
    comparer = Comparer(samples)
    figures: dict[str, Any] = {"templates": int((comparer.row >= 0).sum())}
    nothing: dict[str, str] = {}
    for name, kind in (("compare_us_median", ~pairs.mated), ("mated_us_median", pairs.mated)):
        which = np.flatnonzero(kind)
        probes = np.unique(pairs.probe[which])
        groups = [(int(p), pairs.candidate[which[pairs.probe[which] == p]]) for p in probes]
        values = [comparer.microseconds(p, rows) for _ in range(repeats + 1) for p, rows in groups]
        median = quantiles(values[len(groups) :]).median
        figures[name] = None if np.isnan(median) else round(median, 2)
        if figures[name] is None:
            which_pairs = "non-mated" if name == "compare_us_median" else "mated"
            nothing[name] = f"no {which_pairs} pair of templates"
    usable = [s.template for s in samples if s.template is not None]
    if len(usable) < 2:
        raise InputError("nothing to compare: fewer than two templates")
    single = timed(lambda: compare(usable[0], usable[-1]), repeats=200, warmup=5)
    figures["single_us_median"] = round(single.median * 1e6, 2)
    rate, slow = "comparisons_per_second_per_core", figures["compare_us_median"]
    figures[rate] = None if slow is None else round(1e6 / slow)
    if slow is None:
        nothing[rate] = nothing["compare_us_median"]
    source = [str(f) for f in folders] or "synthetic, optical"
    return Bench("compare", figures, stated(images=source, seed=SEED, clock="thread CPU"), nothing)


def synthetic_samples(progress: Progress | None = None) -> list[Sample]:
    """Templates of twelve synthetic fingers, four impressions each, by image and extraction."""
    from fpmatch.errors import ExtractionError
    from fpmatch.synthetic import impression, master
    from fpmatch.template import extract

    samples = []
    fingers, impressions = 12, 4
    for finger in range(fingers):
        skin = master(SEED + finger)
        for k in range(impressions):
            try:
                template = extract(impression(skin, k + 1).image)
            except ExtractionError:
                template = None
            sample = Sample(
                0, str(finger), k + 1, finger, Path(), 500.0, template, "", float("nan")
            )
            samples.append(sample)
            if progress is not None:
                progress("drawing prints", len(samples), fingers * impressions)
    return samples


def _synthetic_images() -> list[tuple[bytes, float | None]]:
    folder = bundled_prints()
    if folder is not None:
        paths = sorted((folder / "optical").glob("*.png"))
        return [(p.read_bytes(), 500.0) for p in paths]
    import io

    from PIL import Image

    from fpmatch.synthetic import impression, master

    out: list[tuple[bytes, float | None]] = []
    for finger in range(5):
        skin = master(SEED + finger)
        for k in range(4):
            buffer = io.BytesIO()
            Image.fromarray(impression(skin, k + 1).pixels).save(buffer, "PNG")
            out.append((buffer.getvalue(), 500.0))
    return out


def _try_extract(image: FingerImage, extractor: str | None) -> None:
    from fpmatch.errors import ExtractionError
    from fpmatch.template import extract

    try:
        extract(image, extractor=extractor)
    except ExtractionError:
        return
