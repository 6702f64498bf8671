"""Many searches or one change at a time, for one partition; each waits for its turn only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ReadWriteLock:
    """Readers and writers that take turns.

    One for each partition: a change to a partition that a search may not see must not make that
    search wait.

    Notes
    -----
    Phase-fair: a reader waits for one writer at most, however many there are and however soon the
    next one comes; a writer waits for the readers that were there before it, and for those that
    the writer before it kept waiting. Brandenburg and Anderson, "Spin-based reader-writer
    synchronization for multiprocessor real-time systems", Real-Time Systems 46 (2010).
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._readers = 0
        self._writing = False
        self._writers = 0
        self._queued = 0
        self._phase = 0
        self._turn = threading.RLock()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the one that is about to change the partition; searches go on until `writing`.

        For a change of which most can be prepared while the partition is searched.
        """
        with self._turn:
            yield

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Hold the partition as it is, with no change half prepared."""
        with self._turn, self.reading():
            yield

    @contextmanager
    def reading(self, deadline: float | None = None) -> Iterator[bool]:
        """Hold the partition as it is.

        Parameters
        ----------
        deadline : float, optional
            `time.monotonic` until which to wait.

        Yields
        ------
        bool
            Whether it is held; False if the deadline came first.
        """
        held = self._enter(deadline)
        try:
            yield held
        finally:
            if held:
                with self._condition:
                    self._readers -= 1
                    self._condition.notify_all()

    def _enter(self, deadline: float | None) -> bool:
        with self._condition:
            if not self._writing and not self._writers:
                self._readers += 1
                return True
            phase = self._phase
            self._queued += 1
            try:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                self._condition.wait_for(lambda: self._phase != phase, left)
            except BaseException:
                self._give_up(phase)
                raise
            if self._phase == phase:
                self._give_up(phase)
                return False
            return True

    def _give_up(self, phase: int) -> None:
        """Leave the queue; who was let in meanwhile is counted among the readers."""
        if self._phase == phase:
            self._queued -= 1
        else:
            self._readers -= 1
            self._condition.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Change the partition."""
        with self._turn, self._exclusive():
            yield

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._condition:
            self._writers += 1
            try:
                self._condition.wait_for(lambda: not self._writing and not self._readers)
            except BaseException:
                self._writers -= 1
                if not self._writing:
                    self._let_in()
                raise
            self._writers -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._condition:
                self._writing = False
                self._let_in()

    def _let_in(self) -> None:
        """Those who wait to read go before the next writer."""
        self._readers += self._queued
        self._queued = 0
        self._phase += 1
        self._condition.notify_all()
