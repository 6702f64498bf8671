"""What a submitter can learn from a clock.

Two questions, each asked with paired searches in random order: does an answer of a partition
whose results are withheld take longer on a hit than on none, and does an answer take longer when a
partition that the submitter may not search is large?
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fpmatch.errors import InputError
from fpmatch.evaluate.bench import SEED, Bench, quantiles, stated
from fpmatch.evaluate.extraction import Progress
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.synthetic import mates, templates
from fpmatch.types import FingerPosition, Record, SearchRequest

POSITION = FingerPosition.RIGHT_INDEX
WITHHELD, DENIED = "CA0380100", "CA0380200"
POLICY = f"""
version = 1
transactions = ["CAR"]
[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
[[jurisdiction]]
id = "CA"
[[agency]]
ori = "{WITHHELD}"
parent = "CA"
[[agency]]
ori = "{DENIED}"
parent = "CA"
[[rule]]
id = "criminal"
effect = "permit"
who = "CA"
partitions = "criminal"
author = "DOJ-FBI"
legal_basis = "invented"
[[mode]]
mode = "results_withheld"
who = "{WITHHELD}"
partition = "immigration"
author = "DHS"
"""


def bench_leakage(
    *, fingers: int = 2000, pairs: int = 200, progress: Progress | None = None
) -> Bench:
    """Time withheld hits against withheld misses, and denied partitions of two sizes.

    Parameters
    ----------
    fingers : int
        Fingers of the criminal partition, and of a large immigration partition.
    pairs : int
        Paired searches of each question; at least 10.

    Returns
    -------
    Bench
        For each question the median of both sides in milliseconds, Welch's t, and the share of
        pairs that a guess by the clock alone gets right (0.5 is blind).
    """
    if fingers < 20 or pairs < 10:
        raise InputError(f"{fingers} fingers and {pairs} pairs; at least 20 and 10 are needed")
    figures: dict[str, float | int | bool] = {"fingers": fingers, "pairs": pairs}
    with tempfile.TemporaryDirectory(prefix="fpmatch-leakage-") as folder:
        large = _engine(Path(folder) / "large", fingers, fingers)
        small = _engine(Path(folder) / "small", fingers, 0)
        with large, small:
            hit, miss = _hits(large, fingers, pairs, progress)
            figures |= _compared("withheld_hit", "withheld_miss", hit, miss)
            many, none = _denied(large, small, fingers, pairs, progress)
            figures |= _compared("denied_large", "denied_empty", many, none)
            figures["withheld_bytes_equal"] = _equal(large, fingers)
    return Bench("leakage", figures, stated(durability="full", seed=SEED, clock="wall"))


def _engine(folder: Path, criminal: int, immigration: int) -> Engine:
    engine = Engine.create(folder, clock=lambda: datetime(2011, 1, 1, tzinfo=UTC))
    for name, ndr, owner, start, count in (
        ("criminal", 1, "DOJ-FBI", 0, criminal),
        ("immigration", 9, "DHS", 10**6, immigration),
    ):
        engine.add_partition(name, ndr, owner)
        made = templates(count, SEED, start=start, position=POSITION)
        engine.enrol(name, (Record(f"{name}-{i}", [t]) for i, t in enumerate(made)))
    engine.publish(Policy.parse(POLICY))
    return engine


def _probe(start: int, ori: str, number: int) -> SearchRequest:
    (finger,) = mates(1, SEED, start=start, position=POSITION, batch=1)
    return SearchRequest(fingers=[finger], booking_ori=ori, tcn=f"L{number:08d}")


def _timed(engine: Engine, request: SearchRequest) -> float:
    start = time.perf_counter()
    engine.search(request)
    return 1000 * (time.perf_counter() - start)


def _hits(
    engine: Engine, fingers: int, pairs: int, progress: Progress | None
) -> tuple[list[float], list[float]]:
    rng = random.Random(SEED)
    out: tuple[list[float], list[float]] = ([], [])
    for i in range(-3, pairs):
        # Neither probe has a mate in the criminal partition.
        requests = [
            _probe(10**6 + (i % fingers), WITHHELD, 2 * i + 10),
            _probe(2 * 10**6 + i + 3, WITHHELD, 2 * i + 11),
        ]
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        for side in order:
            took = _timed(engine, requests[side])
            if i >= 0:
                out[side].append(took)
        if progress is not None and i >= 0:
            progress("withheld", i + 1, pairs)
    return out


def _denied(
    large: Engine, small: Engine, fingers: int, pairs: int, progress: Progress | None
) -> tuple[list[float], list[float]]:
    rng = random.Random(SEED + 1)
    out: tuple[list[float], list[float]] = ([], [])
    for i in range(-3, pairs):
        request = _probe(i % fingers, DENIED, i + 10**7)
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        for side in order:
            took = _timed((large, small)[side], request)
            if i >= 0:
                out[side].append(took)
        if progress is not None and i >= 0:
            progress("denied", i + 1, pairs)
    return out


def _equal(engine: Engine, fingers: int) -> bool:
    sections = {
        engine.search(_probe(start, WITHHELD, start))["immigration"]
        for start in (10**6, 10**6 + fingers // 2, 3 * 10**6)
    }
    return len(sections) == 1


def _compared(
    first: str, second: str, a: Sequence[float], b: Sequence[float]
) -> dict[str, float | int | bool]:
    return {
        f"{first}_ms_median": round(quantiles(a).median, 3),
        f"{second}_ms_median": round(quantiles(b).median, 3),
        f"{first}_t": round(welch(a, b), 2),
        f"{first}_guessed": round(guessed(a, b), 3),
    }


def welch(a: Sequence[float], b: Sequence[float]) -> float:
    """Welch's t of two samples, the 5 % largest of each left out (pauses of the machine)."""
    x, y = (np.sort(np.asarray(v))[: max(2, int(len(v) * 0.95))] for v in (a, b))
    spread = math.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
    return float((x.mean() - y.mean()) / spread) if spread > 0 else 0.0


def guessed(a: Sequence[float], b: Sequence[float]) -> float:
    """Share of pairs in which the first took longer; ties count half."""
    x, y = np.asarray(a), np.asarray(b)
    return float(((x > y) + 0.5 * (x == y)).mean())
