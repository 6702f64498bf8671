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
    ErrorCounts,
    VerificationMetrics,
    mean_metrics,
    summarise,
)
from fpmatch.evaluate.protocol import Pairs

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Percentile intervals, percent; NaN where a rate is undefined.

    ``exact`` names those that are Clopper and Pearson's instead, as ``databases.NAME.eer``: of
    rates without an error, which no resampling can judge.
    """

    databases: Mapping[str, Mapping[str, Interval]]
    mean: Mapping[str, Interval]
    pooled: Mapping[str, Interval]
    rank1: Interval
    fnir_at_fpir_1pct: Interval
    exact: tuple[str, ...] = ()


def identity_weights(samples: Sequence[Sample], replicates: int, seed: int) -> NDArray[np.int64]:
    """(B, I) how often each identity is drawn in each replicate.

    Parameters
    ----------
    samples : sequence of Sample
        All impressions; pairs and searches are indices into it.
    replicates : int
        Bootstrap replicates: B.
    seed : int
        Same seed, same result.
    """
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
        return summarise(self.counts(w))

    def counts(self, w: NDArray[np.int64]) -> ErrorCounts:
        return self._comparisons.counts(w[self._mated], w[self._probe] * w[self._candidate])


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


def fnmr_band(
    samples: Sequence[Sample],
    pairs: Pairs,
    fmr: NDArray[np.float64],
    *,
    replicates: int,
    level: float,
    seed: int,
) -> NDArray[np.float64]:
    """(2, F) interval of the pooled FNMR, 0 to 1, at each FMR of the grid (F,), 0 to 1.

    Parameters
    ----------
    samples : sequence of Sample
        All impressions; pairs and searches are indices into it.
    pairs : Pairs
        With their scores.
    fmr : (F,) float64
        FMR, 0 to 1.
    replicates : int
        Bootstrap replicates: B.
    level : float
        Of the interval, percent.
    seed : int
        Same seed, same result.
    """
    weights = identity_weights(samples, replicates, seed)
    identity = np.array([s.identity for s in samples], np.int64)
    pool = _Set(pairs, identity, np.ones(len(pairs), np.bool_))
    curves = np.full((len(weights), len(fmr)), np.nan)
    for row, w in zip(curves, weights, strict=True):
        counts = pool.counts(w)
        if counts.mated and counts.nonmated:
            row[:] = fnmr_on(counts, fmr)
    defined = curves[~np.isnan(curves).any(axis=1)]
    if not len(defined):
        return np.full((2, len(fmr)), np.nan)
    return np.percentile(defined, [50 - level / 2, 50 + level / 2], axis=0)


def fnmr_on(counts: ErrorCounts, fmr: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,) lowest FNMR, 0 to 1, with FMR at most each value of the grid.

    Parameters
    ----------
    counts : ErrorCounts
        At every threshold.
    fmr : (F,) float64
        FMR, 0 to 1.
    """
    # FMR falls with the threshold: search its reverse for the first threshold that is allowed.
    falling = counts.fmr[::-1]
    last = np.searchsorted(falling, fmr, side="right")
    return counts.fnmr[len(falling) - last]


def cmc_band(
    samples: Sequence[Sample],
    searches: Searches,
    probes: NDArray[np.int64],
    depth: int,
    *,
    replicates: int,
    level: float,
    seed: int,
) -> NDArray[np.float64]:
    """(2, depth) interval of the CMC, percent, at ranks 1 to ``depth``.

    Parameters
    ----------
    samples : sequence of Sample
        All impressions; pairs and searches are indices into it.
    searches : Searches
        What each search came to.
    probes : (S,) int64
        The sample of each search.
    depth : int
        Highest rank.
    replicates : int
        Bootstrap replicates: B.
    level : float
        Of the interval, percent.
    seed : int
        Same seed, same result.
    """
    weights = identity_weights(samples, replicates, seed)
    identity = np.array([s.identity for s in samples], np.int64)
    spans = [
        percentile_interval([rank_rate(searches, r, w[identity[probes]]) for w in weights], level)
        for r in range(1, depth + 1)
    ]
    return np.array(spans).T
