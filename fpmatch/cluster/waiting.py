"""The time, and waiting for answers: in one place, so that tests can turn the clock."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Collection
from concurrent.futures import Future
from typing import Protocol


class Clock(Protocol):
    """Says the time and waits."""

    def now(self) -> float:
        """Seconds; never falls."""
        ...

    def wait(self, futures: Collection[Future[bytes]], until: float) -> None:
        """Return when one of the futures is done, and at a time at the latest.

        Parameters
        ----------
        futures : collection of Future
        until : float
            As `now` says it.
        """
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.monotonic()

    def wait(self, futures: Collection[Future[bytes]], until: float) -> None:
        """See `Clock.wait`.

        Parameters
        ----------
        futures : collection of Future
        until : float
        """
        left = until - time.monotonic()
        if futures:
            first = concurrent.futures.FIRST_COMPLETED
            concurrent.futures.wait(futures, max(left, 0.0), first)
        elif left > 0:
            time.sleep(left)
