"""Each database under thresholds that were chosen on the others.

An error rate at a threshold that its own comparisons chose flatters: in use the threshold is there
before the prints. So each database is left out in turn, as if it had come later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.evaluate.bootstrap import Interval
from fpmatch.evaluate.exact import clopper_pearson
from fpmatch.evaluate.identification import MISSED, Searches, open_set_counts, rank_rate
from fpmatch.evaluate.metrics import Comparisons, ErrorCounts
from fpmatch.evaluate.result import Evaluation, number
from fpmatch.parameters import EVALUATE

FMR_ONE_IN = 1000
FPIR_ONE_IN = 100


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One database at thresholds of the others; rates in percent, NaN where undefined.

    Parameters
    ----------
    database : str
    threshold : float
        Lowest score with FMR at most 0.1 % on all others; infinite if only that is high enough.
    fmr, fnmr : float
        Here, at that threshold.
    fmr_interval, fnmr_interval : tuple of float
        Clopper and Pearson's, which take comparisons to be independent.
    eer : float
        Of its own: no threshold is taken from anywhere.
    mated, nonmated : int
        Comparisons.
    search_threshold : float
        Lowest score with FPIR at most 1 % in the searches of all others.
    fpir, fnir : float
        Of its own searches, at that threshold.
    rank1 : float
        Share of its searches at rank 1.
    searches : int
        That have a mate in the gallery.
    """

    database: str
    threshold: float
    fmr: float
    fnmr: float
    fmr_interval: Interval
    fnmr_interval: Interval
    eer: float
    mated: int
    nonmated: int
    search_threshold: float
    fpir: float
    fnir: float
    rank1: float
    searches: int

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; None for what is undefined or infinite."""
        out: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                out[field.name] = [number(v) for v in value]
            elif field.name != "database":
                out[field.name] = number(value)
        return out


@takes(evaluation="Evaluation")
def left_out(evaluation: Evaluation) -> tuple[LeftOut, ...]:
    """Every database, at thresholds that the other ones chose.

    Parameters
    ----------
    evaluation : Evaluation
        Of two databases or more.

    Raises
    ------
    InputError
        If there is one database: there are no others.
    """
    if len(evaluation.names) < 2:
        raise InputError("grouped by database, there must be two databases or more")
    return tuple(_one(evaluation, i) for i in range(len(evaluation.names)))


def _one(e: Evaluation, number: int) -> LeftOut:
    pairs, name = e.pairs, e.names[number]
    here = pairs.database == number
    there = Comparisons(pairs.score[~here & pairs.mated], pairs.score[~here & ~pairs.mated])
    threshold = _lowest(there.counts(), FMR_ONE_IN)
    mated, nonmated = pairs.score[here & pairs.mated], pairs.score[here & ~pairs.mated]
    fnm, fm = int((mated < threshold).sum()), int((nonmated >= threshold).sum())
    if math.isnan(threshold):
        mated, nonmated = mated[:0], nonmated[:0]
    of = np.array([e.samples[i].database == number for i in e.probes], np.bool_)
    search_threshold = _lowest(open_set_counts(_only(e.searches, ~of)), FPIR_ONE_IN)
    own = _only(e.searches, of)
    fpir, fnir = _open(own, search_threshold)
    return LeftOut(
        database=name,
        threshold=threshold,
        fmr=_share(fm, len(nonmated)),
        fnmr=_share(fnm, len(mated)),
        fmr_interval=clopper_pearson(min(fm, len(nonmated)), len(nonmated), EVALUATE.level),
        fnmr_interval=clopper_pearson(min(fnm, len(mated)), len(mated), EVALUATE.level),
        eer=e.databases[name].eer,
        mated=int((here & pairs.mated).sum()),
        nonmated=int((here & ~pairs.mated).sum()),
        search_threshold=search_threshold,
        fpir=fpir,
        fnir=fnir,
        rank1=rank_rate(own),
        searches=int(own.mated.sum()),
    )


def _lowest(counts: ErrorCounts, one_in: int) -> float:
    """The lowest threshold with at most one false match in so many comparisons."""
    if not counts.nonmated:
        return math.nan
    return float(
        counts.threshold[int(np.argmax(counts.false_matches <= counts.nonmated // one_in))]
    )


def _only(searches: Searches, which: NDArray[np.bool_]) -> Searches:
    return Searches(
        searches.mate[which], searches.other[which], searches.rank[which], searches.mated[which]
    )


def _open(searches: Searches, threshold: float) -> tuple[float, float]:
    """FPIR and FNIR, percent, at a threshold."""
    if math.isnan(threshold):
        return math.nan, math.nan
    missed = ((searches.mate < threshold) | (searches.rank == MISSED))[searches.mated]
    alarms = searches.other >= threshold
    return _share(int(alarms.sum()), len(alarms)), _share(int(missed.sum()), len(missed))


def _share(count: int, total: int) -> float:
    return 100 * count / total if total else math.nan
