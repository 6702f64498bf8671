"""Several fingers of one person: votes added up by record before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext
from fpmatch.index.cutting import ask_cut, ranked, together
from fpmatch.index.groups import Groups
from fpmatch.index.ladder import Bounds, climb
from fpmatch.index.ranking import share, wanted_for
from fpmatch.index.rounds import Cut, Panel, Question, Shard, Step, panel_of
from fpmatch.index.subject_shard import SubjectShard, in_order
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost

Cuts = tuple[Cut | None, ...]
"""Of each list of a round where it ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """Groups to verify.

    Parameters
    ----------
    groups : (G,) int64
        Most votes first, ties by group; in order of group where every group is on the list.
    votes : (G,) int64
        Over all fingers, of each finger the best row of the group.
    row_ids : tuple of (K,) int64
        For every probe finger the rows of these groups that it may see, ascending: what to
        verify it against.
    exhaustive : bool
        Every group with an allowed row is on the list.
    cost : SearchCost
    """

    groups: NDArray[np.int64]
    votes: NDArray[np.int64]
    row_ids: tuple[NDArray[np.int64], ...]
    exhaustive: bool = False
    cost: SearchCost = field(default_factory=SearchCost)


def subject_shard(
    search: SearchContext,
    fingers: Sequence[tuple[SearchTemplate, int]],
    groups: Groups,
) -> SubjectShard:
    """The search of one shard, its mask applied.

    Parameters
    ----------
    search : SearchContext
    fingers : sequence of (SearchTemplate, position)
    groups : Groups
    """
    views = {p: search.apply_mask(p) for p in sorted({p for _, p in fingers})}
    search.clock.lap("mask")
    return SubjectShard(search, views, fingers, groups)


def shortlist_subject_across(
    shards: Sequence[Shard] | Panel,
    fingers: Sequence[tuple[SearchTemplate, int]],
    effort: str,
    limit: int | None,
) -> Subjects:
    """The groups worth a full comparison, over all shards of an index.

    Byte for byte those of one index with the rows of all.

    Parameters
    ----------
    shards : sequence of Shard, or Panel
        Each has been given the fingers, in the same order and under the same effort, and holds
        every group whole or not at all.
    fingers : sequence of (SearchTemplate, position)
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    limit : int, optional
        Groups on the list, instead of the effort's own number.
    """
    panel = panel_of(shards)
    counted = panel.ask(Question(Step.COUNT))
    places = sorted({p for _, p in fingers})
    visible = {p: sum(a.visible[n] for a in counted) for n, p in enumerate(places)}
    every = sum(answer.groups for answer in counted)
    stages = SubjectStages(panel, fingers, visible, every, (effort, limit))
    cuts, whole = climb(effort, stages)
    answers = panel.ask(Question(Step.TAKE, cuts=cuts))
    groups, votes = ranked([(answer.ids, answer.votes) for answer in answers])
    rows = {p: _merged([answer.rows[n] for answer in answers]) for n, p in enumerate(places)}
    cost = together([answer.cost for answer in answers], sum(visible[p] for _, p in fingers))
    return Subjects(groups, votes, tuple(rows[p] for _, p in fingers), whole, cost)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectStages:
    """The stages of a search of several fingers of one person, by rounds over all shards.

    Each gives the cut of the last list, and whether it is of all groups.

    Parameters
    ----------
    panel : Panel
    fingers : sequence of (SearchTemplate, position)
    seen : mapping of position to int
        Rows that a finger of each position may see in all shards.
    every : int
        Groups with such a row.
    asked : (str, int or None)
        Effort and limit.
    """

    panel: Panel
    fingers: Sequence[tuple[SearchTemplate, int]]
    seen: Mapping[int, int]
    every: int
    asked: tuple[str, int | None]

    @property
    def visible(self) -> int:
        """Rows that the finger may see that sees most."""
        return max(self.seen.values(), default=0)

    @property
    def bounds(self) -> Bounds:
        """Where the stages end: the more the fingers tell, the earlier."""
        probes = [probe for probe, _ in self.fingers]
        return Bounds(exhaustive_below(probes), scan_below(probes))

    def everything(self) -> tuple[Cuts, bool]:
        """Every group, in order."""
        self.panel.ask(Question(Step.EVERYTHING))
        return (None,), True

    def scan(self) -> tuple[Cuts, bool]:
        """The groups of most votes."""
        self.panel.ask(Question(Step.SCAN, visible=self._numbers()))
        return self._narrowed(self.every, (None,)), False

    def lists(self) -> tuple[Cuts, bool]:
        """The groups of most votes among those of most votes from the lists."""
        sizes = tuple(self._recounted(self.seen[p]) for _, p in in_order(self.fingers))
        asked = Question(Step.LISTS, visible=self._numbers(), sizes=sizes)
        cuts, _ = ask_cut(self.panel, asked)
        rows = share(INDEX.listed_rows, INDEX.listed_share, self.visible)
        size = max(self._least(), rows * self.every // self.visible)
        cuts, (left,) = ask_cut(self.panel, Question(Step.GROUP, sizes=(size,), cuts=cuts))
        return self._narrowed(left, cuts), False

    def _numbers(self) -> tuple[int, ...]:
        return tuple(self.seen[p] for p in sorted(self.seen))

    def _recounted(self, visible: int) -> int:
        """Rows that a finger may vote for."""
        wanted = wanted_for(self.asked[0], visible)
        return share(wanted.rescored_least, wanted.rescored_share, visible)

    def _size(self) -> int:
        """Groups on the shortlist."""
        effort, limit = self.asked
        if limit is not None:
            return limit
        wanted = wanted_for(effort, self.visible)
        size = share(wanted.verified_least, wanted.verified_share, self.visible)
        return shortened(size, [probe for probe, _ in self.fingers])

    def _least(self) -> int:
        return max(INDEX.groups_kept, self._size())

    def _narrowed(self, groups: int, cuts: Cuts) -> Cuts:
        """Count one finger after the other, leave out half of the groups after each, and rank.

        Of how many groups it begins with, and the cut that leaves them.
        """
        size = groups // 2
        for finger in range(len(self.fingers)):
            # A shard that can judge a group knows that some can be, and leaves out its own.
            half = max(size // 2, self._least())
            cuts, (judged,) = ask_cut(
                self.panel, Question(Step.NARROW, finger, sizes=(half,), cuts=cuts)
            )
            size = half if judged else size
        cuts, _ = ask_cut(self.panel, Question(Step.RANK, sizes=(self._size(),), cuts=cuts))
        return cuts


def _merged(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Rows of all shards, ascending."""
    return rows[0] if len(rows) == 1 else np.sort(np.concatenate(rows))


def exhaustive_below(probes: Sequence[SearchTemplate]) -> int:
    """Visible rows up to which all groups are listed: the more the fingers tell, the fewer."""
    sure = evidence(probes) > INDEX.sure_evidence
    return INDEX.subject_exhaustive_below if sure else INDEX.exhaustive_below


def scan_below(probes: Sequence[SearchTemplate]) -> int:
    """Visible rows up to which every group is counted instead of those in the lists."""
    sure = evidence(probes) > INDEX.sure_evidence
    return INDEX.subject_scan_below if sure else INDEX.scan_below


def evidence(probes: Sequence[SearchTemplate]) -> int:
    """How much several fingers tell together: their number times their minutiae; 0 for one."""
    return len(probes) * sum(map(len, probes)) if len(probes) > 1 else 0


def shortened(size: int, probes: Sequence[SearchTemplate]) -> int:
    """Groups to verify instead of `size` rows of one finger; `INDEX.groups_least` at the least."""
    told = max(evidence(probes), INDEX.sure_evidence)
    fewer = size // max(1, len(probes))
    if len(probes) > 1:
        fewer = max(fewer, INDEX.groups_unsure)
    return min(size, max(INDEX.groups_least, min(fewer, size * INDEX.sure_evidence // told)))
