"""Several probes under one mask: shared masks and shared passes, results as if alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import share, wanted_for
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import (
    Shortlist,
    View,
    everything,
    finish,
    look,
    rank_rows,
    shortlist,
)
from fpmatch.index.stages import Count, Task, vote_task
from fpmatch.index.votes import ballot
from fpmatch.index.work import Cancel, Clock, Workers, spans
from fpmatch.parameters import INDEX

_SHARED_ROWS = 256


def shortlist_batch(
    parts: Sequence[Part],
    probes: Sequence[SearchTemplate],
    positions: Sequence[int],
    quantizer: Quantizer,
    *,
    allowed: NDArray[np.bool_] | None,
    effort: str,
    rotation: str = "upright",
    limit: int | None,
    deadline: float | None,
    cancel: Cancel | None,
    workers: Workers,
) -> list[Shortlist]:
    """See `PartitionIndex.shortlist_many`."""
    out: dict[int, Shortlist] = {}
    for position in sorted(set(positions)):
        numbers = [n for n, p in enumerate(positions) if p == position]
        clocks = [Clock(deadline, cancel) for _ in numbers]
        view = look(parts, allowed, position)
        for clock in clocks:
            clock.lap("mask")
        group = [probes[n] for n in numbers]
        if effort == "exhaustive" or view.count <= INDEX.exhaustive_below:
            results = [everything(view, clock) for clock in clocks]
        elif effort == "scan" or view.count <= INDEX.scan_below:
            results = _shared_scan(view, group, effort, rotation, limit, clocks, workers)
        else:
            results = _spread(view, group, quantizer, effort, rotation, limit, clocks, workers)
        out.update(zip(numbers, results, strict=True))
    return [out[n] for n in range(len(probes))]


def _spread(
    view: View,
    probes: Sequence[SearchTemplate],
    quantizer: Quantizer,
    effort: str,
    rotation: str,
    limit: int | None,
    clocks: Sequence[Clock],
    workers: Workers,
) -> list[Shortlist]:
    """A probe a thread: for lists, cheaper than all threads on one probe after the other."""
    found: list[Shortlist | None] = [None] * len(probes)
    alone = Workers(1)

    def task(n: int) -> Task:
        def run() -> None:
            found[n] = shortlist(
                view,
                probes[n],
                quantizer,
                effort=effort,
                rotation=rotation,
                limit=limit,
                clock=clocks[n],
                workers=alone,
            )

        return run

    workers.run([task(n) for n in range(len(probes))])
    return [result for result in found if result is not None]


def _shared_scan(
    view: View,
    probes: Sequence[SearchTemplate],
    effort: str,
    rotation: str,
    limit: int | None,
    clocks: Sequence[Clock],
    workers: Workers,
) -> list[Shortlist]:
    """All probes over a few rows while those are in cache, then the next rows."""
    rows = [np.flatnonzero(seen) for seen in view.seen]
    ballots = [ballot(probe, rotation=rotation) for probe in probes]
    votes = [[np.zeros(len(r), np.int64) for r in rows] for _ in probes]
    counts = [Count() for _ in probes]
    tasks: list[Task] = []
    for number, part in enumerate(view.parts):
        for span in spans(len(rows[number]), _SHARED_ROWS):
            pieces = [
                vote_task(part, rows[number], span, b, v[number], clock, count)
                for b, v, clock, count in zip(ballots, votes, clocks, counts, strict=True)
            ]
            tasks.append(_all_of(pieces))
    workers.run(tasks)
    wanted = wanted_for(effort, view.count)
    size = share(wanted.verified_least, wanted.verified_share, view.count)
    out = []
    for own, clock, count in zip(votes, clocks, counts, strict=True):
        ids, top, _ = rank_rows(view, rows, own, size if limit is None else limit)
        clock.lap("votes")
        out.append(finish(view, ids, top, clock, count))
    return out


def _all_of(pieces: Sequence[Task]) -> Task:
    def task() -> None:
        for piece in pieces:
            piece()

    return task
