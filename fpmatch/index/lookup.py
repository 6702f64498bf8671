"""Which lists a probe looks into, and what it looks for in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.quantizer import Quantizer
from fpmatch.index.votes import ProbeVotes
from fpmatch.index.work import Workers, spans

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
    """

    votes: ProbeVotes
    cylinder: NDArray[np.int64]
    lists: NDArray[np.int64]


def lookup_for(
    votes: ProbeVotes, quantizer: Quantizer, most: int, workers: Workers | None = None
) -> Lookup:
    """The likely lists of every cylinder that can vote.

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
            lists[first:last] = quantizer.likely(votes.cells[voting[first:last]], most)

        return look

    workers = workers or Workers(1)
    step = max(_LEAST, -(-len(voting) // workers.threads))
    workers.run([task(first, last) for first, last in spans(len(voting), step)])
    cylinder = np.repeat(voting, most)
    lists = np.ascontiguousarray(lists.ravel(), np.int64)
    return Lookup(votes, cylinder, lists)
