"""Several fingers of one person: votes added up by record before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.narrow import Field
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import Ranked, lists_for, merge, share, wanted_for
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import View, look, vote_by_lists, vote_by_rows
from fpmatch.index.stages import Count
from fpmatch.index.votes import Ballot, ballot
from fpmatch.index.work import Clock, Workers
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost

Finger = tuple[Ballot, int]
"""A probe finger, ready to vote, and its position."""


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
    parts: Sequence[Part],
    probes: Sequence[SearchTemplate],
    positions: Sequence[int],
    group_of_row: NDArray[np.int64],
    quantizer: Quantizer,
    *,
    allowed: NDArray[np.bool_] | None,
    effort: str,
    rotation: str = "upright",
    limit: int | None,
    clock: Clock,
    workers: Workers,
) -> Subjects:
    """See `PartitionIndex.shortlist_subject`."""
    views = {p: look(parts, allowed, p) for p in sorted(set(positions))}
    clock.lap("mask")
    largest = max((view.count for view in views.values()), default=0)
    count = Count()
    groups = _every_group(views, group_of_row)
    if effort == "exhaustive" or largest <= exhaustive_below(probes):
        votes, whole = np.zeros(len(groups), np.int64), True
    else:
        wanted = wanted_for(effort, largest)
        fingers = _in_order(probes, positions, wanted.surprise, rotation)
        clock.lap("cohort")
        size = share(wanted.verified_least, wanted.verified_share, largest)
        size = shortened(size, probes) if limit is None else limit
        least = max(INDEX.groups_kept, size)
        if effort != "scan" and largest > scan_below(probes):
            found = [
                _finger(views[p], f, quantizer, effort, len(fingers), clock, workers, count)
                for f, p in fingers
            ]
            listed = share(INDEX.listed_rows, INDEX.listed_share, largest)
            listed = max(least, listed * len(groups) // largest)
            groups = np.sort(add_up(found, group_of_row)[0][:listed])
            clock.lap("lists")
        field = Field(views, group_of_row, groups)
        groups, votes = _narrowed(field, fingers, least, clock, workers, count)
        groups, votes, whole = groups[:size], votes[:size], False
    clock.lap("votes")
    rows = {p: _rows_of(view, groups, group_of_row) for p, view in views.items()}
    clock.lap("rows")
    cost = SearchCost(
        live_fingers=sum(views[p].count for p in positions),
        codes_scanned=count.codes,
        fingers_scanned=count.rows,
        milliseconds=dict(clock.milliseconds),
        complete=clock.complete,
    )
    return Subjects(groups, votes, tuple(rows[p] for p in positions), whole, cost)


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


def _in_order(
    probes: Sequence[SearchTemplate], positions: Sequence[int], surprise: float, rotation: str
) -> list[Finger]:
    """Fingers with the most minutiae first; the order they were given in does not matter."""
    every = sorted(
        zip(probes, positions, strict=True),
        key=lambda f: (-len(f[0]), f[1], f[0].codes.tobytes(), f[0].angle.tobytes()),
    )
    return [(ballot(probe, surprise, rotation), position) for probe, position in every]


def _narrowed(
    field: Field,
    fingers: Sequence[Finger],
    least: int,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count one finger after the other, leave out half of the groups after each, and rank.

    A group without a vote resembles no finger and is left out.
    """
    size = len(field.groups) // 2
    for prepared, position in fingers:
        field.count(position, prepared, clock, workers, count)
        if field.judged:
            size = max(size // 2, least)
            field.keep(size)
    groups, votes = field.ranked()
    return groups[votes > 0], votes[votes > 0]


def _finger(
    view: View,
    prepared: Ballot,
    quantizer: Quantizer,
    effort: str,
    fingers: int,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> Ranked:
    """The rows that one finger votes for. The more fingers, the fewer lists each looks into."""
    wanted = wanted_for(effort, view.count)
    size = share(wanted.rescored_least, wanted.rescored_share, view.count)
    if view.count <= INDEX.subject_scan_below:
        rows = [np.flatnonzero(seen) for seen in view.seen]
        return vote_by_rows(view, rows, prepared, size, clock, workers, count)
    lists = lists_for(wanted, quantizer.lists, prepared.voting, fingers)
    found = vote_by_lists(
        view, prepared, quantizer, lists, wanted.slack, size, clock, workers, count
    )
    return merge(found, size)


def add_up(
    found: Sequence[Ranked], group_of_row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes by group: of each finger the best row, summed over the fingers; ranked."""
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


def _every_group(views: Mapping[int, View], group_of_row: NDArray[np.int64]) -> NDArray[np.int64]:
    there = np.zeros(int(group_of_row.max(initial=-1)) + 1, np.bool_)
    for view in views.values():
        for part, seen in zip(view.parts, view.seen, strict=True):
            there[group_of_row[part.row_ids[seen.view(np.bool_)]]] = True
    return np.flatnonzero(there)


def _rows_of(
    view: View, groups: NDArray[np.int64], group_of_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Visible rows of some groups, ascending."""
    chosen = np.zeros(int(group_of_row.max(initial=-1)) + 1, np.bool_)
    chosen[groups] = True
    found = [np.zeros(0, np.int64)]
    for part, seen in zip(view.parts, view.seen, strict=True):
        ids = part.row_ids[seen.view(np.bool_)]
        found.append(ids[chosen[group_of_row[ids]]])
    return np.sort(np.concatenate(found))
