"""Rows of an index compared with one finger by the full matcher."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext
from fpmatch.index.segment import Part
from fpmatch.index.work import spans
from fpmatch.matcher.compare import Comparer

UNVERIFIED = -1
"""Score of a row that was not reached before the deadline."""
REMOVED = -2
"""Score of a row that was tombstoned after the search had begun: it is no candidate any more."""
ABSENT = -3
"""Score of a row that this index does not hold, or did not when the search began."""
_CHUNK = 32
"""Rows between two looks at the clock: half a millisecond."""
_TOGETHER = 128
"""Most rows of a piece of work, whose search forms are unpacked together."""
Piece = tuple[Part, NDArray[np.int64], NDArray[np.int64]]
"""Rows of a part, and their places in what was asked for."""


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
    pieces: list[Piece] = []
    each = min(_TOGETHER, max(_CHUNK, -(-len(row_ids) // search.workers.threads)))
    for part in search.parts:
        rows = part.find(row_ids)
        here = np.flatnonzero(rows >= 0)
        if not len(here):
            continue
        live = part.live[rows[here]] > 0
        if not live.all():
            gone = here[~live]
            gone = gone[scores[gone] == ABSENT]
            scores[gone[~np.isin(row_ids[gone], search.tombstoned)]] = REMOVED
            here = here[live]
        scores[here] = UNVERIFIED
        for first, last in spans(len(here), each):
            pieces.append((part, rows[here[first:last]], here[first:last]))
    left = iter(pieces)
    lock = threading.Lock()

    def compare() -> None:
        comparer = Comparer(probe, search.rotation)
        while True:
            with lock:
                piece = next(left, None)
            if piece is None:
                return
            part, rows, at = piece
            forms = part.forms(rows)
            for first, last in spans(len(rows), _CHUNK):
                if not search.clock.go_on():
                    return
                scores[at[first:last]] = comparer.scores(forms, np.arange(first, last))

    search.workers.run([compare] * min(search.workers.threads, len(pieces)))
    return scores
