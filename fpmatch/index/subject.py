"""Several fingers of one person: votes added up by record before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext, View
from fpmatch.index.ladder import Bounds, Stage, climb, stage_for
from fpmatch.index.narrow import GroupVotes
from fpmatch.index.ranking import Ranked, lists_for, share, wanted_for
from fpmatch.index.stages import vote_by_lists, vote_by_rows
from fpmatch.index.votes import ProbeVotes, probe_votes
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost

Groups = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Groups and their votes."""


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


def shortlist_groups(
    search: SearchContext,
    probes: Sequence[SearchTemplate],
    positions: Sequence[int],
    group_of_row: NDArray[np.int64],
) -> Subjects:
    """See `PartitionIndex.shortlist_subject`.

    Parameters
    ----------
    search : SearchContext
    probes : sequence of SearchTemplate
    positions : sequence of int
        Of each probe; 0 for unknown.
    group_of_row : (R,) int64
        Indexed by row id.
    """
    views = {p: search.apply_mask(p) for p in sorted(set(positions))}
    search.clock.lap("mask")
    stages = SubjectStages(search, views, list(zip(probes, positions, strict=True)), group_of_row)
    (groups, votes), whole = climb(search.effort, stages)
    search.clock.lap("votes")
    rows = {p: _rows_of(view, groups, group_of_row) for p, view in views.items()}
    search.clock.lap("rows")
    cost = search.cost(sum(views[p].visible for p in positions))
    return Subjects(groups, votes, tuple(rows[p] for p in positions), whole, cost)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectStages:
    """The stages of a search of several fingers of one person.

    Each gives groups and votes, and whether these are all groups.

    Parameters
    ----------
    search : SearchContext
    views : mapping of position to View
        What a finger of each position may see.
    fingers : sequence of (SearchTemplate, position)
    group_of_row : (R,) int64
        Indexed by row id.
    """

    search: SearchContext
    views: Mapping[int, View]
    fingers: Sequence[tuple[SearchTemplate, int]]
    group_of_row: NDArray[np.int64]

    @property
    def visible(self) -> int:
        """Rows that the finger may see that sees most."""
        return max((view.visible for view in self.views.values()), default=0)

    @property
    def bounds(self) -> Bounds:
        """Where the stages end: the more the fingers tell, the earlier."""
        probes = [probe for probe, _ in self.fingers]
        return Bounds(exhaustive_below(probes), scan_below(probes))

    def everything(self) -> tuple[Groups, bool]:
        """Every group, in order."""
        groups = self._every_group()
        return (groups, np.zeros(len(groups), np.int64)), True

    def scan(self) -> tuple[Groups, bool]:
        """The groups of most votes."""
        groups = self._every_group()
        return self._narrowed(groups, self._prepared()), False

    def lists(self) -> tuple[Groups, bool]:
        """The groups of most votes among those of most votes from the lists."""
        every = self._every_group()
        prepared = self._prepared()
        found = [self._finger(self.views[p], votes) for votes, p in prepared]
        rows = share(INDEX.listed_rows, INDEX.listed_share, self.visible)
        size = max(self._least(), rows * len(every) // self.visible)
        groups = np.sort(add_up(found, self.group_of_row)[0][:size])
        self.search.clock.lap("lists")
        return self._narrowed(groups, prepared), False

    def _size(self) -> int:
        """Groups on the shortlist."""
        if self.search.limit is not None:
            return self.search.limit
        wanted = wanted_for(self.search.effort, self.visible)
        size = share(wanted.verified_least, wanted.verified_share, self.visible)
        return shortened(size, [probe for probe, _ in self.fingers])

    def _least(self) -> int:
        return max(INDEX.groups_kept, self._size())

    def _every_group(self) -> NDArray[np.int64]:
        there = np.zeros(int(self.group_of_row.max(initial=-1)) + 1, np.bool_)
        for view in self.views.values():
            for ids in view.row_ids():
                there[self.group_of_row[ids]] = True
        return np.flatnonzero(there)

    def _prepared(self) -> list[tuple[ProbeVotes, int]]:
        """Fingers with the most minutiae first; the order they were given in does not matter."""
        every = sorted(
            self.fingers,
            key=lambda f: (-len(f[0]), f[1], f[0].codes.tobytes(), f[0].angle.tobytes()),
        )
        z_least = wanted_for(self.search.effort, self.visible).z_least
        out = [(probe_votes(probe, z_least, self.search.rotation), p) for probe, p in every]
        self.search.clock.lap("cohort")
        return out

    def _finger(self, view: View, votes: ProbeVotes) -> Ranked:
        """The rows that one finger votes for.

        The more fingers, the fewer lists each looks into.
        """
        wanted = wanted_for(self.search.effort, view.visible)
        size = share(wanted.rescored_least, wanted.rescored_share, view.visible)
        alone = Bounds(-1, INDEX.subject_scan_below)
        if stage_for(self.search.effort, view.visible, alone) is Stage.SCAN:
            return vote_by_rows(self.search, view, view.rows(), votes, size)
        lists = lists_for(wanted, self.search.quantizer.lists, votes.voting, len(self.fingers))
        return vote_by_lists(self.search, view, votes, lists, size)

    def _narrowed(
        self, groups: NDArray[np.int64], prepared: Sequence[tuple[ProbeVotes, int]]
    ) -> Groups:
        """Count one finger after the other, leave out half of the groups after each, and rank.

        A group without a vote resembles no finger and is left out.
        """
        kept = GroupVotes(self.search, self.views, self.group_of_row, groups)
        size = len(groups) // 2
        for votes, position in prepared:
            kept.add_finger(position, votes)
            if kept.judged:
                size = max(size // 2, self._least())
                kept.keep(size)
        groups, counted = kept.ranked()
        most = self._size()
        return groups[counted > 0][:most], counted[counted > 0][:most]


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


def add_up(found: Sequence[Ranked], group_of_row: NDArray[np.int64]) -> Groups:
    """Votes by group: of each finger the best row, summed over the fingers; ranked.

    Parameters
    ----------
    found : sequence of Ranked
        Of each finger.
    group_of_row : (R,) int64
        Indexed by row id.
    """
    groups, votes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for ids, worth, _ in found:
        group = group_of_row[ids]
        order = np.lexsort((-worth, group))
        group, worth = group[order], worth[order]
        first = np.ones(len(group), np.bool_)
        first[1:] = group[1:] != group[:-1]
        groups.append(group[first])
        votes.append(worth[first])
    every, where = np.unique(np.concatenate(groups), return_inverse=True)
    total = np.zeros(len(every), np.int64)
    np.add.at(total, where, np.concatenate(votes))
    order = np.lexsort((every, -total))
    return every[order], total[order]


def _rows_of(
    view: View, groups: NDArray[np.int64], group_of_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Visible rows of some groups, ascending."""
    chosen = np.zeros(int(group_of_row.max(initial=-1)) + 1, np.bool_)
    chosen[groups] = True
    found = [ids[chosen[group_of_row[ids]]] for ids in view.row_ids()]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
