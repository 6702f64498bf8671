"""How long searches take while another thread enrols into the partition that they search."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fpmatch.bench.leakage import DENIED, POLICY
from fpmatch.bench.measure import SEED, Bench, quantiles, stated
from fpmatch.errors import InputError
from fpmatch.evaluate.extraction import Progress
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.template import Template
from fpmatch.types import Record, SearchRequest

_QUIET = 50
"""Searches before anything is enrolled, the first of which warms up."""


def bench_enrolment(
    *,
    fingers: int = 2000,
    more: int = 4000,
    deadline_ms: float | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Latency of searches alone, and while a bulk enrolment runs in a second thread.

    Parameters
    ----------
    fingers : int
        Enrolled before anything is measured.
    more : int
        Enrolled while searches go on, as one call.
    deadline_ms : float, optional
        Of each search; the share that ends incomplete is reported.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    Bench
        Milliseconds on the clock: median, 95th percentile and longest, alone and during the
        enrolment, and their ratio; fingers enrolled per second, alone and beside the searches.

    Raises
    ------
    InputError
        If there are fewer than 20 fingers of either kind.
    """
    if fingers < 20 or more < 20:
        raise InputError("the benchmark needs at least 20 fingers before and 20 meanwhile")
    people = list(templates(fingers + 2 * more, SEED))
    with tempfile.TemporaryDirectory() as folder, Engine.create(Path(folder) / "g") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=len(people))
        engine.add_partition("immigration", 9, "DHS")
        engine.publish(Policy.parse(POLICY))
        engine.enrol("criminal", _records(people[:fingers], 0))
        clock = _Searches(engine, people[:fingers], deadline_ms)
        quiet = [clock.one() for _ in range(_QUIET)][1:]
        began = time.perf_counter()
        engine.enrol("criminal", _records(people[fingers : fingers + more], fingers))
        alone = more / (time.perf_counter() - began)
        clock.incomplete = 0
        busy, beside = _beside(engine, clock, people[fingers + more :], fingers + more, progress)
    figures: dict[str, float | int] = {"searches_alone": len(quiet), "searches_beside": len(busy)}
    for name, values in (("alone", quiet), ("beside", busy)):
        found = quantiles(values)
        figures[f"search_ms_median_{name}"] = round(found.median, 2)
        figures[f"search_ms_p95_{name}"] = round(found.p95, 2)
        figures[f"search_ms_longest_{name}"] = round(max(values), 2)
    figures["search_ratio"] = round(quantiles(busy).median / quantiles(quiet).median, 2)
    figures["incomplete_beside"] = clock.incomplete
    figures["enrolled_per_second_alone"] = round(alone, 1)
    figures["enrolled_per_second_beside"] = round(beside, 1)
    return Bench(
        "enrolment",
        figures,
        stated(threads=2, fingers=fingers, more=more, deadline_ms=deadline_ms, durability="full"),
    )


def _records(people: list[Template], first: int) -> Iterator[Record]:
    return (Record(f"R-{first + i}", [finger]) for i, finger in enumerate(people))


class _Searches:
    """One search after the other, each timed by the clock."""

    def __init__(self, engine: Engine, people: list[Template], deadline_ms: float | None) -> None:
        self.engine = engine
        self.deadline_ms = deadline_ms
        self.people = itertools.cycle(people)
        self.incomplete = 0

    def one(self) -> float:
        """Milliseconds of the next."""
        asked = SearchRequest(
            fingers=[next(self.people)], booking_ori=DENIED, deadline_ms=self.deadline_ms
        )
        began = time.perf_counter()
        answer = self.engine.search(asked)
        self.incomplete += not answer["criminal"].complete
        return 1e3 * (time.perf_counter() - began)


def _beside(
    engine: Engine,
    clock: _Searches,
    people: list[Template],
    first: int,
    progress: Progress | None,
) -> tuple[list[float], float]:
    """Milliseconds of each search that ran beside the enrolment, and fingers a second of that."""
    ended = threading.Event()
    rate: list[float] = []

    def bulk() -> None:
        try:
            began = time.perf_counter()
            engine.enrol(
                "criminal",
                _records(people, first),
                progress=lambda seen, _: progress and progress("enrolling", seen, len(people)),
            )
            rate.append(len(people) / (time.perf_counter() - began))
        finally:
            ended.set()

    thread = threading.Thread(target=bulk)
    thread.start()
    times = []
    while not ended.is_set():
        times.append(clock.one())
    thread.join()
    return times, rate[0]
