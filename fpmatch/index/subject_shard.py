"""One shard in the search of several fingers of one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.errors import InputError
from fpmatch.index.asked import Asked, Keys
from fpmatch.index.context import SearchContext, View
from fpmatch.index.grouped_rows import GroupedRows
from fpmatch.index.groups import Groups, groups_at
from fpmatch.index.ladder import Bounds, Stage, stage_for
from fpmatch.index.narrow import GroupVotes
from fpmatch.index.ranking import Ranked, least_of, lists_for, wanted_for
from fpmatch.index.rounds import Answer, Cut, Question, Step
from fpmatch.index.stages import vote_by_lists, vote_by_rows
from fpmatch.index.verifying import verify_rows
from fpmatch.index.votes import ProbeVotes, probe_votes
from fpmatch.parameters import INDEX


class SubjectShard(Asked):
    """The search of several fingers of one person in one shard, which holds records whole.

    Parameters
    ----------
    search : SearchContext
    views : mapping of position to View
        What a finger of each position may see here.
    fingers : sequence of (SearchTemplate, position)
    groups : Groups
        What leaves are their ids, and what is kept here are their numbers.
    """

    ways: ClassVar[Mapping[Step, str]] = {
        Step.COUNT: "_count",
        Step.EVERYTHING: "_everything",
        Step.SCAN: "_scan",
        Step.LISTS: "_find",
        Step.GROUP: "_group",
        Step.NARROW: "_narrow",
        Step.RANK: "_rank",
        Step.TAKE: "_take",
        Step.VERIFY: "_verify",
    }

    def __init__(
        self,
        search: SearchContext,
        views: Mapping[int, View],
        fingers: Sequence[tuple[SearchTemplate, int]],
        groups: Groups,
    ) -> None:
        places, several = len(views), len(fingers)
        super().__init__(
            {
                Step.SCAN: (places, 0, 0),
                Step.LISTS: (places, several, 0),
                Step.GROUP: (0, 1, several),
                Step.NARROW: (0, 1, 1),
                Step.RANK: (0, 1, 1),
                Step.TAKE: (0, 0, 1),
            }
        )
        self._search = search
        self._views = dict(views)
        self._fingers = fingers
        self._of = groups
        self._every = np.zeros(0, np.int64)
        self._votes: list[tuple[ProbeVotes, int]] = []
        self._found: list[Ranked] = []
        self._groups: Keys = (self._every, self._every)
        self._seen: dict[int, GroupedRows] = {}
        self._kept = GroupVotes(search, self._seen, self._every)

    def _count(self, question: Question) -> Answer:
        there = np.zeros(self._of.size, np.bool_)
        for position, view in self._views.items():
            self._seen[position] = GroupedRows.of(view, self._of)
            self._seen[position].mark(there)
        self._every = np.flatnonzero(there)
        visible = tuple(self._views[p].visible for p in sorted(self._views))
        return Answer(visible=visible, groups=len(self._every))

    def _everything(self, question: Question) -> Answer:
        self._groups = (self._every, np.zeros(len(self._every), np.int64))
        return Answer()

    def _scan(self, question: Question) -> Answer:
        self._prepare(question.visible)
        self._begin(self._every)
        return Answer()

    def _find(self, question: Question) -> Answer:
        self._prepare(question.visible)
        pairs = zip(self._votes, question.sizes, strict=True)
        self._found = [self._finger(self._views[p], votes, size) for (votes, p), size in pairs]
        return self.listed(*((ids, worth) for ids, worth, _ in self._found))

    def _group(self, question: Question) -> Answer:
        left: list[Keys] = []
        for (ids, worth, at), cut in zip(self._found, question.cuts, strict=True):
            keep = np.ones(len(ids), np.bool_) if cut is None else cut.keeps(ids, worth)
            left.append((groups_at(self._of, self._search.parts, at[keep]), worth[keep]))
        self._groups = add_up(left, self._of.size, question.size)
        return self._listed(self._groups)

    def _narrow(self, question: Question) -> Answer:
        if self._found:
            self._begin(np.sort(_kept(self._groups, self._cut(question))[0]))
            self._found = []
            self._search.clock.lap("lists")
        else:
            self._kept.cut(self._cut(question))
        if not 0 <= question.finger < len(self._votes):
            raise InputError(f"there is no finger {question.finger} to be counted")
        votes, position = self._votes[question.finger]
        self._kept.add_finger(position, votes)
        return self._listed(self._kept.keep(question.size))

    def _rank(self, question: Question) -> Answer:
        self._kept.cut(self._cut(question))
        groups, votes = self._kept.ranked()
        # A group without a vote resembles no finger and is left out.
        some = votes > 0
        self._groups = (groups[some][: question.size], votes[some][: question.size])
        return self._listed(self._groups)

    def _take(self, question: Question) -> Answer:
        groups, votes = _kept(self._groups, self._cut(question))
        self._search.clock.lap("votes")
        rows = tuple(self._seen[p].ids(groups) for p in sorted(self._views))
        self._search.clock.lap("rows")
        visible = sum(self._views[p].visible for _, p in self._fingers)
        return Answer(
            ids=self._of.ids(groups), votes=votes, rows=rows, cost=self._search.cost(visible)
        )

    def _verify(self, question: Question) -> Answer:
        if not 0 <= question.finger < len(self._fingers):
            raise InputError(f"there is no finger {question.finger} to be compared")
        probe, _ = self._fingers[question.finger]
        return Answer(scores=verify_rows(self._search, probe, self.rows_of(question)))

    def _listed(self, keys: Keys) -> Answer:
        groups, votes = keys
        return self.listed((self._of.ids(groups), votes))

    def _cut(self, question: Question) -> Cut | None:
        """The question's cut, in numbers."""
        cut = question.cut
        return None if cut is None else Cut(cut.votes, self._of.last(cut.last))

    def _begin(self, groups: NDArray[np.int64]) -> None:
        self._kept = GroupVotes(self._search, self._seen, groups)

    def _prepare(self, visible: Sequence[int]) -> None:
        """Votes of the fingers, those with the most minutiae first.

        The order that they were given in does not matter.
        """
        for position, number in zip(sorted(self._views), visible, strict=True):
            self._views[position] = replace(self._views[position], visible=number)
        z_least = wanted_for(self._search.effort, max(visible, default=0)).z_least
        self._votes = [
            (probe_votes(probe, z_least, self._search.rotation), p)
            for probe, p in in_order(self._fingers)
        ]
        self._search.clock.lap("cohort")

    def _finger(self, view: View, votes: ProbeVotes, size: int) -> Ranked:
        """The rows that one finger votes for.

        The more fingers, the fewer lists each looks into.
        """
        alone = Bounds(-1, INDEX.subject_scan_below)
        if stage_for(self._search.effort, view.visible, alone) is Stage.SCAN:
            return vote_by_rows(self._search, view, view.rows(), votes, size)
        wanted = wanted_for(self._search.effort, view.visible)
        several = len(self._fingers)
        lists = lists_for(wanted, self._search.quantizer.lists, votes.voting, several)
        return vote_by_lists(self._search, view, votes, lists, size)


def in_order(fingers: Sequence[tuple[SearchTemplate, int]]) -> list[tuple[SearchTemplate, int]]:
    """Fingers with the most minutiae first; the same whatever order they were given in."""
    return sorted(
        fingers, key=lambda f: (-len(f[0]), f[1], f[0].codes.tobytes(), f[0].angle.tobytes())
    )


def add_up(found: Sequence[Keys], numbers: int, most: int) -> Keys:
    """Votes by group: of each finger the best row, summed over the fingers; ranked.

    Parameters
    ----------
    found : sequence of (groups, votes)
        Of each finger those of its rows.
    numbers : int
        One more than the largest number of a group.
    most : int
        Groups wanted, those of most votes; ties by group.
    """
    total, there = np.zeros(numbers, np.int64), np.zeros(numbers, np.bool_)
    for group, worth in found:
        there[group] = True
        one = np.zeros(numbers, np.int64)
        np.maximum.at(one, group, worth)
        total += one
    every = np.flatnonzero(there)
    # No more are sorted than may be among the first.
    every = every[total[every] >= least_of(total[every], most)]
    order = np.lexsort((every, -total[every]))[:most]
    return every[order], total[every[order]]


def _kept(keys: Keys, cut: Cut | None) -> Keys:
    ids, votes = keys
    if cut is None:
        return ids, votes
    keep = cut.keeps(ids, votes)
    return ids[keep], votes[keep]
