"""Rows of an index compared with one finger by the full matcher."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, SearchTemplate
from fpmatch.index.build import select_rows
from fpmatch.index.context import SearchContext, Task
from fpmatch.index.segment import Part
from fpmatch.index.work import spans
from fpmatch.matcher import compare_many

UNVERIFIED = -1
"""Score of a row that was not reached before the deadline."""
REMOVED = -2
"""Score of a row that was tombstoned after the search had begun: it is no candidate any more."""
ABSENT = -3
"""Score of a row that this index does not hold, or did not when the search began."""
_CHUNK = 64


def verify_rows(
    search: SearchContext, probe: SearchTemplate, row_ids: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Raw scores of the full matcher, of the rows that this index holds.

    Parameters
    ----------
    search : SearchContext
    probe : SearchTemplate
    row_ids : (K,) int64

    Returns
    -------
    (K,) int32
        In the order of the rows; `UNVERIFIED`, `REMOVED` or `ABSENT` where there is none.

    Raises
    ------
    SearchCancelled
        If the caller cancelled.
    """
    scores = np.full(len(row_ids), ABSENT, np.int32)

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
        gone = here[~live]
        gone = gone[scores[gone] == ABSENT]
        scores[gone[~np.isin(row_ids[gone], search.tombstoned)]] = REMOVED
        here = here[live]
        scores[here] = UNVERIFIED
        step = max(_CHUNK, -(-len(here) // (4 * search.workers.threads)))
        for first, last in spans(len(here), step):
            tasks.append(task_for(part, rows[here[first:last]], here[first:last]))
    search.workers.run(tasks)
    return scores
