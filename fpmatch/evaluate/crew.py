"""Several processes at work for one matcher, which may hang or die in any of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from fpmatch import errors
from fpmatch.errors import FpmatchError, InputError, WorkerError
from fpmatch.evaluate.desk import Desk, Impression, Job, Made, Scored
from fpmatch.evaluate.matcher import load_matcher

_BIRTH_SECONDS = 120.0
"""What a process may take to load a matcher: networks do take long."""
_WAKE = 0.5
_GUARD = "; a script that evaluates in several needs its work under if __name__ == '__main__'"
Given = tuple[object, "str | None", Sequence[Impression], "str | None"]
"""Matcher, what it takes, impressions, extractor."""


def _work(pipe: Connection, given: Given) -> None:
    """The life of a process: load the matcher, then answer until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    # A matcher that prints must not print into what the parent writes.
    os.dup2(2, 1)
    import cv2

    cv2.setNumThreads(1)
    matcher, takes, impressions, extractor = given
    try:
        loaded = load_matcher(matcher, takes)
    except FpmatchError as error:
        pipe.send(error_of(error))
        return
    pipe.send((loaded.name, loaded.takes))
    desk = Desk(loaded, impressions, extractor)
    with contextlib.suppress(EOFError, OSError):
        while True:
            task, known = pipe.recv()
            desk.know(known)
            try:
                answer: Any = desk.compare(task) if isinstance(task, Job) else desk.prepare(task)
            except FpmatchError as error:
                answer = error_of(error)
            pipe.send(answer)


def _end_with(sentinel: Any) -> None:
    wait([sentinel])
    os._exit(1)


def error_of(error: FpmatchError) -> tuple[str, str, str]:
    """An error as it crosses the pipe: the chain of causes stays where it is."""
    return "error", type(error).__name__, str(error)


def _raised(answer: Any) -> None:
    if isinstance(answer, tuple) and len(answer) == 3 and answer[0] == "error":
        raise getattr(errors, answer[1], InputError)(answer[2])


class _Worker:
    def __init__(self, given: Given) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, given), daemon=True)
        try:
            self.process.start()
        except Exception as error:
            raise InputError(
                f"the matcher cannot be handed to another process ({error}); name it as "
                "module:function, or evaluate with one process and no limit"
            ) from error
        theirs.close()
        self.known: set[int] = set()
        self.near = -1
        self.task: Any = None
        self.place = -1
        self.since = time.monotonic()

    def end(self) -> int | None:
        """Kill it, wait until it is gone, and say how it ended."""
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return code if code is not None else self.process.exitcode


class Crew:
    """Processes that prepare and compare; a context manager that leaves none behind.

    Parameters
    ----------
    given : tuple
        Matcher, what it takes, impressions, extractor.
    processes : int
        How many, from 1.
    limit_s : float or None
        Seconds that preparing one impression may take.

    Raises
    ------
    FpmatchError
        Whatever `load_matcher` raises, there.
    WorkerError
        If a process ends before it has loaded the matcher.
    """

    def __init__(self, given: Given, processes: int, limit_s: float | None) -> None:
        self._given = given
        self._limit = limit_s
        self._plain: dict[int, Any] = {}
        self._workers: list[_Worker] = []
        try:
            self.name, self.takes = self._born(self._hire())
            for worker in [self._hire() for _ in range(processes - 1)]:
                self._born(worker)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def prepare(self, nears: Sequence[int]) -> Iterator[Made]:
        """Prepare impressions, in their order; ``nears`` says which belong together."""
        for number, made in enumerate(self._all(list(range(len(nears))), nears)):
            if made.plain:
                self._plain[number] = made.plain[0]
            yield made

    def compare(self, jobs: Sequence[Job]) -> Iterator[Scored]:
        """Score jobs, in their order."""
        return self._all(jobs, [job.near for job in jobs])

    def _all(self, tasks: Sequence[Any], nears: Sequence[int]) -> Iterator[Any]:
        todo: dict[int, deque[int]] = {}
        for place, near in enumerate(nears):
            todo.setdefault(near, deque()).append(place)
        done: dict[int, Any] = {}
        following = 0
        for worker in self._workers:
            self._feed(worker, tasks, todo)
        while following < len(tasks):
            self._wait(tasks, todo, done)
            while following in done:
                yield done.pop(following)
                following += 1

    def _feed(self, worker: _Worker, tasks: Sequence[Any], todo: dict[int, deque[int]]) -> None:
        """Hand it a task: of those near its last one, or else of what is left most of."""
        worker.task = None
        left = {near: places for near, places in todo.items() if places}
        if not left:
            return
        if worker.near not in left:
            worker.near = max(left, key=lambda near: len(left[near]))
        worker.place = left[worker.near].popleft()
        worker.task = task = tasks[worker.place]
        worker.since = time.monotonic()
        new = {}
        if isinstance(task, Job):
            needed = {task.probe, *task.candidates.tolist()} - worker.known
            new = {i: self._plain[i] for i in needed if i in self._plain}
            worker.known |= set(new)
        with contextlib.suppress(OSError):  # dead: that is heard when it is waited for
            worker.pipe.send((task, new))

    def _wait(
        self, tasks: Sequence[Any], todo: dict[int, deque[int]], done: dict[int, Any]
    ) -> None:
        busy = {w.pipe: w for w in self._workers if w.task is not None}
        for pipe in wait(list(busy), timeout=_WAKE):
            worker = busy[pipe]  # type: ignore[index]
            try:
                answer = worker.pipe.recv()
            except (EOFError, OSError):
                worker = self._bury(worker, done)
            else:
                _raised(answer)
                done[worker.place] = answer
            self._feed(worker, tasks, todo)
        for worker in list(busy.values()):
            late = self._limit is not None and time.monotonic() - worker.since > self._limit
            if late and worker in self._workers and isinstance(worker.task, int):
                self._feed(self._bury(worker, done, late=True), tasks, todo)

    def _bury(self, worker: _Worker, done: dict[int, Any], *, late: bool = False) -> _Worker:
        """Another process for one that is dead or has to be; what it worked on has failed."""
        worker.process.join(0.5 if not late else 0)
        code = worker.end()
        self._workers.remove(worker)
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        why = f"took over {self._limit:g} seconds" if late else f"ended its process with {how}"
        if not isinstance(worker.task, int):
            names = self._given[2]
            many = len(worker.task.candidates)
            raise WorkerError(
                f"{self.name}: comparing {names[worker.task.probe].name} with {many} others {why}"
            )
        done[worker.place] = Made(error=f"{WorkerError.__name__}: the matcher {why}")
        fresh = self._hire()
        self._born(fresh)
        return fresh

    def _hire(self) -> _Worker:
        worker = _Worker(self._given)
        self._workers.append(worker)
        return worker

    def _born(self, worker: _Worker) -> tuple[str, str]:
        """Wait until it has loaded the matcher, and hear what it is called and takes."""
        if not worker.pipe.poll(_BIRTH_SECONDS):
            raise WorkerError(f"loading the matcher took over {_BIRTH_SECONDS:g} seconds")
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(f"a process ended before it had loaded the matcher{_GUARD}") from None
        _raised(said)
        return said
