"""Run as a script: kill a bulk enrolment at random moments, go on with it, say what came of it.

A process of its own that forks before any thread exists, so that a dozen kills cost one start.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from engine_helpers import print_of

from fpmatch import bulk
from fpmatch.bulk import pool
from fpmatch.descriptor import encode
from fpmatch.parameters import SEARCH
from fpmatch.search import Engine, enrolment
from fpmatch.types import RecordsRequest

SMALL = 4
"""Items of a batch, so that a small source has many."""


def enrol(place: Path, source: Path, workers: int, step: int, pipe: int) -> None:
    """Until the end; tells of every step, and of the processes that it starts."""
    enrolment.SEARCH = dataclasses.replace(SEARCH, enrol_batch=SMALL)
    told = 0

    def tell(_: bulk.Progress) -> None:
        nonlocal told
        told += 1
        if told == step:
            os.write(pipe, b"s")

    class Known(pool._Worker):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)
            with (place.parent / "workers").open("a") as file:
                file.write(f"{self.process.pid}\n")

    pool._Worker = Known
    with Engine.open(place, "rw") as engine:
        report = bulk.enrol(engine, "criminal", source, workers=workers, ppi=500, progress=tell)
        os.write(pipe, json.dumps(report.to_dict()).encode())


def run(place: Path, source: Path, workers: int, step: int, delay: float) -> dict | None:
    """One attempt, killed some moments after a step; its report if it came to its end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            enrol(place, source, workers, step, writer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        first = pipe.read(1)
        if first == b"s":
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        said = first + pipe.read()
    killed = os.waitpid(child, 0)[1] & 127
    return None if killed else json.loads(said.lstrip(b"s") or b"{}")


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be forgotten."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left(place: Path) -> list[int]:
    """Processes that outlive those that started them by ten seconds."""
    log = place.parent / "workers"
    pids = [int(line) for line in log.read_text().split()] if log.exists() else []
    until = time.monotonic() + 10
    while time.monotonic() < until and any(map(alive, pids)):
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


def main() -> None:
    place, source, workers, kills, seed = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        *map(int, sys.argv[3:6]),
    )
    # What each enrolment needs is in memory before the first is forked.
    encode(print_of(0))
    chance = random.Random(seed)
    steps = int(sys.argv[6])
    done = 0
    for _ in range(kills):
        done += (
            run(place, source, workers, chance.randrange(1, steps), chance.random() / 50) is None
        )
    orphans = left(place)
    report = run(place, source, workers, 0, 0)
    again = run(place, source, workers, 0, 0)
    with Engine.open(place, "rw") as engine:
        owner = RecordsRequest(owner="DOJ-FBI")
        rows = engine._state.gallery.database.execute("SELECT COUNT(*), MAX(key) FROM finger")
        count, last = rows.fetchone()
        sys.stdout.write(
            json.dumps(
                {
                    "killed": done,
                    "orphans": orphans,
                    "report": report,
                    "again": again,
                    "records": [r.record for r in engine.records("criminal", owner)],
                    "fingers": count,
                    "last": last & ((1 << 40) - 1),
                    "root": engine._state.gallery.root("criminal"),
                    "verifies": engine.audit.verify().ok,
                }
            )
        )


if __name__ == "__main__":
    main()
