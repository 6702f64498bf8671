"""Rows of an index compared with one finger by the full matcher."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index.context import SearchContext
from fpmatch.index.segment import Part, forms_of
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
_PIECES_EACH = 2
"""Pieces for each thread, where there are rows enough."""


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
    taken: list[tuple[Part, NDArray[np.int64]]] = []
    places = [np.zeros(0, np.int64)]
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
        taken.append((part, rows[here]))
        places.append(here)
    asked = np.concatenate(places)
    threads = search.workers.threads
    each = -(-len(asked) // (_PIECES_EACH * threads))
    pieces = list(spans(len(asked), min(_TOGETHER, max(_CHUNK, each))))
    left = iter(pieces)
    lock = threading.Lock()

    def compare() -> None:
        comparer = Comparer(probe, search.rotation)
        while True:
            with lock:
                piece = next(left, None)
            if piece is None:
                return
            at = asked[slice(*piece)]
            forms = forms_of(_between(taken, *piece))
            for first, last in spans(len(at), _CHUNK):
                if not search.clock.go_on():
                    return
                scores[at[first:last]] = comparer.scores(forms, np.arange(first, last))

    search.workers.run([compare] * min(threads, len(pieces)))
    return scores


def _between(
    taken: list[tuple[Part, NDArray[np.int64]]], first: int, last: int
) -> list[tuple[Part, NDArray[np.int64]]]:
    """The rows of parts from the first to before the last, counted through all of them."""
    out = []
    for part, rows in taken:
        if first < len(rows) and last > 0:
            out.append((part, rows[max(first, 0) : last]))
        first, last = first - len(rows), last - len(rows)
    return out
