"""Ending a long command in order: the first signal is a wish, the second one an order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STATUS = 128
"""What a shell adds to the number of the signal that ended a command."""


class Stop:
    """Whether somebody wants the command to end.

    Parameters
    ----------
    signal : int
        Number of the signal that said so; 0 as long as none did.
    """

    def __init__(self) -> None:
        self.signal = 0

    def __bool__(self) -> bool:
        return bool(self.signal)

    def is_set(self) -> bool:
        """The same, as the library asks."""
        return bool(self)

    def note(self, number: int, _: FrameType | None) -> None:
        """Take the wish; KeyboardInterrupt the second time."""
        if self:
            raise KeyboardInterrupt
        self.signal = number
        print("fpmatch: storing what was read; once more to end at once", file=sys.stderr)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Take Ctrl-C and the system's wish to end as a wish, for as long as this lasts."""
    stop = Stop()
    before = {}
    try:
        for number in SIGNALS:
            before[number] = signal.signal(number, stop.note)
    except ValueError:
        pass  # Only the main thread is told of signals.
    try:
        yield stop
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)
