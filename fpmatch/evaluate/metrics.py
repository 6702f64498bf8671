"""Error rates of verification, counted exactly: every tie falls on the same side.

A comparison is accepted when its score is at or above the threshold. The candidates for a
threshold are all distinct scores and one above them all, so that nothing is interpolated.
Counts stay integers until the last division (ISO/IEC 19795-1, Cappelli et al. 2006 for FMR100,
FMR1000 and ZeroFMR).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_numbers
from fpmatch.errors import InputError


@dataclass(frozen=True, slots=True)
class VerificationMetrics:
    """One-to-one error rates, percent; NaN where a set is empty.

    Parameters
    ----------
    eer : float
        Mean of FMR and FNMR at the threshold where they are closest.
    fmr100, fmr1000, zerofmr : float
        Lowest FNMR with FMR at most 1 %, at most 0.1 %, and with no false match.
    mated, nonmated : float
        Number of comparisons (a mean over databases may be fractional).
    """

    eer: float
    fmr100: float
    fmr1000: float
    zerofmr: float
    mated: float
    nonmated: float


RATES = ("eer", "fmr100", "fmr1000", "zerofmr")


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCounts:
    """False matches and false non-matches at every threshold.

    Parameters
    ----------
    threshold : (T,) float64
        Distinct scores, ascending, and one infinite value above them.
    false_matches : (T,) int64
        Non-mated comparisons with a score at or above the threshold.
    false_nonmatches : (T,) int64
        Mated comparisons with a score below the threshold.
    mated, nonmated : int
        Totals.
    """

    threshold: NDArray[np.float64]
    false_matches: NDArray[np.int64]
    false_nonmatches: NDArray[np.int64]
    mated: int
    nonmated: int

    @property
    def fmr(self) -> NDArray[np.float64]:
        """(T,) false match rate, 0 to 1; NaN without non-mated comparisons."""
        return _rate(self.false_matches, self.nonmated)

    @property
    def fnmr(self) -> NDArray[np.float64]:
        """(T,) false non-match rate, 0 to 1; NaN without mated comparisons."""
        return _rate(self.false_nonmatches, self.mated)


class Comparisons:
    """Scores of one set of comparisons, sorted once so that they can be reweighted cheaply.

    Parameters
    ----------
    mated, nonmated : (P,), (Q,) array_like of float
        Finite scores, larger is more alike.

    Raises
    ------
    InputError
        If a score is not finite: a comparison that failed must be given the lowest score.
    """

    def __init__(self, mated: ArrayLike, nonmated: ArrayLike) -> None:
        m = _scores(mated, "mated")
        n = _scores(nonmated, "non-mated")
        values, where = np.unique(np.concatenate([m, n]), return_inverse=True)
        self.threshold = np.append(values, np.inf)
        self._mated = where[: len(m)]
        self._nonmated = where[len(m) :]

    def counts(
        self,
        mated_weights: NDArray[np.int64] | None = None,
        nonmated_weights: NDArray[np.int64] | None = None,
    ) -> ErrorCounts:
        """Count errors at every threshold; the weights say how often a comparison counts.

        Parameters
        ----------
        mated_weights : (M,) int64, optional
            How often each mated comparison counts; once by default.
        nonmated_weights : (N,) int64, optional
            The same of the non-mated ones.
        """
        size = len(self.threshold)
        mated = _histogram(self._mated, mated_weights, size)
        nonmated = _histogram(self._nonmated, nonmated_weights, size)
        below_mated = np.concatenate([[0], np.cumsum(mated)])
        below_nonmated = np.concatenate([[0], np.cumsum(nonmated)])
        return ErrorCounts(
            threshold=self.threshold,
            false_matches=below_nonmated[-1] - below_nonmated[:-1],
            false_nonmatches=below_mated[:-1],
            mated=int(below_mated[-1]),
            nonmated=int(below_nonmated[-1]),
        )


@takes(mated=check_numbers, nonmated=check_numbers)
def verification_metrics(mated: ArrayLike, nonmated: ArrayLike) -> VerificationMetrics:
    """EER, FMR100, FMR1000 and ZeroFMR of two sets of scores, percent.

    Parameters
    ----------
    mated, nonmated : array_like of float
        Finite scores, larger is more alike.

    Returns
    -------
    VerificationMetrics
        Rates are NaN where a set that they need is empty.

    Notes
    -----
    O(n log n) in the number of scores.
    """
    return summarise(Comparisons(mated, nonmated).counts())


def summarise(counts: ErrorCounts) -> VerificationMetrics:
    """The four rates of one error curve, percent."""
    return VerificationMetrics(
        eer=equal_error_rate(counts),
        fmr100=fnmr_at(counts, 100),
        fmr1000=fnmr_at(counts, 1000),
        zerofmr=fnmr_at(counts, None),
        mated=counts.mated,
        nonmated=counts.nonmated,
    )


def equal_error_rate(counts: ErrorCounts) -> float:
    """Mean of FMR and FNMR where they are closest, percent.

    Where two thresholds are equally close, the worse of the two means is taken.
    """
    if not counts.mated or not counts.nonmated:
        return math.nan
    # Cross-multiplied, so that closeness is decided on whole numbers.
    fm = counts.false_matches * counts.mated
    fnm = counts.false_nonmatches * counts.nonmated
    gap = np.abs(fm - fnm)
    best = (fm + fnm)[gap == gap.min()].max()
    return 50.0 * float(best) / (counts.mated * counts.nonmated)


def fnmr_at(counts: ErrorCounts, one_in: int | None) -> float:
    """Lowest FNMR, percent, with FMR at most ``1 / one_in``; None asks for no false match."""
    if not counts.mated or not counts.nonmated:
        return math.nan
    allowed = 0 if one_in is None else counts.nonmated // one_in
    first = int(np.argmax(counts.false_matches <= allowed))
    return 100.0 * float(counts.false_nonmatches[first]) / counts.mated


def mean_metrics(parts: list[VerificationMetrics]) -> VerificationMetrics:
    """Unweighted mean over databases; databases whose rate is undefined are left out of it."""
    names = (*RATES, "mated", "nonmated")
    return VerificationMetrics(*(nanmean([getattr(p, name) for p in parts]) for name in names))


def nanmean(values: list[float]) -> float:
    """Mean of what is defined; NaN of nothing."""
    kept = [v for v in values if not math.isnan(v)]
    return math.fsum(kept) / len(kept) if kept else math.nan


def _scores(values: ArrayLike, name: str) -> NDArray[np.float64]:
    check_numbers(f"{name} scores", values)
    scores = np.asarray(values, dtype=np.float64).ravel()
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        raise InputError(
            f"{bad} of {len(scores)} {name} scores are not finite; give a failed comparison "
            "the lowest score"
        )
    return scores


def _histogram(
    where: NDArray[np.int64], weights: NDArray[np.int64] | None, size: int
) -> NDArray[np.int64]:
    if weights is None:
        return np.bincount(where, minlength=size).astype(np.int64)
    # float64 holds whole numbers exactly up to 2**53, far above any number of comparisons.
    return np.rint(np.bincount(where, weights=weights, minlength=size)).astype(np.int64)


def _rate(count: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    if total == 0:
        return np.full(len(count), np.nan)
    return count / total
