"""What the audit costs a search, and how fast a log verifies.

    python benchmarks/bench_audit.py [--searches N] [--partitions P] [--json FILE]

A search is one intent and one outcome for P partitions. CPU time is the process's own; wall time
holds the waiting for the disk. Figures are the median over rounds of 100 searches, the lowest
round beside it: on a machine shared with others the lowest is nearer the cost of the code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fpmatch.audit import (
    AuditLog,
    IntentRecord,
    OutcomeRecord,
    PartitionIntent,
    PartitionOutcome,
)

ROUND = 100


def intent(i: int, partitions: int) -> IntentRecord:
    parts = tuple(
        PartitionIntent(
            f"partition-{p}",
            "ACCEPT+PROBE+VIEW" if p == 0 else "",
            "GRANTED" if p == 0 else "ORI_DEACTIVATED",
            ("rule-1", "rule-2"),
            "LOCAL",
            "MOA-2008-17" if p == 0 else "",
            "statute 1" if p == 0 else "",
        )
        for p in range(partitions)
    )
    return IntentRecord(
        f"TCN{i:012}",
        "CA0380100",
        7,
        "ab" * 32,
        parts,
        ori="CASIR0000",
        chain=("CA0380100", "CASIR0000"),
        transaction="CAR",
        purpose="C",
        charge="misdemeanor",
        probe_digest="cd" * 32,
        fingers=10,
        max_candidates=20,
        effort="balanced",
        matcher_version="0.1.0",
        parameters_digest="ef" * 8,
    )


def outcome(i: int, partitions: int) -> OutcomeRecord:
    parts = [
        PartitionOutcome(
            "partition-0",
            "SEARCHED_DISCLOSED",
            "GRANTED",
            100000,
            4000000,
            100000,
            500,
            gallery_root="12" * 32,
            candidate_digest=f"{i:064x}",
            n_candidates=1,
            recipients=("CA0380100",),
        )
    ]
    parts += [
        PartitionOutcome(f"partition-{p}", "NOT_SEARCHED", "ORI_DEACTIVATED")
        for p in range(1, partitions)
    ]
    return OutcomeRecord(f"TCN{i:012}", tuple(parts), duration="<30ms")


def rounds(searches: int, one: Callable[[int], None]) -> dict[str, float]:
    """Median and lowest microseconds a search, CPU and wall."""
    cpu, wall = [], []
    for start in range(0, searches, ROUND):
        t, w = time.process_time(), time.perf_counter()
        for i in range(start, start + ROUND):
            one(i)
        cpu.append((time.process_time() - t) / ROUND * 1e6)
        wall.append((time.perf_counter() - w) / ROUND * 1e6)
    return {
        "cpu_us_median": round(statistics.median(cpu), 1),
        "cpu_us_lowest": round(min(cpu), 1),
        "wall_us_median": round(statistics.median(wall), 1),
        "wall_us_lowest": round(min(wall), 1),
    }


def single(folder: Path, durability: Any, searches: int, partitions: int) -> dict[str, float]:
    with AuditLog.create(folder / f"{durability}.db", durability=durability) as log:

        def one(i: int) -> None:
            log.outcome(log.intent(intent(i, partitions)), outcome(i, partitions))

        for i in range(ROUND):
            one(10**9 + i)
        return rounds(searches, one)


def batched(folder: Path, size: int, searches: int, partitions: int) -> dict[str, float]:
    """Group commit by one caller: `size` searches share two syncs."""
    with AuditLog.create(folder / f"batch{size}.db") as log:

        def many(start: int) -> None:
            seqs = log.intents(intent(i, partitions) for i in range(start, start + size))
            log.outcomes((s, outcome(start + k, partitions)) for k, s in enumerate(seqs))

        cpu, wall = [], []
        for start in range(0, max(searches, size), size):
            t, w = time.process_time(), time.perf_counter()
            many(start)
            cpu.append((time.process_time() - t) / size * 1e6)
            wall.append((time.perf_counter() - w) / size * 1e6)
    return {
        "cpu_us_median": round(statistics.median(cpu), 1),
        "wall_us_median": round(statistics.median(wall), 1),
    }


def threaded(folder: Path, threads: int, searches: int, partitions: int) -> dict[str, float]:
    """Group commit by threads that happen to wait for the same sync."""
    with AuditLog.create(folder / f"threads{threads}.db") as log:

        def work(t: int) -> None:
            for i in range(t, searches, threads):
                log.outcome(log.intent(intent(i, partitions)), outcome(i, partitions))

        workers = [threading.Thread(target=work, args=(t,)) for t in range(threads)]
        start, cpu = time.perf_counter(), time.process_time()
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        return {
            "cpu_us_mean": round((time.process_time() - cpu) / searches * 1e6, 1),
            "wall_us_mean": round((time.perf_counter() - start) / searches * 1e6, 1),
        }


def verification(path: Path) -> dict[str, float]:
    best = 0.0
    with AuditLog.open(path) as log:
        for _ in range(3):
            t = time.process_time()
            report = log.verify()
            best = max(best, report.records / (time.process_time() - t))
    size = path.stat().st_size
    return {"records_per_cpu_second": round(best), "bytes_per_search": size * 2 // report.records}


def yardstick() -> float:
    """Microseconds for one SHA-256 of 61 bytes: tells a slow or crowded machine from slow code."""
    message = b"\x02" * 61
    best = float("inf")
    for _ in range(50):
        t = time.process_time()
        for _ in range(1000):
            hashlib.sha256(message).hexdigest()
        best = min(best, time.process_time() - t)
    return round(best * 1e3, 2)


def run(searches: int, partitions: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = max(ROUND, searches // 10)
        return {
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "load_average": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "sha256_us": yardstick(),
            "searches": searches,
            "partitions": partitions,
            "no_fsync": single(folder, "off", searches, partitions),
            "fsync": single(folder, "full", few, partitions),
            "fsync_batches_of_100": batched(folder, 100, few, partitions),
            "fsync_8_threads": threaded(folder, 8, few, partitions),
            "verify": verification(folder / "off.db"),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=3000)
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--json", default="-")
    asked = parser.parse_args()
    text = json.dumps(run(asked.searches, asked.partitions), indent=2)
    if asked.json == "-":
        print(text)
    else:
        Path(asked.json).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
