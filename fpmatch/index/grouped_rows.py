"""What the fingers of one person may see, by record: looked up once a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.context import View
from fpmatch.index.groups import Groups

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows of a part, and the number of each one's group (or its place among those in play)."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """The rows that a finger of one position may see, and whose they are.

    Parameters
    ----------
    view : View
    parts : sequence of Rows
        Of each part of the view.
    size : int
        One more than the largest number that a group may have.
    """

    view: View
    parts: Sequence[Rows]
    size: int

    @classmethod
    def of(cls, view: View, groups: Groups) -> GroupedRows:
        """Look up the group of every row of a view.

        Parameters
        ----------
        view : View
        groups : Groups
        """
        pairs = zip(view.parts, view.rows(), strict=True)
        found = [(rows, groups.of(part, rows)) for part, rows in pairs]
        return cls(view, found, groups.size)

    def mark(self, there: NDArray[np.bool_]) -> None:
        """Mark the groups that have a row.

        Parameters
        ----------
        there : (G,) bool
            By number; set to True.
        """
        for _, group in self.parts:
            there[group] = True

    def among(self, groups: NDArray[np.int64]) -> list[Rows]:
        """Of each part the rows of some groups, and those groups.

        Parameters
        ----------
        groups : (K,) int64
            Their numbers.
        """
        chosen = np.zeros(self.size, np.bool_)
        chosen[groups] = True
        found = []
        for rows, group in self.parts:
            here = np.flatnonzero(chosen[group])
            found.append((rows[here], group[here]))
        return found

    def ids(self, groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) int64: ids of the rows of some groups, ascending.

        Parameters
        ----------
        groups : (K,) int64
            Their numbers.
        """
        pairs = zip(self.view.parts, self.among(groups), strict=True)
        found = [part.row_ids[rows] for part, (rows, _) in pairs]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
