"""Votes from the lists of one part: entries sifted by several threads, added up, the leaders."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fpmatch.index._kernels import WAITING, leaders, list_ranges, sift, wipe, worth_listing
from fpmatch.index.context import SearchContext, Task, View
from fpmatch.index.list_layout import LIST_COLUMNS
from fpmatch.index.lookup import Lookup
from fpmatch.index.ranking import Ranked, place
from fpmatch.index.segment import Part

_ENTRIES = 1 << 19
"""Entries of a piece of work: a millisecond or so, between two looks at the clock."""
_LEAST_ENTRIES = 1 << 13
_TALLIES = 1 << 14
"""Numbers of votes that are told apart; a row has a few thousand at most."""


Held = tuple[NDArray[np.uint64], NDArray[np.uint32]]
"""States of rows and which of them are touched, of one thread or of several; see `sift`."""


class Sums:
    """What threads add up votes in: made once for a search, and used again part by part."""

    def __init__(self) -> None:
        self._spare: list[Held] = []
        self._lock = threading.Lock()

    def take(self, threads: int, rows: int) -> Held:
        """States (threads, rows) and touched rows (threads, rows + 1), all 0; see `sift`.

        Parameters
        ----------
        threads, rows : int
        """
        with self._lock:
            flat = self._spare.pop() if self._spare else None
        size = threads * rows
        if flat is None or len(flat[0]) < size:
            flat = np.zeros(size, np.uint64), np.zeros(size + threads, np.uint32)
        states, touched = flat[0][:size], flat[1][: size + threads]
        return states.reshape(threads, rows), touched.reshape(threads, rows + 1)

    def give(self, states: NDArray[np.uint64], touched: NDArray[np.uint32]) -> None:
        """Have them back; only what was touched is wiped.

        Parameters
        ----------
        states, touched
            From `take`.
        """
        for state, rows in zip(states, touched, strict=True):
            wipe(state, rows)
        # Views of what was made.
        assert states.base is not None
        assert touched.base is not None
        with self._lock:
            self._spare.append((states.base, touched.base))


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
    sums : Sums
        What votes are added up in.
    """

    def __init__(self, size: int) -> None:
        self.rows: list[Ranked] = []
        self.sums = Sums()
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
    found : Leading
        Gets the rows.
    threads : int
        That may share the part.

    Raises
    ------
    CorruptError
        If a block that would be read fails its checksum.
    """

    def __init__(
        self,
        search: SearchContext,
        view: View,
        number: int,
        lookup: Lookup,
        found: Leading,
        threads: int,
    ) -> None:
        self._search = search
        self._found = found
        self._lookup = lookup
        self._number = number
        self._part = view.parts[number]
        self._seen = view.seen[number]
        self._pairs, self._ranges = _ranges(self._part, lookup, view.position)
        lengths = self._ranges[:, 1] - self._ranges[:, 0]
        self._longest = int(lengths.max(initial=0))
        share = -(-int(lengths.sum()) // (4 * threads)) if threads > 1 else _ENTRIES
        each = min(_ENTRIES, max(_LEAST_ENTRIES, share))
        pieces = list(self._pieces(lengths, each))
        self._takers = min(threads, len(pieces))
        self._left = iter(pieces)
        self._held: Held | None = None
        self._taken = 0
        self._lock = threading.Lock()

    def alone(self) -> None:
        """All of it, in the thread that calls; see `leading`."""
        for task in self.sifting():
            task()
        for task in self.leading():
            task()
        self.let_go()

    def sifting(self) -> list[Task]:
        """Work for threads, one piece each: go through the lists."""
        return [self._sift] * self._takers

    def leading(self) -> list[Task]:
        """Work for threads, after `sifting`: the rows of most votes."""
        return [self._leader(which) for which in range(self._taken)]

    def let_go(self) -> None:
        """After `leading`: what votes were added up in is free for other parts."""
        if self._held is not None:
            self._found.sums.give(*self._held)
            self._held = None

    def _leader(self, which: int) -> Task:
        def lead() -> None:
            assert self._held is not None
            states, touched = self._held
            rows, votes = np.empty((2, int(touched[which, 0])), np.int64)
            least = self._found.least
            count = worth_listing(states, which, touched[which], least, rows, votes)
            rows, votes = rows[:count], votes[:count]
            here = np.flatnonzero(votes >= self._found.raise_least(votes))
            # In order, by this thread: all parts together are then ranked without a sort.
            here = here[np.argsort(rows[here])]
            rows, votes = rows[here], votes[here]
            at = place(self._number, rows)
            self._found.rows.append((self._part.row_ids[rows], votes, at))

        return lead

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
        mine: Held | None = None
        arrays, lookup, votes = self._part.arrays, self._lookup, self._lookup.votes
        entries = tuple(arrays[name] for name in _SIFTED)
        found = np.empty(self._longest + WAITING, np.uint64)
        while True:
            with self._lock:
                piece = next(self._left, None)
            if piece is None or not self._search.clock.go_on():
                return
            if mine is None:
                mine = self._own()
            looked = sift(
                self._pairs,
                self._ranges,
                *piece,
                lookup.cylinder,
                (votes.sketches, votes.cut, votes.table),
                entries,
                self._seen,
                found,
                *mine,
            )
            self._search.scanned.add(0, looked)

    def _own(self) -> Held:
        """What one thread adds up in."""
        with self._lock:
            if self._held is None:
                self._held = self._found.sums.take(self._takers, len(self._part))
            states, touched = self._held
            which, self._taken = self._taken, self._taken + 1
            return states[which], touched[which]


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
