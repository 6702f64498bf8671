"""Time to load, publish and ask a policy of 40 000 agencies and 64 partitions.

    python benchmarks/bench_policy.py [AGENCIES [PARTITIONS]]

CPU time of one thread; medians where a step is repeated.
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from invent_policy import invent

from fpmatch.policy import Policy
from fpmatch.policy.decide import decide
from fpmatch.types import Decision, Facts, Ori

AT = datetime(2011, 1, 1, tzinfo=UTC)


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def first(policy: Policy, asked: list[Facts]) -> list[Decision]:
    """Decisions as if none had been made before."""
    return [decide(policy.registry, facts, AT, policy.digest) for facts in asked]


def main(agencies: int, partitions: int) -> dict[str, object]:
    text, rows = invent(agencies, partitions)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.toml"
        path.write_text(text, encoding="utf-8")
        (Path(folder) / "agencies.csv").write_text(rows, encoding="utf-8")
        load = seconds(lambda: Policy.load(path), 3)
        policy = Policy.load(path)
    table = policy.compile(AT)
    rng = random.Random(2)
    chosen = rng.choices([a.ori for a in policy.declared.agencies if not a.relay], k=500)
    asked = [Facts((Ori(o), Ori(o[:2] + "SIR0000")), "CAR", charge="felony") for o in chosen]
    return {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "agencies": len(policy.declared.agencies),
        "partitions": partitions,
        "rows": len(table.rows),
        "table_bytes": table.nbytes,
        "load_s": round(load, 3),
        "publish_s": round(seconds(lambda: policy.compile(AT), 5), 3),
        "matrix_s": round(seconds(lambda: policy.matrix(AT)), 3),
        "matrix_csv_s": round(seconds(policy.matrix(AT).to_csv), 3),
        "matrix_arrow_s": round(seconds(policy.matrix(AT).to_arrow), 3),
        "never_granted_s": round(seconds(policy.never_granted), 3),
        "digest_s": round(seconds(lambda: Policy(policy.declared).digest), 3),
        "deactivate_s": round(
            seconds(
                lambda: policy.deactivate(chosen[0], "p1", authority=chosen[0], reason="", at=AT)
            ),
            3,
        ),
        "look_up_us": round(
            1e6 * seconds(lambda: [table.masks(f) for f in asked], 9) / len(asked), 2
        ),
        "decide_us": round(1e6 * seconds(lambda: first(policy, asked[:50]), 3) / 50, 1),
        "decide_again_us": round(
            1e6 * seconds(lambda: [policy.decide(f, AT) for f in asked], 9) / len(asked), 1
        ),
        "decide_us_per_partition": round(
            1e6 * seconds(lambda: first(policy, asked[:50]), 3) / 50 / partitions, 1
        ),
    }


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:]]
    print(json.dumps(main(*(numbers + [40_000, 64][len(numbers) :])), indent=1))
