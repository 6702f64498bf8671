"""Votes from the lists and votes of rows, as pieces of work for threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import (
    leaders,
    list_ranges,
    measure,
    sift,
    squeeze_pairs,
    tally,
    vote_rows,
)
from fpmatch.index.build import LIST_COLUMNS
from fpmatch.index.context import SearchContext, Task, View
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import Ranked, best, merge, place, ranges_for, wanted_for
from fpmatch.index.segment import Part
from fpmatch.index.votes import ProbeVotes
from fpmatch.index.work import spans
from fpmatch.parameters import DESCRIPTOR, EFFORT_BALANCED

_BUFFER = 1 << 15
_CHUNK = 8192
_LEAST_CHUNK = 512
_TALLIES = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Every (probe cylinder, list) that a search looks into, by cylinder.

    Parameters
    ----------
    votes : ProbeVotes
        Of the probe.
    cylinder, lists : (K,) int64
    short : (K, 2) uint64
        The cylinder's code under the list's mask.
    need : (K,) int64
        Common bits that an entry must have.
    """

    votes: ProbeVotes
    cylinder: NDArray[np.int64]
    lists: NDArray[np.int64]
    short: NDArray[np.uint64]
    need: NDArray[np.int64]


def lookup_for(
    votes: ProbeVotes, quantizer: Quantizer, most: int, slack: int = EFFORT_BALANCED.slack
) -> Lookup:
    """The nearest lists of every cylinder that can vote.

    Codes of weight w at distance d share w - d / 2 bits. The short codes hold most of them.

    Parameters
    ----------
    votes : ProbeVotes
    quantizer : Quantizer
    most : int
        Lists of each cylinder.
    slack : int
        Common bits that may be missing in the short codes.
    """
    voting = np.flatnonzero(votes.cut >= 0)
    lists = quantizer.nearest(votes.codes[voting], most)
    cylinder = np.repeat(voting, lists.shape[1])
    lists = np.ascontiguousarray(lists.ravel(), np.int64)
    short = np.zeros((len(lists), 2), np.uint64)
    squeeze_pairs(cylinder, lists, votes.codes, quantizer.masks, short)
    common = -(-(2 * DESCRIPTOR.weight - votes.cut) // 2) - slack
    need = np.maximum(1, common)[cylinder]
    return Lookup(votes, cylinder, lists, short, need)


def vote_by_lists(
    search: SearchContext, view: View, votes: ProbeVotes, lists: int, size: int
) -> Ranked:
    """The rows of most votes among those in the lists near the probe's cylinders.

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
    slack = wanted_for(search.effort, view.visible).slack
    lookup = lookup_for(votes, search.quantizer, lists, slack)
    search.clock.lap("coarse")
    found: list[Ranked] = []
    tasks: list[Task] = []
    for number, part in enumerate(view.parts):
        for low, high in ranges_for(part, view.position):
            step = max(_CHUNK, -(-(high - low) // search.workers.threads))
            tasks += [
                list_task(search, view, lookup, (number, low + a, low + b), size, found)
                for a, b in spans(high - low, step)
            ]
    search.workers.run(tasks)
    return merge(found, size)


def list_task(
    search: SearchContext,
    view: View,
    lookup: Lookup,
    span: tuple[int, int, int],
    size: int,
    found: list[Ranked],
) -> Task:
    """Votes from the lists for some rows of one part.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    lookup : Lookup
    span : tuple of int
        Number of the part, its first row and the row after the last.
    size : int
        Most rows.
    found : list of Ranked
        Gets the rows of most votes, in any order.
    """
    number, low, high = span
    part, seen = view.parts[number], view.seen[number]

    def task() -> None:
        if not search.clock.go_on():
            return
        state = np.zeros(high - low, np.uint64)
        _tally_lists(search, part, seen, lookup, (low, high), state)
        least = leaders(state, size, np.zeros(_TALLIES, np.int64))
        rows = np.flatnonzero(state >= np.uint64(least << 32)) + low
        counted = (state[rows - low] >> np.uint64(32)).astype(np.int64)
        found.append((part.row_ids[rows], counted, place(number, rows)))

    return task


def _tally_lists(
    search: SearchContext,
    part: Part,
    seen: NDArray[np.uint8],
    lookup: Lookup,
    span: tuple[int, int],
    state: NDArray[np.uint64],
) -> None:
    """Add up the votes of a span's rows in `state`, buffer by buffer."""
    arrays, votes = part.arrays, lookup.votes
    low, _ = span
    rows = arrays["list_rows"]
    ranges = _ranges(part, lookup, span)
    longest = int((ranges[:, 1] - ranges[:, 0]).max(initial=0))
    marks = np.zeros(longest, np.uint8)
    entries = np.zeros(max(_BUFFER, longest + 1), np.int64)
    probes = np.zeros(len(entries), np.uint8)
    near = (
        np.zeros(len(entries), np.uint32),
        np.zeros(len(entries), np.uint16),
        np.zeros(len(entries), np.uint8),
    )
    where = np.zeros(len(entries), np.int64)
    at = 0
    while at < len(lookup.lists) and search.clock.go_on():
        begin = at
        at, kept = sift(
            lookup.cylinder,
            lookup.short,
            lookup.need,
            ranges,
            votes.angle,
            votes.window,
            (arrays["list_low"], arrays["list_high"], rows, arrays["list_angles"]),
            seen,
            begin,
            marks,
            entries,
            probes,
        )
        part.ensure_rows(rows[entries[:kept]].astype(np.int64), ("codes",))
        number_near = measure(
            entries,
            probes,
            kept,
            (rows, arrays["list_places"]),
            arrays["codes"],
            part.offsets,
            votes.codes,
            votes.table,
            votes.cut,
            (*near, where),
        )
        tally(near, number_near, low, state)
        search.scanned.add(0, int((ranges[begin:at, 1] - ranges[begin:at, 0]).sum()))


def _ranges(part: Part, lookup: Lookup, span: tuple[int, int]) -> NDArray[np.int64]:
    """(K, 2) entries of each list that hold rows of a span; their stored bytes are checked."""
    starts = part.arrays["list_starts"]
    whole = np.stack([starts[lookup.lists], starts[lookup.lists + 1]], axis=1)
    for name in LIST_COLUMNS:
        part.ensure_ranges(name, whole)
    if span == (0, len(part)):
        return whole
    low, high = span
    ranges = np.zeros((len(lookup.lists), 2), np.int64)
    list_ranges(lookup.lists, starts, part.arrays["list_rows"], low, high, ranges)
    return ranges


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
    for part, chosen, out in zip(view.parts, rows, counted, strict=True):
        step = min(_CHUNK, max(_LEAST_CHUNK, len(chosen) // search.workers.threads + 1))
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
        part.ensure_rows(rows[first:last], ("codes", "angle"))
        vote_rows(
            votes.codes,
            votes.angle,
            votes.table,
            part.arrays["codes"],
            part.arrays["angle"],
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
    found = [
        best(part.row_ids[r], v, place(number, r), size)
        for number, (part, r, v) in enumerate(zip(view.parts, rows, votes, strict=True))
    ]
    return merge(found, size)
