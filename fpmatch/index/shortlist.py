"""A probe and the rows it may see -> the rows worth a full comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index._kernels import vote_rows
from fpmatch.index.segment import Part
from fpmatch.index.votes import Ballot, ballot
from fpmatch.index.work import Clock, Workers, spans
from fpmatch.parameters import INDEX
from fpmatch.types import SearchCost

EFFORTS = ("fast", "balanced", "scan", "exhaustive")
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


def visible_rows(part: Part, allowed: NDArray[np.bool_] | None, position: int) -> NDArray[np.uint8]:
    """1 for every row of a part that exists, is allowed and may be of the probe's position."""
    seen = part.live.copy()
    if position:
        first, last = part.bounds[position], part.bounds[position + 1]
        seen[part.bounds[1] : first] = 0
        seen[last:] = 0
    if allowed is not None:
        known = part.row_ids < len(allowed)
        if known.all():
            seen &= allowed[part.row_ids].view(np.uint8)
        else:
            seen &= known & allowed[np.where(known, part.row_ids, 0)] if len(allowed) else False
    return seen


def size_for(count: int, effort: str) -> int:
    """Rows on the shortlist; follows the number of allowed rows and nothing else."""
    least = {"fast": INDEX.shortlist_fast, "balanced": INDEX.shortlist_least}.get(
        effort, INDEX.shortlist_least
    )
    return max(least, count // INDEX.shortlist_share)


def best(
    row_ids: NDArray[np.int64], votes: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of most votes, ties by row id; rows without a vote are left out."""
    if len(votes) > size:
        least = max(1, int(np.partition(votes, len(votes) - size)[len(votes) - size]))
    else:
        least = 1
    keep = np.flatnonzero(votes >= least)
    row_ids, votes = row_ids[keep], votes[keep]
    order = np.lexsort((row_ids, -votes))[:size]
    return row_ids[order], votes[order]


def shortlist(
    parts: Sequence[Part],
    probe: SearchTemplate,
    *,
    allowed: NDArray[np.bool_] | None,
    position: int,
    effort: str,
    limit: int | None,
    clock: Clock,
    workers: Workers,
) -> Shortlist:
    """See `PartitionIndex.shortlist`."""
    seen = [visible_rows(part, allowed, position) for part in parts]
    count = int(sum(int(s.sum()) for s in seen))
    clock.lap("mask")
    if effort == "exhaustive" or count <= INDEX.exhaustive_below:
        ids = [p.row_ids[s.view(np.bool_)] for p, s in zip(parts, seen, strict=True)]
        ids = np.sort(np.concatenate([np.zeros(0, np.int64), *ids]))
        cost = SearchCost(live_fingers=count, milliseconds=MappingProxyType(clock.milliseconds))
        return Shortlist(ids, np.zeros(len(ids), np.int64), True, cost)
    size = size_for(count, effort) if limit is None else limit
    prepared = ballot(probe)
    clock.lap("cohort")
    tasks: list[Callable[[], None]] = []
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    scanned: list[tuple[int, int]] = []
    results = []
    for part, mask in zip(parts, seen, strict=True):
        rows = np.flatnonzero(mask)
        votes = np.zeros(len(rows), np.int64)
        results.append((part, rows, votes))
        for first, last in spans(len(rows), _CHUNK):
            tasks.append(_scan_task(part, prepared, rows, first, last, votes, clock, scanned))
    workers.run(tasks)
    for part, rows, votes in results:
        found.append(best(part.row_ids[rows], votes, size))
    ids, top = best(
        np.concatenate([np.zeros(0, np.int64), *(f[0] for f in found)]),
        np.concatenate([np.zeros(0, np.int64), *(f[1] for f in found)]),
        size,
    )
    clock.lap("scan")
    cost = SearchCost(
        live_fingers=count,
        codes_scanned=sum(c for _, c in scanned),
        fingers_scanned=sum(r for r, _ in scanned),
        milliseconds=MappingProxyType(clock.milliseconds),
        complete=clock.complete,
    )
    return Shortlist(ids, top, False, cost)


def _scan_task(
    part: Part,
    prepared: Ballot,
    rows: NDArray[np.int64],
    first: int,
    last: int,
    votes: NDArray[np.int64],
    clock: Clock,
    scanned: list[tuple[int, int]],
) -> Callable[[], None]:
    def task() -> None:
        if not clock.go_on():
            return
        chunk = rows[first:last]
        part.ensure_rows(chunk, ("codes", "angle"))
        vote_rows(
            prepared.codes,
            prepared.angle,
            prepared.table,
            part.packed.codes,
            part.packed.angle,
            part.offsets,
            INDEX.window,
            rows,
            first,
            last,
            votes,
        )
        codes = int((part.offsets[chunk + 1] - part.offsets[chunk]).sum())
        scanned.append((last - first, codes))

    return task
