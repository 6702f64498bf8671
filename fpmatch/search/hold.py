"""When an answer may leave: at a time that what it hides has no part in."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fpmatch.errors import InputError
from fpmatch.parameters import SEARCH
from fpmatch.search.running import Running
from fpmatch.search.state import State

log = logging.getLogger(__name__)


def check(withheld_ms: float) -> None:
    """InputError unless it is a time that an answer can be held for."""
    number = isinstance(withheld_ms, (int, float)) and not isinstance(withheld_ms, bool)
    if not number or not 0 <= withheld_ms <= SEARCH.withheld_ms_most:
        raise InputError(
            f"withheld_ms must be a number from 0 to {SEARCH.withheld_ms_most:.0f} milliseconds"
        )


def warn(state: State) -> None:
    """Say so where a policy is opaque and answers have no set time: the clock tells then."""
    declared = state.policy.declared.partitions if state.policy is not None else ()
    opaque = [p for p in declared if p.opaque]
    if opaque and not state.withheld_ms > 0:
        log.warning(
            "the policy is opaque for %d partition(s) and withheld_ms is 0: how long an answer "
            "takes tells whether they were searched; set it above the longest search",
            len(opaque),
        )


@dataclass(slots=True)
class Hold:
    """One call from outside, and what it may not tell by the time that it takes.

    Entered before anything is decided. On leaving, by a return or by an error, it waits until
    ``withheld_ms`` after that where an answer of the call hides something. A list of answers has
    that time once for each of its submissions with an opaque partition, as if they were asked one
    after the other: else the time of the list would tell how many of them were searched. What
    took longer leaves at the next multiple, never as soon as it is ready.

    Parameters
    ----------
    watched : list of Running
        The searches of this call that were decided.
    after : list of callable
        What may be seen from outside no earlier than the answers, for instance copies of them.
    looks : int
        Looks at records of partitions of which the asker may not know if they are open to it.
    """

    state: State
    started: float = 0.0
    watched: list[Running] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    looks: int = 0

    def watch(self, running: Running) -> Running:
        """Count a decided search in."""
        self.watched.append(running)
        return running

    def __enter__(self) -> Self:
        self.started = self.state.timer.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # An interrupt from the keyboard is nobody's answer.
            if kind is None or issubclass(kind, Exception):
                self._wait()
        finally:
            for act in self.after:
                act()

    def _wait(self) -> None:
        opaque = self.looks + sum(running.opaque for running in self.watched)
        turns = opaque or int(any(running.withheld for running in self.watched))
        period = self.state.withheld_ms / 1000
        if not turns or period <= 0:
            return
        timer = self.state.timer
        passed = timer.monotonic() - self.started
        until = self.started + period * max(turns, math.ceil(passed / period))
        timer.wait_until(until)
