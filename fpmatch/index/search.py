"""One search of a partition: its shortlists and its verification, over one state of the index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_choice, check_integer
from fpmatch.descriptor import COLUMNS, SearchTemplate
from fpmatch.errors import InputError
from fpmatch.index.batch import shortlist_batch
from fpmatch.index.build import select_rows
from fpmatch.index.context import SearchContext, Task
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.segment import Part
from fpmatch.index.shortlist import Shortlist, shortlist
from fpmatch.index.subject import Subjects, shortlist_groups
from fpmatch.index.work import spans
from fpmatch.matcher import ROTATIONS, compare_many

UNVERIFIED = -1
"""Score of a row that `PartitionSearch.verify` did not reach before the deadline."""
REMOVED = -2
"""Score of a row that was tombstoned after the search had begun: it is no candidate any more."""
MOST_ROWS = 2**31 - 1
"""Largest limit of a shortlist."""
_VERIFY_CHUNK = 64


class PartitionSearch:
    """What one search does in a partition; made by `PartitionIndex.begin`.

    Everything that bounds it was said there, and holds for shortlist and verification together.

    Parameters
    ----------
    context : SearchContext

    Raises
    ------
    InputError
        If the mask, the effort, the rotation or the limit cannot be used.
    """

    def __init__(self, context: SearchContext) -> None:
        check_choice("effort", context.effort, EFFORTS)
        check_choice("rotation", context.rotation, ROTATIONS)
        if context.limit is not None:
            check_integer("limit", context.limit, 0, MOST_ROWS)
        allowed = context.allowed
        if allowed is not None and (allowed.dtype != np.bool_ or allowed.ndim != 1):
            raise InputError(f"allowed must be a bool array indexed by row id, not {allowed.dtype}")
        self._context = context

    def shortlist(self, probe: SearchTemplate, position: int = 0) -> Shortlist:
        """The rows worth a full comparison; see `PartitionIndex.shortlist`.

        Parameters
        ----------
        probe : SearchTemplate
        position : int
            The probe's finger; 0 for unknown.

        Raises
        ------
        SearchCancelled
            If the caller cancelled.
        CorruptError
            If a block that the search would use fails its checksum.
        """
        view = self._context.apply_mask(int(position))
        self._context.clock.lap("mask")
        return shortlist(self._context, view, probe)

    def shortlist_many(
        self, probes: Sequence[SearchTemplate], positions: Sequence[int] | None = None
    ) -> list[Shortlist]:
        """A list for each of several probes; see `PartitionIndex.shortlist_many`.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        positions : sequence of int, optional
            One for each probe.

        Raises
        ------
        InputError
            If there are not as many positions as probes.
        """
        return shortlist_batch(self._context, probes, _positions(probes, positions))

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.int64],
        positions: Sequence[int] | None = None,
    ) -> Subjects:
        """One list for several fingers; see `PartitionIndex.shortlist_subject`.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) int64
            Indexed by row id: the group of each row, not negative.
        positions : sequence of int, optional
            One for each probe.

        Raises
        ------
        InputError
            If there are not as many positions as probes.
        """
        groups = np.asarray(group_of_row, np.int64)
        return shortlist_groups(self._context, probes, _positions(probes, positions), groups)

    def verify(self, probe: SearchTemplate, row_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Raw scores of the full matcher; see `PartitionIndex.verify`.

        Parameters
        ----------
        probe : SearchTemplate
        row_ids : (K,) int64

        Returns
        -------
        (K,) int32
            In the order of the rows; `UNVERIFIED` for those not reached before the deadline,
            `REMOVED` for those tombstoned since the search began.

        Raises
        ------
        InputError
            If a row did not exist when the search began.
        SearchCancelled
            If the caller cancelled.
        """
        search = self._context
        row_ids = np.asarray(row_ids, np.int64)
        scores = np.full(len(row_ids), UNVERIFIED, np.int32)
        found = np.zeros(len(row_ids), np.bool_)

        def task_for(part: Part, rows: NDArray[np.int64], at: NDArray[np.int64]) -> Task:
            def task() -> None:
                if search.clock.go_on():
                    part.ensure_rows(rows, tuple(COLUMNS))
                    packed = select_rows(part.packed, rows)
                    scores[at] = compare_many(probe, packed, rotation=search.rotation)

            return task

        tasks = []
        for part in search.parts:
            rows = part.find(row_ids)
            here = np.flatnonzero(rows >= 0)
            live = part.live[rows[here]] > 0
            found[here[live]] = True
            scores[here[~live]] = REMOVED
            here = here[live]
            step = max(_VERIFY_CHUNK, -(-len(here) // (4 * search.workers.threads)))
            for first, last in spans(len(here), step):
                tasks.append(task_for(part, rows[here[first:last]], here[first:last]))
        gone = (scores == REMOVED) & ~found
        found |= gone & ~np.isin(row_ids, search.tombstoned)
        if not found.all():
            raise InputError(f"{int((~found).sum())} of the rows are not in the index")
        search.workers.run(tasks)
        return scores


def _positions(probes: Sequence[SearchTemplate], said: Sequence[int] | None) -> list[int]:
    positions = [0] * len(probes) if said is None else [int(p) for p in said]
    if len(positions) != len(probes):
        raise InputError(f"{len(probes)} probes and {len(positions)} positions")
    return positions
