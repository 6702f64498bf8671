"""Threads, deadlines and cancels, in one place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from fpmatch.errors import SearchCancelled


class Cancel(Protocol):
    """Anything with `is_set`, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the caller gave up."""
        ...


@dataclass(slots=True)
class Clock:
    """Deadline, cancel and stop-watch of one search.

    Parameters
    ----------
    deadline : float, optional
        `time.monotonic` after which no further work is begun.
    cancel : Cancel, optional
        Checked before every piece of work.
    """

    deadline: float | None = None
    cancel: Cancel | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    complete: bool = True
    _last: float = field(default_factory=time.perf_counter)

    def go_on(self) -> bool:
        """Whether to begin another piece of work; notes that the search is incomplete if not.

        Raises
        ------
        SearchCancelled
            If the caller cancelled.
        """
        if self.cancel is not None and self.cancel.is_set():
            raise SearchCancelled("the search was cancelled")
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.complete = False
            return False
        return True

    def lap(self, stage: str) -> None:
        """Book the time since the last lap under a stage."""
        now = time.perf_counter()
        self.milliseconds[stage] = self.milliseconds.get(stage, 0.0) + 1e3 * (now - self._last)
        self._last = now


class Workers:
    """Runs independent pieces of work; what they compute does not depend on their number.

    Threads are made at the first use and end with `close`. Kernels release the GIL.
    """

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Run all tasks; the first error is raised after all have ended."""
        if self.threads == 1 or len(tasks) <= 1:
            for task in tasks:
                task()
            return
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, "fpmatch-index")
            pool = self._pool
        futures = [pool.submit(task) for task in tasks]
        errors = [f.exception() for f in futures]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None


def spans(count: int, size: int) -> Iterable[tuple[int, int]]:
    """Cut 0..count into pieces of at most `size`."""
    return ((at, min(at + size, count)) for at in range(0, count, size))
