"""Processor time of an enrolment through the engine, for each template, and where it goes.

``python benchmarks/enrol_stages.py --fingers 5000 --rounds 3``: records of one synthetic finger,
with identity, event and contributor, in one call of `Engine.enrol` at full durability. Times are
those of the thread that enrols. The first figure is of rounds in which nothing is watched; the
stages are of rounds that are, which cost more, each without the stages within it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fpmatch.gallery import records
from fpmatch.index import PartitionIndex
from fpmatch.search import Engine, indexing, resemblance
from fpmatch.search.state import State
from fpmatch.sqlite_errors import Cursor
from fpmatch.synthetic import templates
from fpmatch.template import Template
from fpmatch.types import Record

SEED = 7
WATCHED: tuple[tuple[Any, str, str], ...] = (
    (indexing, "encode_many", "search forms: codes and texture"),
    (PartitionIndex, "batch", "laying a batch out"),
    (Template, "to_bytes", "stored forms, without deflating"),
    (zlib, "compress", "deflating the orientation"),
    (records, "check", "checks of a record"),
    (records, "enrol", "rows and digests, without SQLite"),
    (records, "show", "columns in memory"),
    (Cursor, "execute", "SQLite"),
    (Cursor, "executemany", "SQLite"),
    (State, "log", "the log's record of a batch"),
    (PartitionIndex, "announce", "the file for readers"),
    (PartitionIndex, "join_memory", "joining batches in memory"),
    (resemblance, "doubts", "comparing with what was held"),
)
"""Where a stage is, and what it is called."""


class Stages:
    """Thread time by stage, each without those within it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._within = [0.0]

    def watching(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def timed(*arguments: Any, **more: Any) -> Any:
            self._within.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **more)
            finally:
                took = time.thread_time() - began
                self.spent[stage] += took - self._within.pop()
                self._within[-1] += took

        return timed


@contextmanager
def watched(stages: Stages | None) -> Iterator[None]:
    """Time the stages, if there is somebody to tell."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in WATCHED]
    try:
        for owner, name, stage in WATCHED if stages is not None else ():
            setattr(owner, name, stages.watching(stage, getattr(owner, name)))
        yield
    finally:
        for owner, name, old in before:
            setattr(owner, name, old)


def enrolled(people: list[Template], warm: int, stages: Stages | None) -> float:
    """Seconds of thread time of one enrolment of all but the first."""
    some = [
        Record(f"R-{n}", [one], identity=f"P-{n}", event=f"E-{n}", contributor="CA0380777")
        for n, one in enumerate(people)
    ]
    with tempfile.TemporaryDirectory() as folder, Engine.create(Path(folder) / "g") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI")
        engine.enrol("criminal", some[:warm])
        with watched(stages):
            began = time.thread_time()
            engine.enrol("criminal", some[warm:])
            return time.thread_time() - began


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    warm = 300
    people = list(templates(given.fingers + warm, SEED))
    plain, seen, stages = [], [], Stages()
    for _ in range(given.rounds):
        plain.append(1e3 * enrolled(people, warm, None) / given.fingers)
        seen.append(1e3 * enrolled(people, warm, stages) / given.fingers)
    print(f"{statistics.median(plain):.3f} ms a template, unwatched; {min(plain):.3f} at best")
    print(f"{statistics.mean(seen):.3f} ms a template, watched; of which us")
    spent = {name: 1e6 * one / given.rounds / given.fingers for name, one in stages.spent.items()}
    spent["all else"] = 1e3 * statistics.mean(seen) - sum(spent.values())
    for name, us in sorted(spent.items(), key=lambda one: -one[1]):
        print(f"{us:8.0f}  {name}")


if __name__ == "__main__":
    main()
