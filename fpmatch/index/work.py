"""Threads, deadlines and cancels, in one place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import SearchCancelled

log = logging.getLogger(__name__)


class Cancel(Protocol):
    """Anything with `is_set`, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the caller gave up."""
        ...


class SearchBounds(TypedDict, total=False):
    """What bounds a search; see `PartitionIndex.begin`."""

    allowed: NDArray[np.bool_] | None
    effort: str
    rotation: str
    limit: int | None
    deadline: float | None
    cancel: Cancel | None


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
                # The caller's thread works too.
                self._pool = ThreadPoolExecutor(self.threads - 1, "fpmatch-index")
            pool = self._pool
        left = iter(enumerate(tasks))
        errors: dict[int, BaseException] = {}

        def work() -> None:
            while True:
                with self._lock:
                    number, task = next(left, (-1, None))
                if task is None:
                    return
                try:
                    task()
                except Exception as error:
                    errors[number] = error
                except BaseException as error:
                    # An interruption: what is left is not begun here.
                    errors[-1] = error
                    return

        futures = [pool.submit(work) for _ in range(min(self.threads, len(tasks)) - 1)]
        work()
        for future in futures:
            # One that was not begun has nothing left to do.
            if not future.cancel():
                future.result()
        if errors:
            raise errors[min(errors)]

    def close(self) -> None:
        """End the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None


class Background:
    """One thread that does what it is asked for while the caller goes on.

    The thread is made at the first request and ends with `close`. The first error is kept until
    `check` raises it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: list[Callable[[], None]] = []
        self._error: BaseException | None = None

    def ask(self, task: Callable[[], None]) -> None:
        """Have a task done; one that waits already is not done twice."""
        with self._lock:
            if task in self._waiting:
                return
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, self._name)
            self._waiting.append(task)
            self._pool.submit(self._do, task)

    def _do(self, task: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.remove(task)
        try:
            task()
        except BaseException as error:
            log.warning("work in the background failed: %s", type(error).__name__)
            with self._lock:
                self._error = self._error or error

    def wait(self) -> None:
        """Return when everything asked for so far is done."""
        with self._lock:
            last = None if self._pool is None else self._pool.submit(lambda: None)
        if last is not None:
            last.result()

    def check(self) -> None:
        """Raise the first error since the last call, if there was one."""
        with self._lock:
            error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Do what is asked for, then end the thread."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def spans(total: int, size: int) -> Iterable[tuple[int, int]]:
    """Cut 0..total into pieces of at most `size`."""
    return ((at, min(at + size, total)) for at in range(0, total, size))
