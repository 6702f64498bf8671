"""The clock that held answers wait by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fpmatch.parameters import SEARCH


def wait_until(until: float) -> None:
    """Wait until a time of `time.monotonic`, to some microseconds whatever the length of the wait.

    How late a sleep ends depends on how long it was, for the processor rests deeper the longer it
    has nothing to do: answers that had waited longer would leave later. So the last part is
    waited for awake, with the processor and the interpreter offered to others again and again.

    Parameters
    ----------
    until : float
        Seconds.
    """
    while (rest := until - time.monotonic()) > 0:
        time.sleep(max(0.0, rest - SEARCH.awake_ms / 1000))


@dataclass(frozen=True, slots=True)
class Timer:
    """What held answers wait by.

    Parameters
    ----------
    monotonic : callable
        Seconds from any point, never running back.
    wait_until : callable
        Waits until that clock shows so many seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    wait_until: Callable[[float], None] = wait_until
