"""Processor time of expungements, by how many records one call takes out.

``python benchmarks/expunge_many.py --fingers 20000 --rounds 3``: one synthetic finger a record, all
of them in segments; each round expunges 1 record in a call, then 10, 100 and 1000. A row is the
median over the rounds of what a call took of the process's processor time.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from fpmatch.search import Engine
from fpmatch.synthetic import templates
from fpmatch.types import Record

SIZES = (1, 10, 100, 1000)
SEED = 7


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durability", choices=("full", "normal", "off"), default="off")
    given = parser.parse_args()
    if given.rounds * sum(SIZES) > given.fingers:
        parser.error(f"{given.rounds} rounds take {given.rounds * sum(SIZES)} fingers")
    people = list(templates(given.fingers, SEED))
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "g"
        with Engine.create(place, durability="off") as engine:
            engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=given.fingers)
            engine.enrol("criminal", [Record(f"R-{n}", [one]) for n, one in enumerate(people)])
        names = [f"R-{n}" for n in range(given.fingers)]
        random.Random(SEED).shuffle(names)
        with Engine.open(place, "rw", durability=given.durability) as engine:
            engine.expunge(names.pop(), order="o", authority="a")  # warms up
            for _ in range(given.rounds):
                for size in SIZES:
                    some, names = names[:size], names[size:]
                    began = time.process_time()
                    engine.expunge_many(some, order="o", authority="a")
                    took[size].append(1000 * (time.process_time() - began))
    print(f"{'records':>8} {'CPU ms a call':>14} {'a record':>9}")
    for size, each in took.items():
        median = statistics.median(each)
        print(f"{size:8} {median:14.1f} {median / size:9.2f}")


if __name__ == "__main__":
    main()
