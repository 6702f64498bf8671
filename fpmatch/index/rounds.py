"""What travels in the rounds of a search over several shards: plain values, however large each is.

A shard is an index that holds some of a partition's records, whole. A search of the partition is
one for each shard, which all go through the same rounds: each does as it is asked, with numbers
that are of all shards together, and says how its list looks. A list is a histogram of votes,
never its entries; where it is too long for all, a `Cut` says who is left.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.types import SearchCost

Told = tuple[NDArray[np.int64], NDArray[np.int64], int, int]
"""Values, counts, least and greatest id of a spread."""
LARGEST = 2**63 - 1
"""Largest number of votes and largest id."""


class Step(enum.Enum):
    """What a shard is asked for in a round. Of one finger (F), of a person's fingers (P), or both.

    Where a cut is named, it applies to the list of the round before.
    """

    COUNT = "count"
    """How many rows may be seen under each position, and how many records have one (P)."""
    EVERYTHING = "everything"
    """List every visible row (F) or every record (P)."""
    SCAN = "scan"
    """Count the votes of every visible row, list the best (F); begin with every record (P)."""
    LISTS = "lists"
    """List the rows of most votes from the lists, for each finger."""
    RECOUNT = "recount"
    """Cut, count over all cylinders, list the best (F)."""
    GROUP = "group"
    """Cut, add the fingers' votes up by record, list the best records (P)."""
    NARROW = "narrow"
    """Cut, count one finger on the records left, list the best of those that can be judged (P)."""
    RANK = "rank"
    """Cut, list the records of most votes (P)."""
    TIES = "ties"
    """How the ids of so many votes are spread."""
    TAKE = "take"
    """Cut, and give the list itself."""
    VERIFY = "verify"
    """Compare a finger with rows."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a list ends: entries of more votes stay, and those of as many up to an id.

    Parameters
    ----------
    votes : int
    last : int
        Largest id of so many votes that stays.
    """

    votes: int
    last: int

    def keeps(self, ids: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(K,) bool: which entries stay.

        Parameters
        ----------
        ids, votes : (K,) int64
        """
        return (votes > self.votes) | ((votes == self.votes) & (ids <= self.last))


class Spread:
    """How a list is spread: over numbers of votes, or over ranges of ids.

    Parameters
    ----------
    values : (K,) int64, ascending
        Numbers of votes, each once; or numbers of ranges.
    counts : (K,) int64
        Entries of each, at least one.
    low, high : int
        Least and greatest id of the list; 0 and -1 if it is empty.

    Attributes
    ----------
    total : int
        Entries in all.
    """

    __slots__ = ("_list", "_told", "total")

    def __init__(
        self, values: NDArray[np.int64], counts: NDArray[np.int64], low: int = 0, high: int = -1
    ) -> None:
        self._list = (values, values)
        self._told: Told | None = (values, counts, low, high)
        # Of Python's integers, which do not overflow whatever a message says.
        self.total = sum(counts.tolist())

    @classmethod
    def of(cls, ids: NDArray[np.int64], values: NDArray[np.int64]) -> Spread:
        """The spread of a list; worked out when somebody asks for more than its length.

        Parameters
        ----------
        ids, values : (K,) int64
        """
        none = np.zeros(0, np.int64)
        spread = cls(none, none)
        if len(ids):
            spread._list, spread._told, spread.total = (ids, values), None, len(ids)
        return spread

    @property
    def told(self) -> Told:
        """Values, counts, least and greatest id."""
        if self._told is None:
            ids, values = self._list
            every, counts = np.unique(values, return_counts=True)
            self._told = (every, counts, int(ids.min()), int(ids.max()))
        return self._told

    @property
    def values(self) -> NDArray[np.int64]:
        """Numbers of votes, or of ranges."""
        return self.told[0]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Entries of each."""
        return self.told[1]

    @property
    def low(self) -> int:
        """Least id."""
        return self.told[2]

    @property
    def high(self) -> int:
        """Greatest id."""
        return self.told[3]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One round, as every shard is asked.

    Parameters
    ----------
    step : Step
    finger : int
        For narrow and verify: which finger, in the order of the search. For ties: which list.
    visible : tuple of int
        Of each position, ascending: rows that may be seen in all shards. For scan and lists.
    sizes : tuple of int
        Most entries of each list that is asked for.
    cuts : tuple of Cut or None
        Of each list of the round before; None leaves it as it is.
    votes : int
        For ties: the number of votes that they have.
    low, width : int
        For ties: id where the first range begins, and ids in a range.
    rows : (K,) int64, optional
        For verify: ids of rows, of which each shard compares its own.
    scale : int
        Which of the searches at several scales goes through the round; 0 where there is one.
    """

    step: Step
    finger: int = 0
    visible: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    cuts: tuple[Cut | None, ...] = ()
    votes: int = 0
    low: int = 0
    width: int = 1
    rows: NDArray[np.int64] | None = None
    scale: int = 0

    @property
    def size(self) -> int:
        """Most entries of the only list."""
        return self.sizes[0]

    @property
    def cut(self) -> Cut | None:
        """Of the only list."""
        return self.cuts[0] if self.cuts else None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What one shard says in a round.

    Parameters
    ----------
    visible : tuple of int
        To count: rows that may be seen in this shard, of each position.
    groups : int
        To count: records with such a row.
    spreads : tuple of Spread
        How its lists look; to ties, how the ids are spread.
    ids, votes : (K,) int64
        To take: the list, of row ids (F) or groups (P).
    rows : tuple of (K,) int64
        To take (P): for each position the rows of these groups, ascending.
    scores : (K,) int32
        To verify: of each row asked for; `ABSENT` for those of other shards.
    cost : SearchCost
        To take: what the search has cost this shard.
    """

    visible: tuple[int, ...] = ()
    groups: int = 0
    spreads: tuple[Spread, ...] = ()
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    votes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: tuple[NDArray[np.int64], ...] = ()
    scores: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    cost: SearchCost = field(default_factory=SearchCost)


class Shard(Protocol):
    """One search in one shard, here or elsewhere."""

    def ask(self, question: Question) -> Answer:
        """Do what a round asks for.

        Raises
        ------
        InputError
            If the question does not fit the search, or comes out of turn.
        SearchCancelled
            If the caller cancelled.
        """
        ...


class Panel:
    """The shards of one search, asked as one.

    Parameters
    ----------
    shards : sequence of Shard
        At least one.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = tuple(shards)

    def ask(self, question: Question) -> list[Answer]:
        """The answers of all shards, in their order; override to ask them at the same time."""
        return [shard.ask(question) for shard in self._shards]


def panel_of(shards: Sequence[Shard] | Panel) -> Panel:
    """The panel of some shards, which are asked one after the other; or the panel itself."""
    return shards if isinstance(shards, Panel) else Panel(shards)
