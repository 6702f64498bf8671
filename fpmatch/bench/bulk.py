"""Bulk enrolment beside a loop that reads, extracts and enrols one picture after the other."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fpmatch import bulk
from fpmatch.bench.measure import SEED, Bench, bench_images, stated
from fpmatch.bulk.items import Item
from fpmatch.checks import check_integer
from fpmatch.evaluate.extraction import Progress
from fpmatch.image import read_image
from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.template import extract
from fpmatch.types import Record

_MOST = 1_000_000


class _Made:
    """Templates that are at hand, as a source."""

    def __init__(self, count: int) -> None:
        self.total: int | None = count

    def items(self) -> Iterator[Item]:
        for i, finger in enumerate(templates(self.total or 0, SEED)):
            yield Item(f"R-{i}", made=Record(f"R-{i}", [finger]))


def bench_bulk(
    *, pictures: int = 200, stored: int = 4000, progress: Progress | None = None
) -> Bench:
    """Items a second of a naive loop, and of `fpmatch.bulk.enrol` with none, one and two processes.

    All in one run, on one folder of pictures, with full durability.

    Parameters
    ----------
    pictures : int
        Files; synthetic prints that come again under other names.
    stored : int
        Templates enrolled without any picture.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    Bench
        ``whole`` is with the start of the processes, ``steady`` from the first item on; ``ratio``
        is to the naive loop. ``again`` is a second call, which finds all enrolled. CPU time is
        that of this process and of those that it started, their start included.
    """
    check_integer("pictures", pictures, 4, _MOST)
    check_integer("stored", stored, 4, _MOST)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "prints")
        _write(folder, pictures)
        said = progress or (lambda *_: None)
        spent = _cpu()
        naive = _naive(Path(place), folder, pictures)
        figures["naive_per_second"] = round(naive, 2)
        figures["naive_cpu_seconds"] = round(_cpu() - spent, 2)
        for number, workers in enumerate((0, 1, 2), 1):
            said("enrolling", number, 5)
            with _engine(Path(place, f"g{workers}")) as engine:
                spent = _cpu()
                whole, steady = _timed(engine, folder, workers)
                figures[f"cpu_seconds_{workers}_workers"] = round(_cpu() - spent, 2)
                again, _ = _timed(engine, folder, workers)
            figures[f"whole_per_second_{workers}_workers"] = round(whole, 2)
            figures[f"steady_per_second_{workers}_workers"] = round(steady, 2)
            figures[f"whole_ratio_{workers}_workers"] = round(whole / naive, 2)
            figures[f"steady_ratio_{workers}_workers"] = round(steady / naive, 2)
            figures[f"again_per_second_{workers}_workers"] = round(again, 1)
        said("enrolling", 4, 5)
        with _engine(Path(place, "one")) as engine:
            direct = _rate(stored, lambda: engine.enrol("criminal", _records(stored)))
        with _engine(Path(place, "two")) as engine:
            rate = _rate(stored, lambda: bulk.enrol(engine, "criminal", _Made(stored)))
        figures["stored_per_second"] = round(rate, 1)
        figures["stored_ratio_to_engine_enrol"] = round(rate / direct, 2)
        said("enrolling", 5, 5)
    return Bench(
        "bulk",
        figures,
        stated(threads=2, pictures=pictures, stored=stored, durability="full", clock="wall"),
    )


@contextmanager
def _engine(path: Path) -> Iterator[Engine]:
    with Engine.create(path) as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI")
        yield engine


def _write(folder: Path, count: int) -> None:
    images = bench_images(())
    folder.mkdir()
    for i in range(count):
        (folder / f"R-{i:06d}.png").write_bytes(images[i % len(images)][0])


def _naive(place: Path, folder: Path, count: int) -> float:
    """What one writes first: read, extract, enrol, next; what it compiles is not counted."""
    paths = sorted(folder.iterdir())
    extract(read_image(paths[0], ppi=500))

    def loop() -> None:
        for path in paths:
            finger = extract(read_image(path, ppi=500))
            engine.enrol("criminal", [Record(path.stem, [finger])])

    with _engine(place / "naive") as engine:
        return _rate(count, loop)


def _timed(engine: Engine, folder: Path, workers: int) -> tuple[float, float]:
    """Items a second from the call on, and from the first item on."""
    first: list[float] = []

    def tell(now: bulk.Progress) -> None:
        if not first:
            first.append(time.perf_counter())

    count = sum(1 for _ in folder.iterdir())
    began = time.perf_counter()
    report = bulk.enrol(engine, "criminal", folder, workers=workers, ppi=500, progress=tell)
    ended = time.perf_counter()
    assert report.ok
    return count / (ended - began), (count - 1) / (ended - first[0])


def _cpu() -> float:
    """Seconds of CPU time of this process, and of those that it started and that are gone."""
    return sum(os.times()[:4])


def _records(count: int) -> Iterator[Record]:
    return (Record(f"R-{i}", [finger]) for i, finger in enumerate(templates(count, SEED)))


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)
