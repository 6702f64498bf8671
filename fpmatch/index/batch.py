"""Several probes under one mask: shared masks and shared passes, results as if alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext, Task, View
from fpmatch.index.finger_shard import FingerShard
from fpmatch.index.ladder import Bounds, climb
from fpmatch.index.ranking import wanted_for
from fpmatch.index.shortlist import Shortlist, finger_bounds, shortlist_across
from fpmatch.index.stages import vote_task
from fpmatch.index.votes import probe_votes
from fpmatch.index.work import spans

_SHARED_ROWS = 256


def shortlist_batch(
    search: SearchContext, probes: Sequence[SearchTemplate], positions: Sequence[int]
) -> list[Shortlist]:
    """See `PartitionIndex.shortlist_many`.

    Parameters
    ----------
    search : SearchContext
    probes : sequence of SearchTemplate
    positions : sequence of int
        Of each probe; 0 for unknown.
    """
    out: dict[int, Shortlist] = {}
    for position in sorted(set(positions)):
        numbers = [n for n, p in enumerate(positions) if p == position]
        each = [search.for_another_probe() for _ in numbers]
        view = search.apply_mask(position)
        for one in each:
            one.clock.lap("mask")
        stages = BatchStages(each, view, [probes[n] for n in numbers])
        out.update(zip(numbers, climb(search.effort, stages), strict=True))
    return [out[n] for n in range(len(probes))]


@dataclass(frozen=True, slots=True, eq=False)
class BatchStages:
    """The stages of searches of several probes that see the same rows.

    Parameters
    ----------
    searches : sequence of SearchContext
        One for each probe.
    view : View
        What the probes may see.
    probes : sequence of SearchTemplate
    """

    searches: Sequence[SearchContext]
    view: View
    probes: Sequence[SearchTemplate]

    @property
    def visible(self) -> int:
        """Rows that each probe may see."""
        return self.view.visible

    @property
    def bounds(self) -> Bounds:
        """Where the stages end: as for one probe."""
        return finger_bounds()

    def everything(self) -> list[Shortlist]:
        """Every visible row for each."""
        return [self._alone(search, probe) for search, probe in self._pairs()]

    def scan(self) -> list[Shortlist]:
        """All probes over a few rows while those are in cache, then the next rows."""
        first = self.searches[0]
        rows = self.view.rows()
        least = wanted_for(first.effort, self.visible).z_least
        prepared = [probe_votes(probe, least, first.rotation) for probe in self.probes]
        counted = [[np.zeros(len(r), np.int64) for r in rows] for _ in self.probes]
        tasks: list[Task] = []
        for number, part in enumerate(self.view.parts):
            for span in spans(len(rows[number]), _SHARED_ROWS):
                pieces = [
                    vote_task(search, part, rows[number], span, votes, out[number])
                    for search, votes, out in zip(self.searches, prepared, counted, strict=True)
                ]
                tasks.append(_all_of(pieces))
        first.workers.run(tasks)
        pairs = zip(self._pairs(), counted, strict=True)
        return [self._alone(search, probe, out) for (search, probe), out in pairs]

    def lists(self) -> list[Shortlist]:
        """A probe a thread: for lists, cheaper than all threads on one probe after the other."""
        found: list[Shortlist | None] = [None] * len(self.probes)

        def task(n: int) -> Task:
            def run() -> None:
                found[n] = self._alone(self.searches[n].on_one_thread(), self.probes[n])

            return run

        self.searches[0].workers.run([task(n) for n in range(len(self.probes))])
        return [result for result in found if result is not None]

    def _pairs(self) -> list[tuple[SearchContext, SearchTemplate]]:
        return list(zip(self.searches, self.probes, strict=True))

    def _alone(
        self,
        search: SearchContext,
        probe: SearchTemplate,
        counted: Sequence[NDArray[np.int64]] | None = None,
    ) -> Shortlist:
        shard = FingerShard(search, self.view, probe)
        if counted is not None:
            shard.counted(counted)
        return shortlist_across([shard], probe, search.effort, search.limit)


def _all_of(pieces: Sequence[Task]) -> Task:
    def task() -> None:
        for piece in pieces:
            piece()

    return task
