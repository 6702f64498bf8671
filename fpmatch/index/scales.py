"""A search at several scales: one at each, of the same rows, and one list from all of them.

Each is the search of a probe of its own: nothing below knows of the others. They share mask,
deadline, stop-watch and counters, so that what the last of them has cost is the cost of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.index.rounds import Answer, Panel, Question, Shard, panel_of
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.subject import Subjects

Keys = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ids and votes of a list."""
Listed = TypeVar("Listed", Shortlist, Subjects)


class ScaledShard:
    """One shard of the searches at several scales.

    Parameters
    ----------
    shards : sequence of Shard
        Of each scale.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = tuple(shards)

    def ask(self, question: Question) -> Answer:
        """See `Shard.ask`; the rounds of each scale are in turn by themselves.

        Parameters
        ----------
        question : Question

        Raises
        ------
        InputError
            If there is no such scale, or the question does not fit.
        """
        if not 0 <= question.scale < len(self._shards):
            raise InputError(f"there is no scale {question.scale} to be searched at")
        return self._shards[question.scale].ask(replace(question, scale=0))


class AtScale(Panel):
    """The shards of the search at one of several scales.

    Parameters
    ----------
    shards : sequence of Shard, or Panel
        Each with searches at several.
    scale : int
        Its number.
    """

    def __init__(self, shards: Sequence[Shard] | Panel, scale: int) -> None:
        super().__init__(())
        self._panel = panel_of(shards)
        self._scale = scale

    def ask(self, question: Question) -> list[Answer]:
        """See `Panel.ask`.

        Parameters
        ----------
        question : Question
        """
        return self._panel.ask(replace(question, scale=self._scale))


def best_rows(lists: Iterable[Shortlist]) -> Shortlist:
    """One list from those of all scales.

    Each row has its best votes; most votes first, ties by row id, as long as the longest of them.
    Where one lists every row that may be seen the others are not asked for.

    Parameters
    ----------
    lists : iterable of Shortlist
        Of searches that share their counters, in order; at least one.
    """
    found = _asked_for(lists)
    if len(found) == 1:
        return found[0]
    ids, votes = _best([(one.row_ids, one.votes) for one in found])
    return Shortlist(ids, votes, cost=found[-1].cost)


def best_groups(lists: Iterable[Subjects], group_of_row: NDArray[np.integer]) -> Subjects:
    """The same of several fingers of one person: each group has its best votes of one scale.

    Parameters
    ----------
    lists : iterable of Subjects
        As for `best_rows`.
    group_of_row : (R,) integers
        By row id, as the lists name groups.
    """
    found = _asked_for(lists)
    if len(found) == 1:
        return found[0]
    groups, votes = _best([(one.groups, one.votes) for one in found])
    rows = []
    for several in zip(*(one.row_ids for one in found), strict=True):
        every = np.unique(np.concatenate(several))
        rows.append(every[np.isin(group_of_row[every], groups)])
    return Subjects(groups, votes, tuple(rows), cost=found[-1].cost)


def _asked_for(lists: Iterable[Listed]) -> list[Listed]:
    """All of them, in order; the first alone that lists every row, where one does."""
    found: list[Listed] = []
    for one in lists:
        if one.exhaustive:
            return [one]
        found.append(one)
    return found


def _best(lists: Sequence[Keys]) -> Keys:
    ids = np.concatenate([ids for ids, _ in lists])
    votes = np.concatenate([votes for _, votes in lists])
    order = np.lexsort((-votes, ids))
    ids, votes = ids[order], votes[order]
    first = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
    ids, votes = ids[first], votes[first]
    order = np.lexsort((ids, -votes))[: max(len(one) for one, _ in lists)]
    return ids[order], votes[order]
