"""Intervals by resampling whole identities (Bolle, Ratha, Pankanti 2004: subsets bootstrap).

The impressions of one finger are not independent, so fingers are drawn, not comparisons. An
identity drawn ``w`` times counts its mated comparisons ``w`` times, and a non-mated comparison
of identities drawn ``v`` and ``w`` times counts ``v * w`` times; copies of one identity are
never compared with each other. Identities are drawn within strata of equal folders, so that
every replicate has as many fingers a folder as the original.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.evaluate.extraction import Sample
from fpmatch.evaluate.identification import Searches, fnir_at_fpir, rank_rate
from fpmatch.evaluate.metrics import (
    RATES,
    Comparisons,
    VerificationMetrics,
    mean_metrics,
    summarise,
)
from fpmatch.evaluate.protocol import Pairs

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Percentile intervals, percent; NaN where a rate is undefined."""

    databases: Mapping[str, Mapping[str, Interval]]
    mean: Mapping[str, Interval]
    pooled: Mapping[str, Interval]
    rank1: Interval
    fnir_at_fpir_1pct: Interval


def identity_weights(samples: Sequence[Sample], replicates: int, seed: int) -> NDArray[np.int64]:
    """(B, I) how often each identity is drawn in each replicate."""
    folders: dict[int, set[int]] = {}
    for s in samples:
        folders.setdefault(s.identity, set()).add(s.database)
    strata: dict[tuple[int, ...], list[int]] = {}
    for identity, where in sorted(folders.items()):
        strata.setdefault(tuple(sorted(where)), []).append(identity)
    generator = np.random.default_rng(seed)
    weights = np.zeros((replicates, 1 + max(folders, default=-1)), np.int64)
    for _, members in sorted(strata.items()):
        n = len(members)
        weights[:, members] = generator.multinomial(n, np.full(n, 1 / n), size=replicates)
    return weights


def intervals(
    samples: Sequence[Sample],
    names: Sequence[str],
    pairs: Pairs,
    searches: Searches,
    probes: NDArray[np.int64],
    *,
    replicates: int,
    level: float,
    seed: int,
) -> Intervals:
    """Resample and recompute every rate.

    Parameters
    ----------
    samples, names, pairs, searches
        The evaluation; ``names`` are the folders' names by position.
    probes : (S,) int64
        The sample behind each search.
    replicates : int
    level : float
        Coverage, percent.
    seed : int
    """
    weights = identity_weights(samples, replicates, seed)
    identity = np.array([s.identity for s in samples], np.int64)
    sets = [_Set(pairs, identity, pairs.database == d) for d in range(len(names))]
    pool = _Set(pairs, identity, np.ones(len(pairs), np.bool_))
    each: list[list[list[float]]] = [[] for _ in names]
    mean, pooled, rank1, fnir = [], [], [], []
    for w in weights:
        parts = [s.metrics(w) for s in sets]
        for rows, part in zip(each, parts, strict=True):
            rows.append([getattr(part, r) for r in RATES])
        mean.append([getattr(mean_metrics(parts), r) for r in RATES])
        pooled.append([getattr(pool.metrics(w), r) for r in RATES])
        searched = w[identity[probes]]
        rank1.append(rank_rate(searches, 1, searched))
        fnir.append(fnir_at_fpir(searches, 100, searched))
    return Intervals(
        databases={n: _by_rate(rows, level) for n, rows in zip(names, each, strict=True)},
        mean=_by_rate(mean, level),
        pooled=_by_rate(pooled, level),
        rank1=percentile_interval(rank1, level),
        fnir_at_fpir_1pct=percentile_interval(fnir, level),
    )


class _Set:
    """One set of comparisons with the identities behind them."""

    def __init__(self, pairs: Pairs, identity: NDArray[np.int64], keep: NDArray[np.bool_]) -> None:
        mated, nonmated = keep & pairs.mated, keep & ~pairs.mated
        self._comparisons = Comparisons(pairs.score[mated], pairs.score[nonmated])
        self._mated = identity[pairs.probe[mated]]
        self._probe = identity[pairs.probe[nonmated]]
        self._candidate = identity[pairs.candidate[nonmated]]

    def metrics(self, w: NDArray[np.int64]) -> VerificationMetrics:
        counts = self._comparisons.counts(w[self._mated], w[self._probe] * w[self._candidate])
        return summarise(counts)


def percentile_interval(values: Sequence[float], level: float) -> Interval:
    """The central ``level`` percent of the defined values."""
    kept = [v for v in values if not math.isnan(v)]
    if not kept:
        return math.nan, math.nan
    low, high = np.percentile(kept, [50 - level / 2, 50 + level / 2])
    return float(low), float(high)


def _by_rate(rows: Sequence[Sequence[float]], level: float) -> dict[str, Interval]:
    columns = list(zip(*rows, strict=True)) or [()] * len(RATES)
    return {r: percentile_interval(c, level) for r, c in zip(RATES, columns, strict=True)}
