"""A probe and the rows it may see -> the rows worth a full comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.cutting import ask_cut, ranked, together
from fpmatch.index.ladder import Bounds, climb
from fpmatch.index.ranking import recounted_for, share, wanted_for
from fpmatch.index.rounds import Cut, Panel, Question, Shard, Step, panel_of
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


def shortlist_across(
    shards: Sequence[Shard] | Panel, probe: SearchTemplate, effort: str, limit: int | None
) -> Shortlist:
    """The rows worth a full comparison with one probe, over all shards of an index.

    Byte for byte those of one index with the rows of all.

    Parameters
    ----------
    shards : sequence of Shard, or Panel
        Each has been given the probe, under the same effort.
    probe : SearchTemplate
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    limit : int, optional
        Rows on the list, instead of the effort's own number.
    """
    panel = panel_of(shards)
    visible = sum(answer.visible[0] for answer in panel.ask(Question(Step.COUNT)))
    return climb(effort, FingerStages(panel, effort, limit, visible, len(probe)))


@dataclass(frozen=True, slots=True, eq=False)
class FingerStages:
    """The stages of a search of one probe, by rounds over all shards.

    Parameters
    ----------
    panel : Panel
    effort : str
    limit : int or None
    visible : int
        Rows that the probe may see in all shards.
    cylinders : int
        Of the probe.
    """

    panel: Panel
    effort: str
    limit: int | None
    visible: int
    cylinders: int

    @property
    def bounds(self) -> Bounds:
        """Where the stages end."""
        return finger_bounds()

    def everything(self) -> Shortlist:
        """Every visible row, by row id."""
        self.panel.ask(Question(Step.EVERYTHING))
        return self._taken((None,), whole=True)

    def scan(self) -> Shortlist:
        """The visible rows of most votes."""
        seen, size = (self.visible,), self._size()
        cuts, _ = ask_cut(self.panel, Question(Step.SCAN, visible=seen, sizes=(size,)))
        return self._taken(cuts)

    def lists(self) -> Shortlist:
        """The rows of most votes among those of most votes from the lists."""
        wanted = wanted_for(self.effort, self.visible)
        seen = (self.visible,)
        size = recounted_for(wanted, self.visible, self.cylinders)
        cuts, _ = ask_cut(self.panel, Question(Step.LISTS, visible=seen, sizes=(size,)))
        again = Question(Step.RECOUNT, sizes=(self._size(),), cuts=cuts)
        cuts, _ = ask_cut(self.panel, again)
        return self._taken(cuts)

    def _size(self) -> int:
        """Rows on the shortlist."""
        if self.limit is not None:
            return self.limit
        wanted = wanted_for(self.effort, self.visible)
        return share(wanted.verified_least, wanted.verified_share, self.visible)

    def _taken(self, cuts: tuple[Cut | None, ...], *, whole: bool = False) -> Shortlist:
        answers = self.panel.ask(Question(Step.TAKE, cuts=cuts))
        ids, votes = ranked([(answer.ids, answer.votes) for answer in answers])
        cost = together([answer.cost for answer in answers], self.visible)
        return Shortlist(ids, votes, whole, cost)


def finger_bounds() -> Bounds:
    """Where the stages of a search of one finger end."""
    return Bounds(INDEX.exhaustive_below, INDEX.scan_below)
