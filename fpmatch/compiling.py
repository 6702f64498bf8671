"""Kernels as they are compiled: told to who watches, and by one process of a machine at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from fpmatch.locking import try_lock

log = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds that a process waits for another one's kernel before it compiles for itself."""
_PAUSE = 0.05

Watcher = Callable[[str, str], None]
"""Called with what happens (one of `COMPILES`, `WAITS`, `READY`) and the kernel's name."""

COMPILES = "compiles"
WAITS = "waits for another process"
READY = "ready"

kernels: list[str] = []
"""Names of the kernels that Python calls, in the order in which their files were imported."""

_ready: set[str] = set()
_watchers: list[Watcher] = []


def is_ready(kernel: str) -> bool:
    """Whether a kernel was compiled or loaded in this process.

    Parameters
    ----------
    kernel : str
    """
    return kernel in _ready


def name_of(function: Any) -> str:
    """Room and name of a kernel, for people: ``matcher: score_rows``.

    Parameters
    ----------
    function : function
    """
    room = function.__module__.removeprefix("fpmatch.").partition(".")[0]
    return f"{room}: {function.__name__}"


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher of every kernel that is compiled, waited for or ready, in any thread.

    Parameters
    ----------
    watcher : callable
        ``watcher(state, kernel)``. `READY` comes for kernels found on disk too. What it raises
        ends the call that needed the kernel.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def tell(state: str, kernel: str) -> None:
    """Tell the watchers; where nobody watches, the log is told once that there is a wait.

    Parameters
    ----------
    state : str
    kernel : str
    """
    if state == READY:
        _ready.add(kernel)
    for watcher in list(_watchers):
        watcher(state, kernel)
    if not _watchers and state != READY:
        _say_once()


@cache
def _say_once() -> None:
    log.warning(
        "compiling kernels, once for this machine and version: the first calls take some ten "
        "seconds; `fpmatch warm` or fpmatch.warm() does it beforehand"
    )


class Turn:
    """The turn to compile into a folder: of one process, until the kernel is kept there.

    Everything happens under numba's own lock of its compiler, so in one thread at a time.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._file: IO[bytes] | None = None

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call of the compiler, within which a turn may be taken; calls nest."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth and self._file is not None:
                self._file.close()
                self._file = None

    def take(self, folder: Path, kernel: str) -> None:
        """Wait until no other process compiles into the folder; at most `PATIENCE`.

        Parameters
        ----------
        folder : Path
            Where nothing can be locked nothing is waited for: a kernel compiled twice is no harm.
        kernel : str
            For those who watch.
        """
        if not self._depth or (self._file is not None and not self._file.closed):
            return
        with suppress(OSError):
            file = open(folder / "compiling.lock", "a+b")  # noqa: SIM115
            until = time.monotonic() + PATIENCE
            told = False
            while not try_lock(file):
                if not told:
                    tell(WAITS, kernel)
                    told = True
                if time.monotonic() > until:
                    file.close()
                    return
                time.sleep(_PAUSE)
            self._file = file


turn = Turn()
