"""One shard in the search of one finger: what each round does with its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.asked import Asked, Shape
from fpmatch.index.context import SearchContext, View
from fpmatch.index.ranking import Ranked, lists_for, unplace, wanted_for
from fpmatch.index.rounds import Answer, Question, Step
from fpmatch.index.stages import rank_rows, vote_by_lists, votes_of_rows
from fpmatch.index.verifying import verify_rows
from fpmatch.index.votes import ProbeVotes, probe_votes


class FingerShard(Asked):
    """The search of one finger in one shard.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see here.
    probe : SearchTemplate
    """

    ways: ClassVar[Mapping[Step, str]] = {
        Step.COUNT: "_count",
        Step.EVERYTHING: "_everything",
        Step.SCAN: "_scan",
        Step.LISTS: "_lists",
        Step.RECOUNT: "_recount",
        Step.TAKE: "_take",
        Step.VERIFY: "_verify",
    }
    _shapes_of_one: ClassVar[Mapping[Step, Shape]] = {
        Step.SCAN: (1, 1, 0),
        Step.LISTS: (1, 1, 0),
        Step.RECOUNT: (0, 1, 1),
        Step.TAKE: (0, 0, 1),
    }

    def __init__(self, search: SearchContext, view: View, probe: SearchTemplate) -> None:
        super().__init__(self._shapes_of_one)
        self._search = search
        self._view = view
        self._probe = probe
        self._votes: ProbeVotes | None = None
        self._counted: Sequence[NDArray[np.int64]] | None = None
        none = np.zeros(0, np.int64)
        self._found: Ranked = (none, none, none)

    def counted(self, votes: Sequence[NDArray[np.int64]]) -> None:
        """Take the votes of the visible rows of every part, of a pass shared with other probes.

        Parameters
        ----------
        votes : sequence of (K,) int64
            Of each part.
        """
        self._counted = votes

    def _count(self, question: Question) -> Answer:
        return Answer(visible=(self._view.visible,))

    def _everything(self, question: Question) -> Answer:
        every = np.sort(np.concatenate([np.zeros(0, np.int64), *self._view.row_ids()]))
        self._search.clock.lap("mask")
        none = np.zeros(len(every), np.int64)
        self._found = (every, none, none)
        return Answer()

    def _scan(self, question: Question) -> Answer:
        rows = self._view.rows()
        if self._counted is None:
            self._prepare(question.visible[0])
            return self._rank(rows, question.size)
        return self._ranked(rows, self._counted, question.size)

    def _lists(self, question: Question) -> Answer:
        votes = self._prepare(question.visible[0])
        wanted = wanted_for(self._search.effort, self._view.visible)
        lists = lists_for(wanted, self._search.quantizer.lists, votes.voting)
        self._found = vote_by_lists(self._search, self._view, votes, lists, question.size)
        return self._listed()

    def _recount(self, question: Question) -> Answer:
        self._cut(question)
        # By place, so that those of a part lie together, and ascend.
        part, row = unplace(self._found[2])
        ends = np.searchsorted(part, np.arange(len(self._view.parts) + 1))
        rows = [row[a:b] for a, b in pairwise(ends.tolist())]
        self._search.clock.lap("lists")
        return self._rank(rows, question.size)

    def _take(self, question: Question) -> Answer:
        self._cut(question)
        ids, votes, _ = self._found
        return Answer(ids=ids, votes=votes, cost=self._search.cost(self._view.visible))

    def _verify(self, question: Question) -> Answer:
        return Answer(scores=verify_rows(self._search, self._probe, self.rows_of(question)))

    def _prepare(self, visible: int) -> ProbeVotes:
        """Votes of the probe, as the visible rows of all shards ask for."""
        self._view = replace(self._view, visible=visible)
        least = wanted_for(self._search.effort, visible).z_least
        self._votes = probe_votes(self._probe, least, self._search.rotation)
        self._search.clock.lap("cohort")
        return self._votes

    def _rank(self, rows: Sequence[NDArray[np.int64]], size: int) -> Answer:
        assert self._votes is not None  # Recount comes after lists.
        return self._ranked(rows, votes_of_rows(self._search, self._view, rows, self._votes), size)

    def _ranked(
        self, rows: Sequence[NDArray[np.int64]], votes: Sequence[NDArray[np.int64]], size: int
    ) -> Answer:
        self._found = rank_rows(self._view, rows, votes, size)
        self._search.clock.lap("votes")
        return self._listed()

    def _listed(self) -> Answer:
        ids, votes, _ = self._found
        return self.listed((ids, votes))

    def _cut(self, question: Question) -> None:
        if question.cut is not None:
            ids, votes, at = self._found
            keep = question.cut.keeps(ids, votes)
            self._found = (ids[keep], votes[keep], at[keep])
