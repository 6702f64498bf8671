"""Scores of a partition -> its ranked candidates, by the names of its records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.gallery import Columns
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.types import Candidate, FingerScore, claim_of


def best_candidates(
    found: PartitionScores,
    columns: Columns,
    most: int,
    threshold: float,
    barred: NDArray[np.bool_] | None = None,
) -> tuple[Candidate, ...]:
    """The best records at or above a threshold, ties by record id.

    Parameters
    ----------
    found : PartitionScores
    columns : Columns
        Of the same partition. A record that is no longer in them is left out.
    most : int
        Candidates.
    threshold : float
        Lowest score listed.
    barred : (N,) bool, optional
        By ordinal in the columns: records that are left out. Those from N on are, too.
    """
    ordinals = columns.names.ordinals_of(found.records)
    keep = (ordinals >= 0) & (found.scores >= threshold)
    if barred is not None:
        known = ordinals < len(barred)
        keep &= known & ~barred[np.where(known, ordinals, 0)] if len(barred) else False
    at = np.flatnonzero(keep)
    if not len(at) or not most:
        return ()
    if len(at) > most:
        least = np.partition(found.scores[at], len(at) - most)[len(at) - most]
        at = at[found.scores[at] >= least]
    names = {i: columns.names[ordinals[i]] for i in at.tolist()}
    ranked = sorted(names, key=lambda i: (-found.scores[i], names[i]))
    return tuple(_candidate(found, i, names[i]) for i in ranked[:most])


def _candidate(found: PartitionScores, i: int, name: str) -> Candidate:
    score = float(found.scores[i])
    fingers = tuple(
        FingerScore(position, float(values[i]))
        for position, values in found.fingers
        if not np.isnan(values[i])
    )
    return Candidate(name, score, claim_of(score).fmr, fingers)
