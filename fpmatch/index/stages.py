"""Votes from the lists and votes of rows, as pieces of work for threads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import vote_rows
from fpmatch.index.context import SearchContext, Task, View
from fpmatch.index.list_votes import Leading, ListVotes
from fpmatch.index.lookup import lookup_for
from fpmatch.index.ranking import Ranked, best, foremost, least_of, place, together
from fpmatch.index.segment import Part
from fpmatch.index.votes import ProbeVotes
from fpmatch.index.work import spans

_CHUNK = 8192
_LEAST_CHUNK = 512
_PARTS_EACH = 4
"""Parts for each thread from which on a thread takes whole ones."""
_PIECES_EACH = 4
"""Pieces of a recount for each thread, where there are rows enough."""


def vote_by_lists(
    search: SearchContext, view: View, votes: ProbeVotes, lists: int, size: int
) -> Ranked:
    """The rows of most votes among those in the lists near the probe's cylinders, by place.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    votes : ProbeVotes
    lists : int
        Lists that each cylinder looks into.
    size : int
        Most rows.
    """
    lookup = lookup_for(votes, search.quantizer, lists, search.workers)
    search.clock.lap("coarse")
    numbers = [n for n, part in enumerate(view.parts) if len(part)]
    threads = search.workers.threads
    found = Leading(size)
    if len(numbers) >= _PARTS_EACH * threads:

        def whole(number: int) -> Task:
            return lambda: ListVotes(search, view, number, lookup, found, 1).alone()

        search.workers.run([whole(n) for n in numbers])
        return foremost(found.rows, size)
    parts = [ListVotes(search, view, n, lookup, found, threads) for n in numbers]
    search.workers.run([task for part in parts for task in part.sifting()])
    search.workers.run([task for part in parts for task in part.leading()])
    for part in parts:
        part.let_go()
    return foremost(found.rows, size)


def vote_by_rows(
    search: SearchContext,
    view: View,
    rows: Sequence[NDArray[np.int64]],
    votes: ProbeVotes,
    size: int,
) -> Ranked:
    """The given rows of every part, ranked by the votes of all their cylinders.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    rows : sequence of (K,) int64
        Of each part.
    votes : ProbeVotes
    size : int
        Most rows.
    """
    return rank_rows(view, rows, votes_of_rows(search, view, rows, votes), size)


def votes_of_rows(
    search: SearchContext, view: View, rows: Sequence[NDArray[np.int64]], votes: ProbeVotes
) -> list[NDArray[np.int64]]:
    """Votes of the given rows of every part, over all their cylinders.

    Parameters
    ----------
    search : SearchContext
    view : View
    rows : sequence of (K,) int64
        Of each part.
    votes : ProbeVotes

    Returns
    -------
    list of (K,) int64
    """
    tasks: list[Task] = []
    counted = [np.zeros(len(r), np.int64) for r in rows]
    share = sum(map(len, rows)) // (_PIECES_EACH * search.workers.threads) + 1
    step = min(_CHUNK, max(_LEAST_CHUNK, share))
    for part, chosen, out in zip(view.parts, rows, counted, strict=True):
        for span in spans(len(chosen), step):
            tasks.append(vote_task(search, part, chosen, span, votes, out))
    search.workers.run(tasks)
    return counted


def vote_task(
    search: SearchContext,
    part: Part,
    rows: NDArray[np.int64],
    span: tuple[int, int],
    votes: ProbeVotes,
    out: NDArray[np.int64],
) -> Task:
    """Votes of the rows ``rows[span]``, over all their cylinders.

    Parameters
    ----------
    search : SearchContext
    part : Part
    rows : (K,) int64
    span : tuple of int
        First place in `rows`, and the one after the last.
    votes : ProbeVotes
    out : (K,) int64
        ``out[span]`` gets the votes.
    """

    def task() -> None:
        if not search.clock.go_on():
            return
        first, last = span
        part.ensure_rows(rows[first:last])
        vote_rows(
            votes.sketches,
            votes.angle,
            votes.table,
            part.arrays["row_bytes"],
            part.arrays["row_starts"],
            part.offsets,
            votes.window,
            rows,
            first,
            last,
            out,
        )
        chunk = rows[first:last]
        codes = int((part.offsets[chunk + 1] - part.offsets[chunk]).sum())
        search.scanned.add(last - first, codes)

    return task


def rank_rows(
    view: View, rows: Sequence[NDArray[np.int64]], votes: Sequence[NDArray[np.int64]], size: int
) -> Ranked:
    """The rows of most votes over all parts.

    Parameters
    ----------
    view : View
    rows, votes : sequence of (K,) int64
        Of each part.
    size : int
        Most rows.
    """
    none = np.zeros(0, np.int64)
    least = least_of(np.concatenate([none, *votes]), size)
    found = []
    for number, (part, r, v) in enumerate(zip(view.parts, rows, votes, strict=True)):
        keep = np.flatnonzero(v >= least)
        found.append((part.row_ids[r[keep]], v[keep], place(number, r[keep])))
    return best(*together(found), size)
