"""What every shard does with a question: in turn, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.index.cutting import RANGES
from fpmatch.index.rounds import Answer, Question, Spread, Step

Keys = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ids and votes of a list."""
Shape = tuple[int, int, int]
FIRST = frozenset({Step.COUNT, Step.VERIFY})
AFTER: Mapping[Step, frozenset[Step]] = {
    Step.EVERYTHING: frozenset({Step.COUNT}),
    Step.SCAN: frozenset({Step.COUNT}),
    Step.LISTS: frozenset({Step.COUNT}),
    Step.RECOUNT: frozenset({Step.LISTS}),
    Step.GROUP: frozenset({Step.LISTS}),
    Step.NARROW: frozenset({Step.SCAN, Step.GROUP, Step.NARROW}),
    Step.RANK: frozenset({Step.NARROW}),
    Step.TIES: frozenset({Step.SCAN, Step.LISTS, Step.RECOUNT, Step.GROUP, Step.NARROW, Step.RANK}),
    Step.TAKE: frozenset({Step.EVERYTHING, Step.SCAN, Step.RECOUNT, Step.RANK}),
}
"""The round that a round may follow; rounds of ties and verifications do not count."""


class Asked:
    """A shard's side of the rounds: base of the searches of a finger and of a person.

    Parameters
    ----------
    shapes : mapping of Step to tuple of int
        What it can be asked, besides ties: of each the numbers of positions, sizes and cuts that
        the question has.
    """

    # By name: bound methods would make a circle, and the search's arrays would outlive it.
    ways: ClassVar[Mapping[Step, str]]

    def __init__(self, shapes: Mapping[Step, Shape]) -> None:
        self._shapes = shapes
        self._last: Step | None = None
        self._keys: tuple[Keys, ...] = ()

    def ask(self, question: Question) -> Answer:
        """See `Shard.ask`.

        Parameters
        ----------
        question : Question

        Raises
        ------
        InputError
            If the question does not fit the search, or comes out of turn.
        """
        step = question.step
        known = step in self.ways or step is Step.TIES
        if question.scale:
            raise InputError(f"there is no scale {question.scale} to be searched at")
        if not known or (step not in FIRST and self._last not in AFTER[step]):
            raise InputError(f"a round of {step.value} is not in turn")
        shape = self._shapes.get(step, (0, 0, 0))
        if (len(question.visible), len(question.sizes), len(question.cuts)) != shape:
            raise InputError(f"a round of {step.value} has other numbers of sizes and cuts here")
        if step not in (Step.TIES, Step.VERIFY):
            self._last = step
        do: Callable[[Question], Answer] = getattr(self, self.ways.get(step, "_ties"))
        return do(question)

    def listed(self, *lists: Keys) -> Answer:
        """An answer with the spreads of some lists, which may be asked about ties next.

        Parameters
        ----------
        *lists : (ids, votes)
        """
        self._keys = lists
        return Answer(spreads=tuple(Spread.of(ids, votes) for ids, votes in lists))

    @staticmethod
    def rows_of(question: Question) -> NDArray[np.int64]:
        """The rows that a question names.

        Raises
        ------
        InputError
            If it names none.
        """
        if question.rows is None:
            raise InputError("a round of verify names no rows")
        return question.rows

    def _ties(self, question: Question) -> Answer:
        if not 0 <= question.finger < len(self._keys):
            raise InputError(f"there is no list {question.finger} to be asked about")
        ids, votes = self._keys[question.finger]
        ids = ids[(votes == question.votes) & (ids >= question.low)]
        ranges = (ids - question.low) // question.width
        inside = ranges < RANGES
        return Answer(spreads=(Spread.of(ids[inside], ranges[inside]),))
