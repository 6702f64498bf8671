"""Which lists a probe looks into, and what it looks for in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import FOLDED, fold
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.votes import ProbeVotes
from fpmatch.index.work import Workers, spans
from fpmatch.parameters import INDEX

_LEAST = 8
"""Cylinders that are worth a thread: a fifth of a millisecond."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Every (probe cylinder, list) that a search looks into, by cylinder.

    Parameters
    ----------
    votes : ProbeVotes
        Of the probe.
    cylinder, lists : (K,) int64
    folded : (P, 2) uint64
        The probe's codes, folded.
    limit : (P,) int64
        Largest folded distance at which an entry is counted; below 0 if none is.
    worth : (P, 129) uint16
        Votes for each folded distance.
    """

    votes: ProbeVotes
    cylinder: NDArray[np.int64]
    lists: NDArray[np.int64]
    folded: NDArray[np.uint64]
    limit: NDArray[np.int64]
    worth: NDArray[np.uint16]


def lookup_for(
    votes: ProbeVotes, quantizer: Quantizer, most: int, workers: Workers | None = None
) -> Lookup:
    """The nearest lists of every cylinder that can vote.

    Parameters
    ----------
    votes : ProbeVotes
    quantizer : Quantizer
    most : int
        Lists of each cylinder.
    workers : Workers, optional
        Share the cylinders out.
    """
    voting = np.flatnonzero(votes.cut >= 0)
    most = min(most, quantizer.lists)
    lists = np.zeros((len(voting), most), np.int64)

    def task(first: int, last: int) -> Callable[[], None]:
        def look() -> None:
            lists[first:last] = quantizer.nearest(votes.codes[voting[first:last]], most)

        return look

    workers = workers or Workers(1)
    step = max(_LEAST, -(-len(voting) // workers.threads))
    workers.run([task(first, last) for first, last in spans(len(voting), step)])
    cylinder = np.repeat(voting, most)
    lists = np.ascontiguousarray(lists.ravel(), np.int64)
    # Ascending for both: a folded distance counts if the likely full one does.
    limit = np.searchsorted(LIKELY, votes.cut, side="right") - 1
    worth = np.ascontiguousarray(votes.table[:, LIKELY])
    return Lookup(votes, cylinder, lists, fold(votes.codes), limit, worth)


def _likely() -> NDArray[np.int64]:
    """The likely distance of two codes whose folded distance is 0, 1, ... 128.

    Of n differences thrown into 128 places, 64 (1 - (1 - 1/64)^n) places have an odd number.
    """
    share = np.minimum(2 * np.arange(FOLDED + 1) / FOLDED, 1 - 1e-9)
    likely = np.rint(np.log(1 - share) / np.log(1 - 2 / FOLDED)).astype(np.int64)
    return np.minimum(likely, INDEX.distance_most)


LIKELY = _likely()
