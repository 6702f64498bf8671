"""Votes from the lists of one part: entries sifted by several threads, added up, the leaders."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import WAITING, leaders, list_ranges, sift, worth_listing
from fpmatch.index.context import SearchContext, Task, View
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.lookup import Lookup
from fpmatch.index.ranking import Ranked, place, ranges_for
from fpmatch.index.segment import Part
from fpmatch.index.work import spans

_ENTRIES = 1 << 19
"""Entries of a piece of work: a millisecond or so, between two looks at the clock."""
_LEAST_ENTRIES = 1 << 13
_CHUNK = 8192
_TALLIES = 1 << 14
"""Numbers of votes that are told apart; a row has a few thousand at most."""


class Leading:
    """The rows of most votes, piece by piece; for several threads.

    Parameters
    ----------
    size : int
        Rows wanted.

    Attributes
    ----------
    rows : list of Ranked
        Of each piece those that may be among them: all that are, and fewer others with every piece.
    """

    def __init__(self, size: int) -> None:
        self.rows: list[Ranked] = []
        self._size = size
        self._tallies = np.zeros(_TALLIES, np.int64)
        self._least = self._highest = 1
        self._lock = threading.Lock()

    @property
    def least(self) -> int:
        """Fewest votes that a row needs, by all pieces so far."""
        return self._least

    def raise_least(self, votes: NDArray[np.int64]) -> int:
        """Fewest votes that a row needs, by all pieces so far and another.

        Parameters
        ----------
        votes : (K,) int64
            Of the rows of the piece that have `least` votes or more; others change nothing.
        """
        with self._lock:
            found = leaders(votes, self._size, self._tallies, self._highest)
            self._least, self._highest = int(found[0]), int(found[1])
            return self._least


class ListVotes:
    """What a probe finds in the lists of one part.

    Whole probe cylinders are handed out to threads, each of which adds up in numbers of its own.
    Sums of integers do not depend on who did what. Where there are parts enough, a thread takes
    whole ones instead (`alone`): then nothing is added up twice, and no thread waits for another.

    Parameters
    ----------
    search : SearchContext
    view : View
        What the probe may see.
    number : int
        Of the part in the view.
    lookup : Lookup
    threads : int
        That may share the part.

    Raises
    ------
    CorruptError
        If a block that would be read fails its checksum.
    """

    def __init__(
        self, search: SearchContext, view: View, number: int, lookup: Lookup, threads: int
    ) -> None:
        self._search = search
        self._lookup = lookup
        self._number = number
        self._part = view.parts[number]
        self._seen = view.seen[number]
        self._position = view.position
        self._pairs, self._ranges = _ranges(self._part, lookup, view.position)
        lengths = self._ranges[:, 1] - self._ranges[:, 0]
        self._longest = int(lengths.max(initial=0))
        self._threads = threads
        share = -(-int(lengths.sum()) // (4 * threads)) if threads > 1 else _ENTRIES
        each = min(_ENTRIES, max(_LEAST_ENTRIES, share))
        pieces = list(self._pieces(lengths, each))
        self._takers = min(threads, len(pieces))
        self._left = iter(pieces)
        self._states: list[NDArray[np.uint64]] = []
        self._lock = threading.Lock()

    def alone(self, found: Leading) -> None:
        """All of it, in the thread that calls; see `leading`."""
        for task in self.sifting():
            task()
        for task in self.leading(found):
            task()

    def sifting(self) -> list[Task]:
        """Work for threads, one piece each: go through the lists."""
        return [self._sift] * self._takers

    def leading(self, found: Leading) -> list[Task]:
        """Work for threads, after `sifting`: the rows of most votes.

        Parameters
        ----------
        found : Leading
            Gets the rows.
        """
        if not self._states:
            return []
        states = np.stack(self._states) if len(self._states) > 1 else self._states[0][None]
        step = max(_CHUNK, -(-len(self._part) // self._threads))

        def task(first: int, last: int) -> Task:
            def lead() -> None:
                rows, votes = np.empty((2, last - first), np.int64)
                count = worth_listing(states, first, last, found.least, rows, votes)
                rows, votes = rows[:count], votes[:count]
                here = np.flatnonzero(votes >= found.raise_least(votes))
                rows, votes = rows[here], votes[here]
                found.rows.append((self._part.row_ids[rows], votes, place(self._number, rows)))

            return lead

        # Nothing is voted for outside of the rows of a position.
        ranges = ranges_for(self._part, self._position)
        return [task(a + first, a + last) for a, b in ranges for first, last in spans(b - a, step)]

    def _pieces(self, lengths: NDArray[np.int64], each: int) -> Iterator[tuple[int, int]]:
        """Ranges of whole probe cylinders with about so many entries together."""
        if int(lengths.sum()) <= each:
            yield from [(0, len(lengths))] if len(lengths) else []
            return
        cylinder = self._lookup.cylinder[self._pairs]
        starts = np.flatnonzero(np.diff(cylinder, prepend=-1))
        ends = np.append(starts[1:], len(cylinder))
        total = np.append(0, np.cumsum(lengths))
        first = 0
        for end in ends.tolist():
            if total[end] - total[first] >= each or end == len(cylinder):
                yield first, end
                first = end

    def _sift(self) -> None:
        state: NDArray[np.uint64] | None = None
        arrays, lookup, votes = self._part.arrays, self._lookup, self._lookup.votes
        entries = tuple(arrays[name] for name in _SIFTED)
        found = np.empty(self._longest + WAITING, np.uint64)
        while True:
            with self._lock:
                piece = next(self._left, None)
            if piece is None or not self._search.clock.go_on():
                return
            if state is None:
                state = np.zeros(len(self._part), np.uint64)
                with self._lock:
                    self._states.append(state)
            looked = sift(
                self._pairs,
                self._ranges,
                *piece,
                lookup.cylinder,
                (votes.sketches, votes.cut, votes.table),
                entries,
                self._seen,
                found,
                state,
            )
            self._search.scanned.add(0, looked)


_SIFTED = ("list_sketches", "list_owners")


def _ranges(
    part: Part, lookup: Lookup, position: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The entries that a probe looks at, and the pair of each range; stored bytes are checked."""
    part.prepare()
    starts = part.arrays["list_starts"]
    unchecked = [name for name in LIST_COLUMNS if name not in part.sound]
    if unchecked:
        whole = np.stack([starts[lookup.lists], starts[lookup.lists + 1]], axis=1)
        for name in unchecked:
            part.ensure_ranges(name, whole)
    visible = part.runs_for(position)
    most = 2 * len(lookup.lists) * len(visible)
    pairs, ranges = np.empty(most, np.int64), np.empty((most, 2), np.int64)
    count = list_ranges(
        lookup.lists,
        starts,
        (part.arrays["list_owners"], part.arrays["list_turns"]),
        part.runs,
        part.known_places(),
        visible,
        lookup.votes.angle[lookup.cylinder],
        lookup.votes.window,
        pairs,
        ranges,
    )
    return pairs[:count], ranges[:count]
