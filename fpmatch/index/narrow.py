"""Records narrowed finger by finger: each is counted only where those before it left hope."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.context import SearchContext
from fpmatch.index.grouped_rows import GroupedRows, Rows
from fpmatch.index.rounds import Cut
from fpmatch.index.stages import votes_of_rows
from fpmatch.index.votes import ProbeVotes
from fpmatch.parameters import INDEX


class GroupVotes:
    """The groups (records) in play, with the votes of the fingers counted so far.

    Parameters
    ----------
    search : SearchContext
    seen : mapping of position to GroupedRows
        What a finger of each position may see.
    groups : (G,) int64, ascending
        Numbers of those to begin with.

    Attributes
    ----------
    votes : (G,) int64
        Over the fingers counted, of each the best row of the group.
    evidence : (G,) int64
        Minutiae of the fingers counted of which the group has a row.
    """

    def __init__(
        self,
        search: SearchContext,
        seen: Mapping[int, GroupedRows],
        groups: NDArray[np.int64],
    ) -> None:
        self._search = search
        self._seen = seen
        self._rows: dict[int, list[Rows]] = {}
        self.groups = groups
        self.votes = np.zeros(len(groups), np.int64)
        self.evidence = np.zeros(len(groups), np.int64)

    def add_finger(self, position: int, votes: ProbeVotes) -> None:
        """Add a finger's votes, counted over all cylinders of the rows in play."""
        rows = self._in_play(position)
        some = [chosen for chosen, _ in rows]
        counted = votes_of_rows(self._search, self._seen[position].view, some, votes)
        best = np.zeros(len(self.groups), np.int64)
        there = np.zeros(len(self.groups), np.bool_)
        for (_, place), got in zip(rows, counted, strict=True):
            np.maximum.at(best, place, got)
            there[place] = True
        self.votes += best
        self.evidence[there] += len(votes.angle)

    def keep(self, size: int) -> Rows:
        """Keep the `size` groups of most votes, and those that too little is known of.

        A group that lacks the fingers counted so far is not held against those that have them.

        Returns
        -------
        groups, votes : (J,) int64
            Those kept of which enough is known.
        """
        judged = self._judged()
        if len(judged) > size:
            order = np.lexsort((self.groups[judged], -self.votes[judged]))
            self._leave_out(judged[order[size:]])
            judged = self._judged()
        return self.groups[judged], self.votes[judged]

    def cut(self, cut: Cut | None) -> None:
        """Leave out what a cut, if any, leaves out of the groups of which enough is known."""
        if cut is None:
            return
        judged = self._judged()
        self._leave_out(judged[~cut.keeps(self.groups[judged], self.votes[judged])])

    def _judged(self) -> NDArray[np.int64]:
        """Places of the groups of which enough is known to leave some out."""
        return np.flatnonzero(self.evidence >= INDEX.judge_minutiae)

    def _leave_out(self, places: NDArray[np.int64]) -> None:
        out = np.ones(len(self.groups), np.bool_)
        out[places] = False
        place = np.where(out, np.cumsum(out) - 1, -1)
        for rows in self._rows.values():
            for number, (some, old) in enumerate(rows):
                new = place[old]
                rows[number] = (some[new >= 0], new[new >= 0])
        self.groups, self.votes = self.groups[out], self.votes[out]
        self.evidence = self.evidence[out]

    def ranked(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Groups and votes, most votes first, ties by group."""
        order = np.lexsort((self.groups, -self.votes))
        return self.groups[order], self.votes[order]

    def _in_play(self, position: int) -> list[Rows]:
        """Of each part the rows of the groups in play, and the places of these groups."""
        if position not in self._rows:
            found = self._seen[position].among(self.groups)
            self._rows[position] = [(r, np.searchsorted(self.groups, g)) for r, g in found]
        return self._rows[position]
