"""What spreading a gallery over shards costs a search, against one process in the same run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from fpmatch.bench.leakage import POLICY, POSITION
from fpmatch.bench.measure import SEED, Bench, quantiles, stated
from fpmatch.checks import check_integer
from fpmatch.cluster import Cluster
from fpmatch.evaluate.extraction import Progress
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import mates, templates
from fpmatch.types import Record, SearchRequest, SearchResponse

PARTITION, ORI = "criminal", "CA0380200"
BUCKETS = 8
WARM = 3
"""Searches of each that are thrown away."""


def bench_cluster(
    fingers: int = 10_000,
    *,
    shards: Sequence[int] = (1, 2, 4, 8),
    searches: int = 40,
    effort: str = "balanced",
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Processor time, latency and bytes of searches over shards.

    Every probe is searched in one process and over the shards in turn, so that whatever else the
    machine does meets both. Hosts run in this process: the processor time is of all of them, and
    of whoever asks them.

    Parameters
    ----------
    fingers : int
        In the gallery, of as many records.
    shards : sequence of int
        Up to 8; the hosts of one number are the next one's after rebalancing.
    searches : int
        Of each; every second probe has a mate.
    effort : str
        `fast`, `balanced`, `scan` or `exhaustive`.
    cache : path, optional
        Folder that keeps the gallery for the next run.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    check_integer("fingers", fingers, 1, 10**8)
    check_integer("searches", searches, 1, 10**6)
    for number in shards:
        check_integer("shards", number, 1, BUCKETS)
    rows = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gallery = place / "gallery.fpm"
        _gallery(gallery, fingers, cache, progress)
        # Where hosts hold its rows, a gallery keeps no index of its own.
        shutil.copytree(gallery, place / "alone.fpm")
        hosts = tuple(f"h{n}" for n in range(1, max(shards) + 1))
        first = hosts[: shards[0]]
        cluster = stack.enter_context(
            Cluster.start(place / "cluster", first, replicas=1, buckets=BUCKETS)
        )
        spread = stack.enter_context(Engine.open(gallery, "rw", shards=cluster, durability="off"))
        alone = stack.enter_context(Engine.open(place / "alone.fpm", "rw", durability="off"))
        for number in shards:
            cluster.rebalance(hosts[:number])
            what = f"{number} shards"
            rows.append(_measure(alone, spread, cluster, _probes(searches, effort), what, progress))
            rows[-1] = {"shards": number, **rows[-1]}
    figures = {"fingers": fingers, "searches": searches, "by_shards": rows}
    conditions = stated(threads=1, effort=effort, hosts="in this process", seed=SEED)
    return Bench("cluster", figures, conditions)


def _measure(
    alone: Engine,
    spread: Engine,
    cluster: Cluster,
    probes: Iterator[SearchRequest],
    what: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """The figures of one number of shards."""
    wall: tuple[list[float], list[float]] = ([], [])
    cpu: tuple[list[float], list[float]] = ([], [])
    equal = 0
    asked = list(probes)
    before, calls = (0, 0), 0
    for number, probe in enumerate(asked):
        if number == WARM:
            before, calls = cluster.bytes_travelled, cluster.counts.calls
        found: list[SearchResponse] = []
        for side, engine in enumerate((alone, spread)):
            start, spent = time.perf_counter(), time.process_time()
            found.append(engine.search(replace(probe, tcn=f"{probe.tcn}-{what}-{side}")))
            if number >= WARM:
                wall[side].append(1e3 * (time.perf_counter() - start))
                cpu[side].append(1e3 * (time.process_time() - spent))
        equal += _said(found[0]) == _said(found[1])
        if progress is not None:
            progress(what, number + 1, len(asked))
    timed = len(asked) - WARM
    sent, received = (after - b for after, b in zip(cluster.bytes_travelled, before, strict=True))
    return {
        "identical": equal == len(asked),
        "cpu_ms_median": quantiles(cpu[1]).median,
        "cpu_ms_median_alone": quantiles(cpu[0]).median,
        "cpu_ratio": quantiles([b / a for a, b in zip(*cpu, strict=True)]).median,
        "wall_ms_median": quantiles(wall[1]).median,
        "wall_ms_median_alone": quantiles(wall[0]).median,
        "sent_kb": sent / timed / 1e3,
        "received_kb": received / timed / 1e3,
        "calls": (cluster.counts.calls - calls) / timed,
    }


def _said(response: SearchResponse) -> tuple[object, ...]:
    """What has to be the same wherever rows are: all but what was covered, and the time."""
    section = response[PARTITION]
    cost = section.cost
    counters = cost and (cost.live_fingers, cost.codes_scanned, cost.fingers_scanned)
    return section.outcome, section.candidates, section.complete, counters


def _gallery(
    place: Path, fingers: int, cache: str | os.PathLike[str] | None, progress: Progress | None
) -> None:
    """A gallery of synthetic fingers, from the cache where that has it."""
    kept = None if cache is None else Path(cache) / f"cluster-{fingers}.fpm"
    if kept is not None and kept.exists():
        shutil.copytree(kept, place)
        return
    with Engine.create(place, durability="off") as engine:
        engine.add_partition(PARTITION, 1, "DOJ-FBI", expected_fingers=fingers)
        engine.add_partition("immigration", 9, "DHS", expected_fingers=100)
        made = enumerate(templates(fingers, SEED, position=POSITION))

        def records() -> Iterator[Record]:
            for number, template in made:
                if progress is not None and not number % 1000:
                    progress("enrolment", number, fingers)
                yield Record(f"R-{number:08d}", [template])

        engine.enrol(PARTITION, records())
        engine.publish(Policy.parse(POLICY))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(place, kept)


def _probes(searches: int, effort: str) -> Iterator[SearchRequest]:
    """Probes, every second of which has a mate in the gallery."""
    for number in range(searches + WARM):
        start = number // 2 if number % 2 else 10**8 + number
        (finger,) = mates(1, SEED, start=start, position=POSITION, batch=1)
        yield SearchRequest(fingers=[finger], booking_ori=ORI, tcn=f"B{number:06d}", effort=effort)
