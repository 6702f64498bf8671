"""What a submitter can learn from a clock.

Paired searches in random order ask, under a policy of full and under one of opaque status: does an
answer of a partition whose results are withheld take longer on a hit than on none, and does an
answer take longer when a partition that the submitter may not search is large? Under the opaque
policy also: does an answer take longer where the partition was searched than where it was not?
This is asked without a set time too (``unheld``): what the clock tells then is what the set time
has to hide, and shows that the measurement can see it.
"""

from __future__ import annotations

import itertools
import math
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fpmatch.bench.measure import SEED, Bench, quantiles, stated
from fpmatch.errors import InputError
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
OPAQUE = POLICY.replace('owner = "DHS"\n', 'owner = "DHS"\nstatus_visibility = "opaque"\n', 1)
Sides = tuple[list[float], list[float]]
Figures = dict[str, float | int | bool]
_NUMBERS = itertools.count(1)


def bench_leakage(
    *,
    fingers: int = 2000,
    pairs: int = 200,
    withheld_ms: float = 100.0,
    progress: Progress | None = None,
) -> Bench:
    """Time withheld hits, denied partitions of two sizes, and opaque partitions.

    Parameters
    ----------
    fingers : int
        Fingers of the criminal partition, and of a large immigration partition.
    pairs : int
        Paired searches of each question; at least 10.
    withheld_ms : float
        When answers leave under the opaque policy; above the longest search.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    Bench
        For each question the median of both sides in milliseconds, Welch's t, and the share of
        pairs that a guess by the clock alone gets right (0.5 is blind). Questions asked under the
        opaque policy begin with ``opaque``; ``longest_ms`` is the longest search without a set
        time, and ``withheld_ms`` means nothing unless it is more.

    Raises
    ------
    InputError
        If there are fewer than 20 fingers or 10 pairs, or the set time is not positive.

    Notes
    -----
    Cost: 12 searches a pair, 6 of them of ``withheld_ms`` each.
    """
    if fingers < 20 or pairs < 10:
        raise InputError(f"{fingers} fingers and {pairs} pairs; at least 20 and 10 are needed")
    if not 0 < withheld_ms < math.inf:
        raise InputError(f"withheld_ms must be a positive number, not {withheld_ms!r}")
    figures: Figures = {"fingers": fingers, "pairs": pairs}
    longest = 0.0
    with tempfile.TemporaryDirectory(prefix="fpmatch-leakage-") as folder:
        for name, policy, held in (("full", POLICY, 0.0), ("opaque", OPAQUE, withheld_ms)):
            large = _engine(Path(folder) / f"{name}-large", (fingers, fingers), policy, held)
            small = _engine(Path(folder) / f"{name}-small", (fingers, 0), policy, held)
            label = "opaque_" if held else ""
            with large, small:
                asked = {
                    ("withheld_hit", "withheld_miss"): _hits(large, fingers, pairs, progress),
                    ("denied_large", "denied_empty"): _denied(
                        large, small, fingers, pairs, progress
                    ),
                }
                if held:
                    asked["searched", "not_searched"] = _searched(large, fingers, pairs, progress)
                figures[f"{label}withheld_bytes_equal"] = _equal(large, fingers)
            for (first, second), sides in asked.items():
                figures |= _compared(f"{label}{first}", f"{label}{second}", *sides)
                longest = max(longest, 0.0 if held else max(map(max, sides)))
        with Engine.open(Path(folder) / "opaque-large", "r", clock=_clock) as unheld:
            sides = _searched(unheld, fingers, pairs, progress)
        figures |= _compared("opaque_unheld_searched", "opaque_unheld_not_searched", *sides)
        longest = max(longest, *map(max, sides))
    figures |= {"withheld_ms": withheld_ms, "longest_ms": round(longest, 3)}
    return Bench("leakage", figures, stated(durability="full", seed=SEED, clock="wall"))


def _clock() -> datetime:
    return datetime(2011, 1, 1, tzinfo=UTC)


def _engine(folder: Path, counts: tuple[int, int], policy: str, withheld_ms: float) -> Engine:
    engine = Engine.create(folder, clock=_clock, withheld_ms=withheld_ms)
    for (name, ndr, owner, start), count in zip(
        (("criminal", 1, "DOJ-FBI", 0), ("immigration", 9, "DHS", 10**6)), counts, strict=True
    ):
        engine.add_partition(name, ndr, owner)
        made = templates(count, SEED, start=start, position=POSITION)
        engine.enrol(name, (Record(f"{name}-{i}", [t]) for i, t in enumerate(made)))
    engine.publish(Policy.parse(policy))
    return engine


def _probe(start: int, ori: str) -> SearchRequest:
    (finger,) = mates(1, SEED, start=start, position=POSITION, batch=1)
    return SearchRequest(fingers=[finger], booking_ori=ori, tcn=f"L{next(_NUMBERS):08d}")


def _timed(engine: Engine, request: SearchRequest) -> float:
    start = time.perf_counter()
    engine.search(request)
    return 1000 * (time.perf_counter() - start)


Pair = tuple[tuple[Engine, SearchRequest], tuple[Engine, SearchRequest]]


def _asked(
    make: Callable[[int], Pair], name: str, seed: int, pairs: int, progress: Progress | None
) -> Sides:
    """Time both sides of each pair, in random order; the first three pairs warm up."""
    rng = random.Random(seed)
    out: Sides = ([], [])
    for i in range(-3, pairs):
        both = make(i)
        for side in rng.sample((0, 1), 2):
            took = _timed(*both[side])
            if i >= 0:
                out[side].append(took)
        if progress is not None and i >= 0:
            progress(name, i + 1, pairs)
    return out


def _hits(engine: Engine, fingers: int, pairs: int, progress: Progress | None) -> Sides:
    """A probe with a mate in the withheld partition and one without, neither in the other."""

    def pair(i: int) -> Pair:
        hit, miss = 10**6 + (i % fingers), 2 * 10**6 + i + 3
        return (engine, _probe(hit, WITHHELD)), (engine, _probe(miss, WITHHELD))

    return _asked(pair, "withheld", SEED, pairs, progress)


def _denied(
    large: Engine, small: Engine, fingers: int, pairs: int, progress: Progress | None
) -> Sides:
    """The same search where the denied partition is large and where it is empty."""

    def pair(i: int) -> Pair:
        request = _probe(i % fingers, DENIED)
        return (large, request), (small, request)

    return _asked(pair, "denied", SEED + 1, pairs, progress)


def _searched(engine: Engine, fingers: int, pairs: int, progress: Progress | None) -> Sides:
    """The same probe, every second one with a mate in it, where it is searched and where not."""

    def pair(i: int) -> Pair:
        start = (10**6 if i % 2 else 3 * 10**6) + i % fingers
        return (engine, _probe(start, WITHHELD)), (engine, _probe(start, DENIED))

    return _asked(pair, "opaque", SEED + 2, pairs, progress)


def _equal(engine: Engine, fingers: int) -> bool:
    sections = {
        engine.search(_probe(start, WITHHELD))["immigration"]
        for start in (10**6, 10**6 + fingers // 2, 3 * 10**6)
    }
    return len(sections) == 1


def _compared(first: str, second: str, a: Sequence[float], b: Sequence[float]) -> Figures:
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
