"""Exact intervals of shares, for rates that resampling cannot judge: those without an error.

A bootstrap of no errors has no errors in any replicate, and says "0.00 to 0.00" of ten
comparisons as of ten million. Clopper and Pearson (1934) say how large the true rate may be.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer, check_number
from fpmatch.evaluate.metrics import RATES, VerificationMetrics

if TYPE_CHECKING:
    from fpmatch.evaluate.bootstrap import Interval, Intervals

_MOST = 2**53
_HALVINGS = 200
"""Enough for any root that a float can hold."""


@takes(errors=int, trials=int)
def clopper_pearson(errors: int, trials: int, level: float = 95.0) -> tuple[float, float]:
    """The two-sided exact interval of a share, percent.

    Parameters
    ----------
    errors : int
        How often it happened, 0 to ``trials``.
    trials : int
        Out of how many independent trials, from 0.
    level : float
        Coverage, percent, 1 to 99.9999.

    Returns
    -------
    tuple of float
        Lower and upper bound, percent; NaN of no trials.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    O(min(errors, trials - errors)), none where nothing or everything happened.
    """
    check_integer("trials", trials, 0, _MOST)
    check_integer("errors", errors, 0, trials)
    tail = (1 - check_number("level", level, 1.0, 99.9999) / 100) / 2
    if trials == 0:
        return math.nan, math.nan
    return 100 * (1 - _highest(trials - errors, trials, tail)), 100 * _highest(errors, trials, tail)


def _highest(errors: int, trials: int, tail: float) -> float:
    """The share with which so few errors or fewer happen with probability ``tail``."""
    if errors == trials:
        return 1.0
    if errors == 0:
        return -math.expm1(math.log(tail) / trials)
    # The shorter side of the distribution is summed: errors or fewer, or those above them.
    above = errors > trials // 2
    k = np.arange(errors + 1, trials + 1) if above else np.arange(errors + 1)
    terms = _log_choose(trials, k)
    low, high = errors / trials, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        if share in (low, high):
            break
        part = np.exp(terms + k * math.log(share) + (trials - k) * math.log1p(-share)).sum()
        low, high = (share, high) if (1 - part if above else part) > tail else (low, share)
    return (low + high) / 2


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    """(K,) logarithm of n over k, for consecutive k."""
    first = int(k[0])
    start = math.lgamma(n + 1) - math.lgamma(first + 1) - math.lgamma(n - first + 1)
    steps = np.log((n - k[1:] + 1) / k[1:])
    return start + np.concatenate([[0.0], np.cumsum(steps)])


def with_exact_bounds(
    intervals: Intervals,
    databases: Mapping[str, VerificationMetrics],
    mean: VerificationMetrics,
    pooled: VerificationMetrics,
    searched: tuple[float, float, int],
    level: float,
) -> Intervals:
    """The intervals, with the exact one of every rate that has no error, or nothing else.

    Parameters
    ----------
    intervals : Intervals
        Of the bootstrap.
    databases : mapping
        Rates by database.
    mean, pooled : VerificationMetrics
    searched : tuple
        Rank-1 rate and FNIR, percent, and how many searches had a mate.
    level : float
        Coverage, percent.

    Returns
    -------
    Intervals
        Never narrower than the bootstrap's; its ``exact`` names what was replaced.
    """
    named: list[str] = []

    def wider(name: str, old: Interval, exact: Interval | None) -> Interval:
        if exact is None:
            return old
        named.append(name)
        return _hull(old, exact)

    def rates(
        where: str, old: Mapping[str, Interval], m: VerificationMetrics
    ) -> dict[str, Interval]:
        counts = (round(m.mated), round(m.nonmated))
        return {
            r: wider(f"{where}.{r}", old[r], _rate_bound(r, getattr(m, r), counts, level))
            for r in RATES
        }

    parts = {n: rates(f"databases.{n}", intervals.databases[n], m) for n, m in databases.items()}
    means = {
        r: wider(f"mean.{r}", intervals.mean[r], _mean_bound(r, list(databases.values()), level))
        for r in RATES
    }
    rank1, fnir, searches = searched
    return dataclasses.replace(
        intervals,
        databases=parts,
        mean=means,
        pooled=rates("pooled", intervals.pooled, pooled),
        rank1=wider("rank1", intervals.rank1, _bound(rank1, searches, level)),
        fnir_at_fpir_1pct=wider(
            "fnir_at_fpir_1pct", intervals.fnir_at_fpir_1pct, _bound(fnir, searches, level)
        ),
        exact=tuple(named),
    )


def _bound(rate: float, trials: int, level: float) -> Interval | None:
    """The exact interval of a rate of 0 or 100 percent; None of any other."""
    if rate not in (0.0, 100.0) or trials == 0:
        return None
    return clopper_pearson(trials if rate else 0, trials, level)


def _rate_bound(rate: str, value: float, counts: tuple[int, int], level: float) -> Interval | None:
    """Of one set of comparisons; ``counts`` are its mated and non-mated ones."""
    if rate != "eer":
        return _bound(value, counts[0], level)
    if value != 0:
        return None
    # At the threshold without an error of either kind the true rates are under both bounds, and
    # the equal error rate lies between them. Each bound leaves half of what the level leaves.
    return 0.0, max(clopper_pearson(0, n, level)[1] for n in counts)


def _mean_bound(rate: str, parts: Sequence[VerificationMetrics], level: float) -> Interval | None:
    """Of the mean over databases, none of which has an error.

    Of k databases with n comparisons or more the chance of no error at all is at most
    (1 - mean)^(k n), by the inequality of the means: as of k n comparisons with the mean rate.
    """
    kept = [m for m in parts if not math.isnan(getattr(m, rate))]
    if not kept or any(getattr(m, rate) != 0 for m in kept):
        return None
    mated = len(kept) * round(min(m.mated for m in kept))
    high = clopper_pearson(0, mated, level)[1]
    if rate == "eer":
        nonmated = len(kept) * round(min(m.nonmated for m in kept))
        high += clopper_pearson(0, nonmated, level)[1]
    return 0.0, min(high, 100.0)


def _hull(old: Interval, exact: Interval) -> Interval:
    low, high = (v for v in old)
    if math.isnan(low):
        return exact
    return min(low, exact[0]), max(high, exact[1])
