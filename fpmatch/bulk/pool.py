"""Several processes that read items: bounded, in order, and outliving those that die."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from fpmatch.bulk.items import Failure, Job, Outcome
from fpmatch.bulk.reading import enrolled_already, read_item
from fpmatch.bulk.worker import ONE_THREAD, READY, receive, send
from fpmatch.errors import WorkerError
from fpmatch.parameters import BULK

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
_BOOT += "from fpmatch.bulk.worker import main; main(int(sys.argv[2]))"
_STILLBORN = "a process that reads items cannot be started (workers=0 reads them in this one)"
_BIRTHS = 3
"""Processes in a row that end before they can take a job, until it is given up."""
_BIRTH_SECONDS = 60.0
"""What a process may take longer for its first item: it has to load what it reads with."""
_WAKE = 0.5
"""Seconds after which clocks are looked at, and whether somebody wants it to end."""


class _Worker:
    """One process, the jobs that it was handed, oldest first, and the threads that talk to it.

    One writes and one reads, so that neither waits for the other where jobs or answers are long.
    """

    def __init__(self, told: Callable[[_Worker, Any], None]) -> None:
        apart: dict[str, Any] = {"process_group": 0}
        if os.name != "posix":
            apart = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        places = json.dumps([str(place) for place in sys.path])
        try:
            # Apart from the caller's group: Ctrl-C is for the caller to hear.
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, places, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | dict.fromkeys(ONE_THREAD, "1"),
                **apart,
            )
        except OSError as error:
            raise WorkerError(f"{_STILLBORN}: {error.strerror or error}") from error
        self.jobs: deque[Job] = deque()
        self.since = time.monotonic()
        self.ready = False
        self.too_slow = False
        self._told = told
        self._to_send: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=act, daemon=True) for act in (self._speak, self._hear)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, job: Job) -> None:
        """Hand it a job; where it is dead already, that is heard soon."""
        if not self.jobs:
            self.since = time.monotonic()
        self.jobs.append(job)
        self._to_send.put(job)

    def _speak(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError, ValueError):
            while (job := self._to_send.get()) is not None:
                send(self.process.stdin, job)

    def _hear(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                self._told(self, receive(self.process.stdout))
        except Exception:
            # Whatever came instead of an answer, this process is of no more use.
            self.process.kill()
            self._told(self, None)

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        self._to_send.put(None)
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


class Pool:
    """Processes that read items; a context manager that leaves none behind.

    Parameters
    ----------
    workers : int
        How many at most; they are started as they are needed.
    seconds : float
        Longest time that one item may take.
    """

    def __init__(self, workers: int, seconds: float) -> None:
        self.count = workers
        self.seconds = seconds
        self._workers: list[_Worker] = []
        self._todo: deque[Job] = deque()
        self._answers: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
        self._lock = threading.Lock()
        self._tried: set[int] = set()
        self._stillborn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._todo.clear()
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def read(self, jobs: Iterator[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Outcomes in the order of the jobs, of which no more than a few are taken ahead.

        Raises
        ------
        WorkerError
            If no process can be started.
        """
        window: deque[Job] = deque()
        done: dict[int, Outcome] = {}
        more = True
        while True:
            while more and len(window) < BULK.ahead:
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                window.append(job)
                if not job.item.parts or job.item.problem is not None:
                    done[job.number] = read_item(job)
                elif (before := enrolled_already(job)) is not None:
                    done[job.number] = before
                else:
                    self._hand_out(dataclasses.replace(job, known=frozenset()))
            while window and window[0].number in done:
                job = window.popleft()
                yield job, done.pop(job.number)
                # One out, one in: who takes the outcomes may take its time.
                if more:
                    break
            if not more and not window:
                return
            if window and window[0].number not in done:
                self._wait(done)

    def _hand_out(self, job: Job) -> None:
        with self._lock:
            self._todo.append(job)
            idle = [w for w in self._workers if len(w.jobs) < BULK.handed]
            if len(self._workers) < self.count and not any(not w.jobs for w in idle):
                self._workers.append(_Worker(self._heard))
                idle = [self._workers[-1]]
            for worker in sorted(idle, key=lambda w: len(w.jobs)):
                self._feed(worker)

    def _feed(self, worker: _Worker) -> None:
        """Give a worker what it can take; the lock is held."""
        while self._todo and len(worker.jobs) < BULK.handed:
            worker.give(self._todo.popleft())

    def _heard(self, worker: _Worker, answer: Any) -> None:
        """In the thread of a worker: it is fed at once, whatever the caller is busy with."""
        if answer is not None:
            with self._lock:
                if answer == READY:
                    worker.ready = True
                else:
                    worker.jobs.popleft()
                worker.since = time.monotonic()
                self._feed(worker)
        self._answers.put((worker, answer))

    def _wait(self, done: dict[int, Outcome]) -> None:
        """Take one answer, or what the clock says."""
        try:
            worker, answer = self._answers.get(timeout=_WAKE)
        except queue.Empty:
            self._late()
            return
        if answer is None:
            self._buried(worker, done)
        elif answer != READY:
            number, outcome = answer
            done[number] = outcome

    def _late(self) -> None:
        now = time.monotonic()
        with self._lock:
            for worker in self._workers:
                longest = self.seconds + (0 if worker.ready else _BIRTH_SECONDS)
                if worker.jobs and now - worker.since > longest:
                    worker.too_slow = worker.ready
                    worker.process.kill()

    def _buried(self, worker: _Worker, done: dict[int, Outcome]) -> None:
        """A worker is dead: what it worked on is tried once more, the rest goes to others."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        worker.end()
        self._stillborn = 0 if worker.ready else self._stillborn + 1
        if self._stillborn >= _BIRTHS:
            raise WorkerError(_STILLBORN)
        left = list(worker.jobs)
        if left and worker.ready:
            first = left[0]
            if worker.too_slow or first.number in self._tried:
                done[first.number] = Outcome(failures=(_why(worker, self.seconds, first),))
                left = left[1:]
            self._tried.add(first.number)
        with self._lock:
            self._todo.extendleft(reversed(left))
            waiting = bool(self._todo)
            if waiting:
                self._workers.append(_Worker(self._heard))
                self._feed(self._workers[-1])


def _why(worker: _Worker, seconds: float, job: Job) -> Failure:
    files = ", ".join(part.path for part in job.item.parts[:3])
    if worker.too_slow:
        what = f"reading {files} took over {seconds:g} seconds"
    else:
        code = worker.process.returncode
        how = f"signal {-code}" if code < 0 else f"status {code}"
        what = f"the process that read {files} ended with {how}, twice"
    return Failure(job.item.parts[0].path, WorkerError.__name__, what)
