"""A probe and the rows it may see -> the rows worth a full comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext, View
from fpmatch.index.ladder import Bounds, climb
from fpmatch.index.ranking import Ranked, lists_for, share, unplace, wanted_for
from fpmatch.index.stages import vote_by_lists, vote_by_rows
from fpmatch.index.votes import ProbeVotes, probe_votes
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """Rows to verify.

    Parameters
    ----------
    row_ids : (K,) int64
        Most votes first, ties by row id. In the order of row ids where every allowed row is on
        the list (exhaustive effort, or few allowed rows).
    votes : (K,) int64
        Units of 1 / `INDEX.vote_unit`; 0 where every allowed row is on the list.
    exhaustive : bool
        Every allowed row is on the list.
    cost : SearchCost
        ``live_fingers`` counts the rows that the probe may see.
    """

    row_ids: NDArray[np.int64]
    votes: NDArray[np.int64]
    exhaustive: bool = False
    cost: SearchCost = field(default_factory=SearchCost)


def shortlist(search: SearchContext, view: View, probe: SearchTemplate) -> Shortlist:
    """The rows worth a full comparison with one probe; see `PartitionIndex.shortlist`.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    probe : SearchTemplate
    """
    return climb(search.effort, FingerStages(search, view, probe))


@dataclass(frozen=True, slots=True, eq=False)
class FingerStages:
    """The stages of a search of one probe.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    probe : SearchTemplate
    """

    search: SearchContext
    view: View
    probe: SearchTemplate

    @property
    def visible(self) -> int:
        """Rows that the probe may see."""
        return self.view.visible

    @property
    def bounds(self) -> Bounds:
        """Where the stages end."""
        return Bounds(INDEX.exhaustive_below, INDEX.scan_below)

    def everything(self) -> Shortlist:
        """Every visible row, by row id."""
        return everything(self.search, self.view)

    def scan(self) -> Shortlist:
        """The visible rows of most votes."""
        return self._counted(self.view.rows(), self._votes())

    def lists(self) -> Shortlist:
        """The rows of most votes among those of most votes from the lists."""
        votes = self._votes()
        wanted = wanted_for(self.search.effort, self.visible)
        found = vote_by_lists(
            self.search,
            self.view,
            votes,
            lists_for(wanted, self.search.quantizer.lists, votes.voting),
            share(wanted.rescored_least, wanted.rescored_share, self.visible),
        )
        part, row = unplace(found[2])
        rows = [np.sort(row[part == number]) for number in range(len(self.view.parts))]
        self.search.clock.lap("lists")
        return self._counted(rows, votes)

    def _votes(self) -> ProbeVotes:
        least = wanted_for(self.search.effort, self.visible).z_least
        votes = probe_votes(self.probe, least, self.search.rotation)
        self.search.clock.lap("cohort")
        return votes

    def _counted(self, rows: Sequence[NDArray[np.int64]], votes: ProbeVotes) -> Shortlist:
        size = verified_rows(self.search, self.view)
        return listed(
            self.search, self.view, vote_by_rows(self.search, self.view, rows, votes, size)
        )


def verified_rows(search: SearchContext, view: View) -> int:
    """Rows on the shortlist of one probe."""
    if search.limit is not None:
        return search.limit
    wanted = wanted_for(search.effort, view.visible)
    return share(wanted.verified_least, wanted.verified_share, view.visible)


def listed(search: SearchContext, view: View, ranked: Ranked) -> Shortlist:
    """A shortlist of ranked rows, with its cost.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    ranked : Ranked
    """
    search.clock.lap("votes")
    row_ids, votes, _ = ranked
    return Shortlist(row_ids, votes, False, search.cost(view.visible))


def everything(search: SearchContext, view: View) -> Shortlist:
    """Every visible row, by row id."""
    every = np.sort(np.concatenate([np.zeros(0, np.int64), *view.row_ids()]))
    search.clock.lap("mask")
    return Shortlist(every, np.zeros(len(every), np.int64), True, search.cost(view.visible))
