"""The clock that held answers wait by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timer:
    """What held answers wait by.

    Parameters
    ----------
    monotonic : callable
        Seconds from any point, never running back.
    sleep : callable
        Waits so many seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
