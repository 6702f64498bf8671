"""The stages of a shortlist over the rows of one part, as pieces of work for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

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
from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import Ranked, place
from fpmatch.index.segment import Part
from fpmatch.index.votes import Ballot
from fpmatch.index.work import Clock
from fpmatch.parameters import DESCRIPTOR, EFFORT_BALANCED

Task = Callable[[], None]
_BUFFER = 1 << 15
_TALLIES = 1 << 16


@dataclass(slots=True)
class Count:
    """What a search has looked at; added to by several threads."""

    rows: int = 0
    codes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rows: int, codes: int) -> None:
        """Add to both numbers."""
        with self._lock:
            self.rows += rows
            self.codes += codes


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every (probe cylinder, list) that a search looks into, by cylinder.

    Parameters
    ----------
    cylinder, lists : (K,) int64
    short : (K, 2) uint64
        The cylinder's code under the list's mask.
    need : (K,) int64
        Common bits that an entry must have.
    """

    cylinder: NDArray[np.int64]
    lists: NDArray[np.int64]
    short: NDArray[np.uint64]
    need: NDArray[np.int64]


def pairs_for(
    ballot: Ballot, quantizer: Quantizer, count: int, slack: int = EFFORT_BALANCED.slack
) -> Pairs:
    """The `count` nearest lists of every cylinder that can vote.

    Codes of weight w at distance d share w - d / 2 bits. The short codes hold most of them:
    `slack` of them may be missing.
    """
    voting = np.flatnonzero(ballot.cut >= 0)
    lists = quantizer.nearest(ballot.codes[voting], count)
    cylinder = np.repeat(voting, lists.shape[1])
    lists = np.ascontiguousarray(lists.ravel(), np.int64)
    short = np.zeros((len(lists), 2), np.uint64)
    squeeze_pairs(cylinder, lists, ballot.codes, quantizer.masks, short)
    common = -(-(2 * DESCRIPTOR.weight - ballot.cut) // 2) - slack
    need = np.maximum(1, common)[cylinder]
    return Pairs(cylinder, lists, short, need)


def list_task(
    number: int,
    part: Part,
    span: tuple[int, int],
    seen: NDArray[np.uint8],
    ballot: Ballot,
    pairs: Pairs,
    size: int,
    clock: Clock,
    count: Count,
    found: list[Ranked],
) -> Task:
    """Votes from the lists for the rows of a span; the best `size` of them go to `found`."""

    def task() -> None:
        if not clock.go_on():
            return
        low, high = span
        arrays = part.arrays
        starts, rows = arrays["list_starts"], arrays["list_rows"]
        whole = np.stack([starts[pairs.lists], starts[pairs.lists + 1]], axis=1)
        for name in LIST_COLUMNS:
            part.ensure_ranges(name, whole)
        ranges = whole
        if span != (0, len(part)):
            ranges = np.zeros((len(pairs.lists), 2), np.int64)
            list_ranges(pairs.lists, starts, rows, low, high, ranges)
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
        state = np.zeros(high - low, np.uint64)
        at = 0
        while at < len(pairs.lists) and clock.go_on():
            begin = at
            at, kept = sift(
                pairs.cylinder,
                pairs.short,
                pairs.need,
                ranges,
                ballot.angle,
                ballot.window,
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
                ballot.codes,
                ballot.table,
                ballot.cut,
                (*near, where),
            )
            tally(near, number_near, low, state)
            looked = int((ranges[begin:at, 1] - ranges[begin:at, 0]).sum())
            count.add(0, looked)
        least = leaders(state, size, np.zeros(_TALLIES, np.int64))
        best = np.flatnonzero(state >= np.uint64(least << 32)) + low
        votes = (state[best - low] >> np.uint64(32)).astype(np.int64)
        found.append((part.row_ids[best], votes, place(number, best)))

    return task


def vote_task(
    part: Part,
    rows: NDArray[np.int64],
    span: tuple[int, int],
    ballot: Ballot,
    votes: NDArray[np.int64],
    clock: Clock,
    count: Count,
) -> Task:
    """Votes of the rows ``rows[span]``, over all their cylinders, into ``votes[span]``."""

    def task() -> None:
        if not clock.go_on():
            return
        first, last = span
        part.ensure_rows(rows[first:last], ("codes", "angle"))
        vote_rows(
            ballot.codes,
            ballot.angle,
            ballot.table,
            part.arrays["codes"],
            part.arrays["angle"],
            part.offsets,
            ballot.window,
            rows,
            first,
            last,
            votes,
        )
        chunk = rows[first:last]
        count.add(last - first, int((part.offsets[chunk + 1] - part.offsets[chunk]).sum()))

    return task
