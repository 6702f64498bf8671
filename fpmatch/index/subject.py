"""Several fingers of one person: votes added up by record before anything is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import Ranked, lists_for, merge, share, wanted_for
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import View, look, vote_by_lists, vote_by_rows
from fpmatch.index.stages import Count
from fpmatch.index.votes import ballot
from fpmatch.index.work import Clock, Workers
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost


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
    limit: int | None,
    clock: Clock,
    workers: Workers,
) -> Subjects:
    """See `PartitionIndex.shortlist_subject`."""
    views = {p: look(parts, allowed, p) for p in sorted(set(positions))}
    clock.lap("mask")
    largest = max((view.count for view in views.values()), default=0)
    count = Count()
    if effort == "exhaustive" or largest <= INDEX.exhaustive_below:
        groups, votes, whole = _every_group(views, group_of_row), None, True
    else:
        wanted = wanted_for(effort, largest)
        found = [
            _finger(views[position], probe, quantizer, effort, len(probes), clock, workers, count)
            for probe, position in zip(probes, positions, strict=True)
        ]
        groups, votes = add_up(found, group_of_row)
        size = share(wanted.verified_least, wanted.verified_share, largest)
        size = max(size // max(1, len(probes)), INDEX.groups_least) if limit is None else limit
        groups, votes, whole = groups[:size], votes[:size], False
    clock.lap("fuse")
    rows = {p: _rows_of(view, groups, group_of_row) for p, view in views.items()}
    clock.lap("rows")
    cost = SearchCost(
        live_fingers=sum(views[p].count for p in positions),
        codes_scanned=count.codes,
        fingers_scanned=count.rows,
        milliseconds=MappingProxyType(clock.milliseconds),
        complete=clock.complete,
    )
    scores = np.zeros(len(groups), np.int64) if votes is None else votes
    return Subjects(groups, scores, tuple(rows[p] for p in positions), whole, cost)


def _finger(
    view: View,
    probe: SearchTemplate,
    quantizer: Quantizer,
    effort: str,
    fingers: int,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> Ranked:
    """The rows that one finger votes for. The more fingers, the fewer lists each looks into."""
    wanted = wanted_for(effort, view.count)
    prepared = ballot(probe, wanted.surprise)
    size = share(wanted.rescored_least, wanted.rescored_share, view.count)
    if effort == "scan" or view.count <= INDEX.scan_below:
        rows = [np.flatnonzero(seen) for seen in view.seen]
        size = max(size, INDEX.finger_rows)
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


def _every_group(views: dict[int, View], group_of_row: NDArray[np.int64]) -> NDArray[np.int64]:
    found = [np.zeros(0, np.int64)]
    for view in views.values():
        for part, seen in zip(view.parts, view.seen, strict=True):
            found.append(group_of_row[part.row_ids[seen.view(np.bool_)]])
    return np.unique(np.concatenate(found))


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
