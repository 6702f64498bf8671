"""A probe and the rows it may see -> the rows worth a full comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import (
    Ranked,
    best,
    lists_for,
    merge,
    place,
    ranges_for,
    share,
    unplace,
    visible_rows,
    wanted_for,
)
from fpmatch.index.segment import Part
from fpmatch.index.stages import Count, Task, list_task, pairs_for, vote_task
from fpmatch.index.votes import Ballot, ballot
from fpmatch.index.work import Clock, Workers, spans
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost

_CHUNK = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """Rows to verify.

    Parameters
    ----------
    row_ids : (K,) int64
        Most votes first, ties by row id. In the order of row ids where every allowed row is on
        the list (exhaustive effort, or few allowed rows).
    votes : (K,) int64
        Units of 1 / `INDEX.vote_unit`; 0 where every allowed row is on the list.
    exhaustive : bool
        Every allowed row is on the list.
    cost : SearchCost
        ``live_fingers`` counts the rows that the probe may see.
    """

    row_ids: NDArray[np.int64]
    votes: NDArray[np.int64]
    exhaustive: bool = False
    cost: SearchCost = field(default_factory=SearchCost)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The parts of an index under one mask and position: what a probe may see."""

    parts: Sequence[Part]
    seen: Sequence[NDArray[np.uint8]]
    position: int
    count: int


def look(parts: Sequence[Part], allowed: NDArray[np.bool_] | None, position: int) -> View:
    """Apply a mask and a position, before anything is ranked."""
    found = [visible_rows(part, allowed, position) for part in parts]
    return View(parts, [s for s, _ in found], position, sum(n for _, n in found))


def shortlist(
    view: View,
    probe: SearchTemplate,
    quantizer: Quantizer,
    *,
    effort: str,
    rotation: str = "upright",
    limit: int | None,
    clock: Clock,
    workers: Workers,
) -> Shortlist:
    """See `PartitionIndex.shortlist`. Which way is taken follows the number of visible rows."""
    count = Count()
    if effort == "exhaustive" or view.count <= INDEX.exhaustive_below:
        return everything(view, clock)
    wanted = wanted_for(effort, view.count)
    prepared = ballot(probe, wanted.surprise, rotation)
    clock.lap("cohort")
    if effort == "scan" or view.count <= INDEX.scan_below:
        rows = [np.flatnonzero(seen) for seen in view.seen]
    else:
        lists = lists_for(wanted, quantizer.lists, prepared.voting)
        size = share(wanted.rescored_least, wanted.rescored_share, view.count)
        found = vote_by_lists(
            view, prepared, quantizer, lists, wanted.slack, size, clock, workers, count
        )
        _, _, at = merge(found, size)
        part, row = unplace(at)
        rows = [np.sort(row[part == number]) for number in range(len(view.parts))]
        clock.lap("lists")
    size = share(wanted.verified_least, wanted.verified_share, view.count)
    ids, votes, _ = vote_by_rows(
        view, rows, prepared, size if limit is None else limit, clock, workers, count
    )
    clock.lap("votes")
    return finish(view, ids, votes, clock, count)


def finish(
    view: View,
    ids: NDArray[np.int64],
    votes: NDArray[np.int64],
    clock: Clock,
    count: Count,
) -> Shortlist:
    """A shortlist with its cost."""
    cost = SearchCost(
        live_fingers=view.count,
        codes_scanned=count.codes,
        fingers_scanned=count.rows,
        milliseconds=dict(clock.milliseconds),
        complete=clock.complete,
    )
    return Shortlist(ids, votes, False, cost)


def everything(view: View, clock: Clock) -> Shortlist:
    """Every visible row, by row id."""
    ids = [p.row_ids[s.view(np.bool_)] for p, s in zip(view.parts, view.seen, strict=True)]
    every = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
    clock.lap("mask")
    cost = SearchCost(live_fingers=view.count, milliseconds=dict(clock.milliseconds))
    return Shortlist(every, np.zeros(len(every), np.int64), True, cost)


def vote_by_lists(
    view: View,
    prepared: Ballot,
    quantizer: Quantizer,
    lists: int,
    slack: int,
    size: int,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> list[Ranked]:
    """The `size` rows of most votes among those in the lists near the probe's cylinders."""
    pairs = pairs_for(prepared, quantizer, lists, slack)
    clock.lap("coarse")
    found: list[Ranked] = []
    tasks: list[Task] = []
    for number, (part, seen) in enumerate(zip(view.parts, view.seen, strict=True)):
        for low, high in ranges_for(part, view.position):
            step = max(_CHUNK, -(-(high - low) // workers.threads))
            for a, b in spans(high - low, step):
                tasks.append(
                    list_task(
                        number, part, (low + a, low + b), seen, prepared, pairs, size,
                        clock, count, found,
                    )
                )  # fmt: skip
    workers.run(tasks)
    return found


def vote_by_rows(
    view: View,
    rows: Sequence[NDArray[np.int64]],
    prepared: Ballot,
    size: int,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> Ranked:
    """The given rows of every part, ranked by the votes of all their cylinders."""
    return rank_rows(view, rows, count_rows(view, rows, prepared, clock, workers, count), size)


def count_rows(
    view: View,
    rows: Sequence[NDArray[np.int64]],
    prepared: Ballot,
    clock: Clock,
    workers: Workers,
    count: Count,
) -> list[NDArray[np.int64]]:
    """Votes of the given rows of every part, over all their cylinders."""
    tasks: list[Task] = []
    votes = [np.zeros(len(r), np.int64) for r in rows]
    for part, chosen, out in zip(view.parts, rows, votes, strict=True):
        for span in spans(len(chosen), min(_CHUNK, max(512, len(chosen) // workers.threads + 1))):
            tasks.append(vote_task(part, chosen, span, prepared, out, clock, count))
    workers.run(tasks)
    return votes


def rank_rows(
    view: View,
    rows: Sequence[NDArray[np.int64]],
    votes: Sequence[NDArray[np.int64]],
    size: int,
) -> Ranked:
    """The rows of most votes over all parts."""
    found = [
        best(part.row_ids[r], v, place(number, r), size)
        for number, (part, r, v) in enumerate(zip(view.parts, rows, votes, strict=True))
    ]
    return merge(found, size)
