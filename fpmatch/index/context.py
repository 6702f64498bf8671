"""What all steps of one search of a partition share, and the rows that a probe may see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.quantizer import Quantizer
from fpmatch.index.ranking import Allowed, visible_rows
from fpmatch.index.segment import Part
from fpmatch.index.work import Clock, Workers
from fpmatch.types import SearchCost

Task = Callable[[], None]


@dataclass(slots=True)
class Scanned:
    """Rows and codes that a search has looked at; added to by several threads."""

    rows: int = 0
    codes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rows: int, codes: int) -> None:
        """Add to both numbers."""
        with self._lock:
            self.rows += rows
            self.codes += codes


@dataclass(frozen=True, slots=True, eq=False)
class SearchContext:
    """One search of a partition, from the mask to the verification; made once.

    Parameters
    ----------
    parts : sequence of Part
        The index as it was when the search began.
    quantizer : Quantizer
    workers : Workers
        Threads for pieces of work.
    allowed : (R,) bool or RowMask, optional
        Which rows may be seen, by row id or by part; all if None.
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    rotation : str
        ``upright`` or ``any``: how prints may lie.
    limit : int, optional
        Rows (of several fingers: groups) on the shortlist, instead of the effort's own number.
    clock : Clock
        Deadline, cancel and stop-watch.
    scanned : Scanned
    tombstoned : (K,) int64
        Ids of rows that were tombstoned when the search began, ascending.
    """

    parts: Sequence[Part]
    quantizer: Quantizer
    workers: Workers = field(default_factory=lambda: Workers(1))
    allowed: Allowed = None
    effort: str = "balanced"
    rotation: str = "upright"
    limit: int | None = None
    clock: Clock = field(default_factory=Clock)
    scanned: Scanned = field(default_factory=Scanned)
    tombstoned: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def for_another_probe(self) -> SearchContext:
        """The same search of another probe, with a stop-watch and counters of its own."""
        clock = Clock(self.clock.deadline, self.clock.cancel)
        return replace(self, clock=clock, scanned=Scanned())

    def on_one_thread(self) -> SearchContext:
        """The same search, to be done by the thread that asks for it."""
        return replace(self, workers=Workers(1))

    def apply_mask(self, position: int) -> View:
        """What a probe of a position may see; before anything is ranked."""
        found = [visible_rows(part, self.allowed, position) for part in self.parts]
        return View(self.parts, [seen for seen, _ in found], position, sum(n for _, n in found))

    def cost(self, visible: int) -> SearchCost:
        """What the search has cost so far, of so many rows that its probes may see."""
        return SearchCost(
            live_fingers=visible,
            codes_scanned=self.scanned.codes,
            fingers_scanned=self.scanned.rows,
            milliseconds=dict(self.clock.milliseconds),
            complete=self.clock.complete,
        )


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The parts of an index under one mask and position.

    Parameters
    ----------
    parts : sequence of Part
    seen : sequence of (N,) uint8
        Of each part: 1 for the rows that the probe may see.
    position : int
        The probe's finger; 0 for unknown.
    visible : int
        Rows that the probe may see.
    """

    parts: Sequence[Part]
    seen: Sequence[NDArray[np.uint8]]
    position: int
    visible: int

    def rows(self) -> list[NDArray[np.int64]]:
        """Of each part the rows that the probe may see, ascending."""
        # Of bytes numpy takes seven times as long as of booleans.
        return [np.flatnonzero(seen.view(np.bool_)) for seen in self.seen]

    def row_ids(self) -> list[NDArray[np.int64]]:
        """Of each part the ids of the rows that the probe may see."""
        pairs = zip(self.parts, self.seen, strict=True)
        return [part.row_ids[seen.view(np.bool_)] for part, seen in pairs]
