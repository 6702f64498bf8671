"""Which rows belong together: the records of a partition, as an index knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.ranking import unplace
from fpmatch.index.segment import Part


class Groups(Protocol):
    """The group of each row: numbers of a shard's own, and the ids that leave it.

    Numbers are in the order of ids, so that ties break the same by either. A shard with few of a
    partition's groups numbers them without gaps, for its work takes room for each number.
    """

    @property
    def size(self) -> int:
        """One more than the largest number."""
        ...

    def of(self, part: Part, rows: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
        """(K,) numbers of the groups of some rows of a part.

        Parameters
        ----------
        part : Part
        rows : (K,) int64, or (N,) bool
        """
        ...

    def ids(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """(K,) the ids of some numbers.

        Parameters
        ----------
        numbers : (K,) int64
        """
        ...

    def last(self, group: int) -> int:
        """The largest number whose id is at most this one; -1 if there is none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class GroupsById:
    """Groups by row id, whose numbers are their ids.

    Parameters
    ----------
    group_of_row : (R,) int64

    Attributes
    ----------
    size : int
        See `Groups`.
    """

    group_of_row: NDArray[np.int64]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        # Asked for in every round, and a pass over all rows.
        object.__setattr__(self, "size", int(self.group_of_row.max(initial=-1)) + 1)

    def of(self, part: Part, rows: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Groups`.

        Parameters
        ----------
        part : Part
        rows : (K,) int64, or (N,) bool
        """
        return self.group_of_row[part.row_ids[rows]]

    def ids(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Groups`.

        Parameters
        ----------
        numbers : (K,) int64
        """
        return numbers

    def last(self, group: int) -> int:
        """See `Groups`."""
        return group


def groups_at(groups: Groups, parts: Sequence[Part], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K,) numbers of the groups of rows at some places.

    Parameters
    ----------
    groups : Groups
    parts : sequence of Part
    at : (K,) int64
        See `fpmatch.index.ranking.place`.
    """
    number, row = unplace(at)
    out = np.zeros(len(at), np.int64)
    for which in np.unique(number).tolist():
        here = number == which
        out[here] = groups.of(parts[which], row[here])
    return out
