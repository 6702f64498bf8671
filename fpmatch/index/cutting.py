"""Where the list of all shards together ends: found from histograms, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.index.rounds import LARGEST, Answer, Cut, Panel, Question, Spread, Step
from fpmatch.types import SearchCost

RANGES = 1024
"""Ranges of ids that a round of ties tells apart."""


def ask_cut(panel: Panel, question: Question) -> tuple[tuple[Cut | None, ...], tuple[int, ...]]:
    """Ask for lists, and find where each ends.

    A shard gives no more than it was asked for, so that a list of one shard is never cut.

    Parameters
    ----------
    panel : Panel
    question : Question
        With the size of each list.

    Returns
    -------
    cuts : tuple of Cut or None
        None where all entries stay.
    totals : tuple of int
        Entries that stay.
    """
    answers = panel.ask(question)
    cuts, totals = [], []
    for which, size in enumerate(question.sizes):
        spreads = spreads_of(answers, which)
        cuts.append(cut_at(panel, which, spreads, size))
        totals.append(min(size, sum(spread.total for spread in spreads)))
    return tuple(cuts), tuple(totals)


def spreads_of(answers: Sequence[Answer], which: int) -> list[Spread]:
    """Of each answer the spread of one of its lists."""
    return [answer.spreads[which] for answer in answers]


def cut_at(panel: Panel, which: int, spreads: Sequence[Spread], size: int) -> Cut | None:
    """The cut that leaves `size` entries of a list: most votes first, ties by id.

    Parameters
    ----------
    panel : Panel
        Asked about ties where the cut is among them.
    which : int
        The list, by its number in the round.
    spreads : sequence of Spread
        Of each shard.
    size : int
        Most entries.

    Returns
    -------
    Cut or None
        None where there are no more.
    """
    if sum(spread.total for spread in spreads) <= size:
        return None
    votes, counts = added(spreads)
    above = np.cumsum(counts[::-1])[::-1]
    # The fewest votes of which some stay, and how many of those do.
    at = int(np.flatnonzero(above >= size)[-1]) if size else len(votes) - 1
    left = size - int(above[at] - counts[at])
    worth = int(votes[at])
    if left == counts[at]:
        return Cut(worth, LARGEST)
    low = min(spread.low for spread in spreads if spread.total)
    high = max(spread.high for spread in spreads)
    return Cut(worth, _last(panel, which, worth, (low, high), left))


def _last(panel: Panel, which: int, worth: int, span: tuple[int, int], left: int) -> int:
    """The id of the last tie that stays: the range with it is divided until it ends there.

    Raises
    ------
    InputError
        If the answers do not fit together.
    """
    low, high = span
    if not left:
        return low - 1
    while True:
        width = -(-(high - low + 1) // RANGES)
        asked = Question(Step.TIES, which, votes=worth, low=low, width=width)
        ranges, counts = added(spreads_of(panel.ask(asked), 0))
        upto = np.cumsum(counts)
        if not len(upto) or upto[-1] < left:
            raise InputError("a shard names fewer ties than it has counted")
        at = int(np.searchsorted(upto, left))
        first = low + int(ranges[at]) * width
        if upto[at] == left or width == 1:
            return first + width - 1
        left -= int(upto[at] - counts[at])
        low, high = first, min(high, first + width - 1)


def added(spreads: Sequence[Spread]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values, ascending, and their counts over all spreads."""
    values = np.concatenate([spread.values for spread in spreads])
    every, where = np.unique(values, return_inverse=True)
    total = np.zeros(len(every), np.int64)
    np.add.at(total, where, np.concatenate([spread.counts for spread in spreads]))
    return every, total


def ranked(
    lists: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lists of all shards as one: most votes first, ties by id.

    Parameters
    ----------
    lists : sequence of (ids, votes)
        Each of them so ordered.
    """
    if len(lists) == 1:
        return lists[0]
    ids = np.concatenate([ids for ids, _ in lists])
    votes = np.concatenate([votes for _, votes in lists])
    order = np.lexsort((ids, -votes))
    return ids[order], votes[order]


def together(costs: Sequence[SearchCost], visible: int) -> SearchCost:
    """What a search has cost all shards: counters added up, and of each stage the longest time.

    Parameters
    ----------
    costs : sequence of SearchCost
        Of each shard.
    visible : int
        Rows that the probes may see in all shards.
    """
    longest: dict[str, float] = {}
    for cost in costs:
        for stage, milliseconds in cost.milliseconds.items():
            longest[stage] = max(longest.get(stage, 0.0), milliseconds)
    return SearchCost(
        live_fingers=visible,
        codes_scanned=sum(cost.codes_scanned for cost in costs),
        fingers_scanned=sum(cost.fingers_scanned for cost in costs),
        milliseconds=longest,
        complete=all(cost.complete for cost in costs),
    )
