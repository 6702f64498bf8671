"""Latency of two reader processes and of a thread in the writer, alone and beside changes.

``python benchmarks/readers_beside.py --fingers 2000 --more 20000 --expunge 50``. In each phase all
three places make one search after the other. Ratios of one run on one machine: on two cores
four busy threads share them, so that a ratio of two is the cores' and not a lock's; the last phase,
beside work that has nothing to do with the gallery, shows how much is. Processor time of the thread
that searches is given too: on a busy machine the clock tells of the others. ``--alone`` is how long
the phases without changes take, where that is less than what 50 000 enrolments need; a phase with
changes ends with them. ``--at-once`` is how many records are expunged in one call.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from fpmatch.bench.leakage import DENIED, POLICY
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.types import Record, SearchRequest

SPAWN = multiprocessing.get_context("spawn")
SEED = 7


Took = tuple[float, float]
"""Milliseconds of a search by the clock, and of its thread's processor time."""


def searches(
    engine: Engine, seconds: float, number: int, probes: list[Any], over: Any = None
) -> list[Took]:
    """What each search took in some time, or until it is over."""
    out, until, n = [], time.monotonic() + seconds, 0
    while time.monotonic() < until and not (over is not None and over.is_set()):
        n += 1
        asked = SearchRequest(
            fingers=[probes[n % len(probes)]],
            booking_ori=DENIED,
            transaction="CAR",
            tcn=f"{number}-{time.monotonic_ns()}",
        )
        began, worked = time.monotonic(), time.thread_time()
        answer = engine.search(asked)
        worked = time.thread_time() - worked
        assert answer["criminal"].candidates is not None, answer
        out.append((1000 * (time.monotonic() - began), 1000 * worked))
    return out


def reader(place: Path, number: int, orders: Any, answers: Any, over: Any) -> None:
    probes = list(templates(50, SEED, impression=1))
    with Engine.open(place, "r", durability="off") as engine:
        searches(engine, 1.0, number, probes)
        answers.put("ready")
        while (seconds := orders.get()) is not None:
            answers.put(searches(engine, seconds, number, probes, over))


def phase(
    name: str, seconds: float, both: list, engine: Engine, probes: list, over: Any
) -> list[float]:
    """One phase; its figures by place."""
    for orders, _ in both:
        orders.put(seconds)
    own = searches(engine, seconds, 0, probes, over)
    theirs = [t for _, answers in both for t in answers.get(timeout=600)]
    out = []
    for where, took in (("readers", theirs), ("writer's thread", own)):
        said = []
        for ms in (sorted(t[0] for t in took), sorted(t[1] for t in took)):
            said += [statistics.median(ms), ms[len(ms) * 99 // 100]]
        out += said
        figures = " ".join(f"{one:8.1f}" for one in said)
        print(f"{name:28} {where:16} {len(took):6} {figures}", flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=2000)
    parser.add_argument("--more", type=int, default=20_000)
    parser.add_argument("--expunge", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=1, help="records of one expungement")
    parser.add_argument("--seconds", type=float, default=20, help="longest time of a phase")
    parser.add_argument("--alone", type=float, default=0, help="of those without changes")
    given = parser.parse_args()
    people = list(templates(given.fingers + given.more, SEED))
    probes = list(templates(50, SEED, impression=1))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "g"
        with Engine.create(place, durability="off") as engine:
            engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=given.fingers)
            engine.publish(Policy.parse(POLICY))
            first = [Record(f"R-{n}", [people[n]]) for n in range(given.fingers)]
            engine.enrol("criminal", first)
            over = SPAWN.Event()
            both = [(SPAWN.Queue(), SPAWN.Queue()) for _ in range(2)]
            work = [
                SPAWN.Process(target=reader, args=(place, n, *queues, over))
                for n, queues in enumerate(both, 1)
            ]
            for process in work:
                process.start()
            for _, answers in both:
                assert answers.get(timeout=300) == "ready"
            heads = " ".join(f"{h:>8}" for h in ("median", "99 %", "CPU med.", "CPU 99 %"))
            print(f"{'phase':28} {'where':16} {'N':>6} {heads}   milliseconds")
            still = given.alone or given.seconds
            alone = phase("alone", still, both, engine, probes, over)
            stop = threading.Event()
            done = {"enrolling": 0, "expunging": 0, "other work": 0}

            def enrol() -> None:
                for at in range(given.fingers, len(people), 256):
                    if stop.is_set():
                        return
                    some = range(at, min(at + 256, len(people)))
                    engine.enrol("criminal", [Record(f"R-{n}", [people[n]]) for n in some])
                    done["enrolling"] += len(some)

            def expunge() -> None:
                for first in range(0, given.expunge, given.at_once):
                    if stop.is_set():
                        return
                    some = range(first, min(first + given.at_once, given.expunge))
                    names = [f"R-{n}" for n in some]
                    if given.at_once == 1:
                        engine.expunge(names[0], order="o", authority="a")
                    else:
                        engine.expunge_many(names, order="o", authority="a")
                    done["expunging"] += len(names)

            def other_work() -> None:
                while not stop.is_set():
                    sorted(range(100_000), key=lambda n: -n)

            changes = (("enrolling", enrol), ("expunging", expunge), ("other work", other_work))
            for name, change in changes:
                stop.clear()
                over.clear()

                def until_done(change: Any = change) -> None:
                    try:
                        change()
                    finally:
                        over.set()

                began = time.monotonic()
                thread = threading.Thread(target=until_done)
                thread.start()
                seconds = still if change is other_work else given.seconds
                beside = phase(f"beside {name}", seconds, both, engine, probes, over)
                stop.set()
                thread.join()
                took = time.monotonic() - began
                ratios = ", ".join(f"{b / a:.2f}" for a, b in zip(alone, beside, strict=True))
                print(f"  against alone: {ratios}; {done[name]} done in {took:.0f} s", flush=True)
            for orders, _ in both:
                orders.put(None)
            for process in work:
                process.join()


if __name__ == "__main__":
    main()
