"""Error rates of open-set identification (ISO/IEC 19795-1: FNIR, FPIR; CMC)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.evaluate.metrics import Comparisons, ErrorCounts

MISSED = np.iinfo(np.int64).max
"""Rank of a mate that cannot be returned at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """One row a search of the gallery.

    Parameters
    ----------
    mate : (S,) float64
        Highest score of the probe's own identity; the lowest score if it failed to enrol or
        the probe failed to extract.
    other : (S,) float64
        Highest score of all other identities: what the search returns first once the probe's
        identity is removed from the gallery. Just under the lowest score if nothing is left.
    rank : (S,) int64
        1 + the number of other identities that score at least as high as the mate: ties count
        against it. `MISSED` for a failure to extract or to enrol.
    mated : (S,) bool
        Whether the probe's identity is in the gallery.
    """

    mate: NDArray[np.float64]
    other: NDArray[np.float64]
    rank: NDArray[np.int64]
    mated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mate)


def search_outcomes(
    scores: NDArray[np.float64],
    probe_identity: NDArray[np.int64],
    gallery_identity: NDArray[np.int64],
    probe_failed: NDArray[np.bool_],
    gallery_failed: NDArray[np.bool_],
) -> Searches:
    """Reduce a score matrix to what decides every identification rate.

    Parameters
    ----------
    scores : (S, G) float64
        Finite; failures hold the lowest score.
    probe_identity, gallery_identity : (S,), (G,) int64
    probe_failed, gallery_failed : (S,), (G,) bool

    Returns
    -------
    Searches

    Raises
    ------
    InputError
        If shapes do not fit.
    """
    if scores.shape != (len(probe_identity), len(gallery_identity)):
        raise InputError(
            f"scores of shape {scores.shape} for {len(probe_identity)} probes and "
            f"{len(gallery_identity)} gallery entries"
        )
    floor = float(scores.min()) if scores.size else 0.0
    identities, column = np.unique(gallery_identity, return_inverse=True)
    best = np.full((len(scores), len(identities)), floor)
    for g, c in enumerate(column):
        np.maximum(best[:, c], scores[:, g], out=best[:, c])
    enrolled = np.zeros(len(identities), np.bool_)
    np.logical_or.at(enrolled, column, ~gallery_failed)

    own = probe_identity[:, None] == identities[None, :]
    mated = own.any(axis=1)
    mate = np.where(mated, np.where(own, best, -np.inf).max(axis=1, initial=-np.inf), floor)
    rest = np.where(own, -np.inf, best).max(axis=1, initial=-np.inf)
    other = np.maximum(rest, np.nextafter(floor, -np.inf))
    rank = 1 + ((best >= mate[:, None]) & ~own).sum(axis=1)
    possible = mated & ~probe_failed & (own & enrolled).any(axis=1)
    return Searches(mate, other, np.where(possible, rank, MISSED).astype(np.int64), mated)


@takes(searches=Searches, rank=int)
def rank_rate(searches: Searches, rank: int = 1, weights: NDArray[np.int64] | None = None) -> float:
    """Share of mated searches whose mate is at or above ``rank``, percent.

    Parameters
    ----------
    searches : Searches
        What each search came to.
    rank : int
        From 1.
    weights : (S,) int64, optional
        How often each search counts; once by default.
    """
    return _share(searches.rank[searches.mated] <= rank, _mated(searches, weights))


@takes(searches=Searches, depth=int)
def cmc(searches: Searches, depth: int) -> NDArray[np.float64]:
    """(depth,) cumulative match characteristic, percent, at ranks 1 to ``depth``."""
    return np.array([rank_rate(searches, r) for r in range(1, depth + 1)])


def open_set_counts(searches: Searches, weights: NDArray[np.int64] | None = None) -> ErrorCounts:
    """FPIR (as false matches) and FNIR (as false non-matches) at every threshold.

    Both come from the same searches: FPIR from each with the probe's identity removed.

    Parameters
    ----------
    searches : Searches
        What each search came to.
    weights : (S,) int64, optional
        How often each search counts; once by default.
    """
    comparisons = Comparisons(searches.mate[searches.mated], searches.other)
    return comparisons.counts(_mated(searches, weights), weights)


@takes(searches=Searches, one_in=int)
def fnir_at_fpir(
    searches: Searches, one_in: int = 100, weights: NDArray[np.int64] | None = None
) -> float:
    """Lowest FNIR, percent, with FPIR at most ``1 / one_in``.

    A failure to extract or to enrol is a miss at any threshold.

    Parameters
    ----------
    searches : Searches
        What each search came to.
    one_in : int
        The FPIR is one in so many searches.
    weights : (S,) int64, optional
        How often each search counts; once by default.
    """
    mated_weights = _mated(searches, weights)
    missed = searches.rank[searches.mated] == MISSED
    if len(missed) == 0 or (mated_weights is not None and mated_weights.sum() == 0):
        return math.nan
    counts = open_set_counts(searches, weights)
    if not counts.nonmated:
        return math.nan
    first = int(np.argmax(counts.false_matches <= counts.nonmated // one_in))
    below = searches.mate[searches.mated] < counts.threshold[first]
    return _share(below | missed, mated_weights)


def rates_at(searches: Searches, threshold: float) -> tuple[float, float]:
    """FPIR and FNIR, percent, at a fixed score."""
    missed = (searches.mate < threshold) | (searches.rank == MISSED)
    return _share(searches.other >= threshold, None), _share(missed[searches.mated], None)


def _mated(searches: Searches, weights: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    return None if weights is None else weights[searches.mated]


def _share(hits: NDArray[np.bool_], weights: NDArray[np.int64] | None) -> float:
    if weights is None:
        return 100.0 * float(hits.mean()) if len(hits) else math.nan
    total = int(weights.sum())
    return 100.0 * float(weights[hits].sum()) / total if total else math.nan
