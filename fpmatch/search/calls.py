"""Calls of an engine: counted, timed, and waited for when it closes."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, TypeVar

from fpmatch.errors import StorageError
from fpmatch.gallery import EnrolReport, Receipt, UpdateReceipt
from fpmatch.monitoring import OK, CallCount, CallEvent, Monitor, tell
from fpmatch.types import RecordPage, SearchResponse, TemplatePage, Verification

E = TypeVar("E", bound=type)
UNCOUNTED = ("create", "open", "close", "counters")
"""Methods that are no calls of an open engine."""


class Calls:
    """The calls of one engine that run, and how many have ended how.

    Parameters
    ----------
    monitor : callable or None
        Is told of each.
    """

    def __init__(self, monitor: Monitor | None = None) -> None:
        self.monitor = monitor
        self.closing = False
        self._changed = threading.Condition()
        self._running: Counter[int] = Counter()
        self._counts: dict[tuple[str, str], tuple[int, float, float]] = {}

    def enter(self) -> None:
        """Count a call in; those within a call that runs are parts of it.

        Raises
        ------
        StorageError
            If the engine is being closed.
        """
        me = threading.get_ident()
        with self._changed:
            if self.closing and not self._running[me]:
                raise StorageError(
                    "this engine is being closed and takes no new calls; open the gallery again"
                )
            self._running[me] += 1

    def leave(self) -> None:
        """Count it out."""
        me = threading.get_ident()
        with self._changed:
            self._running[me] -= 1
            if not self._running[me]:
                del self._running[me]
                self._changed.notify_all()

    def ended(self, call: str, result: str, seconds: float, fields: dict[str, Any]) -> None:
        """Count what has ended, and tell the monitor.

        Parameters
        ----------
        call : str
            Name of the method.
        result : str
            "ok", or the name of the error's class.
        seconds : float
            That it took.
        fields : dict of str
            What there is to count of it.
        """
        with self._changed:
            n, total, longest = self._counts.get((call, result), (0, 0.0, 0.0))
            self._counts[call, result] = (n + 1, total + seconds, max(longest, seconds))
        tell(CallEvent(call, result, seconds, fields=fields), self.monitor)

    def counts(self) -> tuple[CallCount, ...]:
        """All that has ended, by call and result."""
        with self._changed:
            every = sorted(self._counts.items())
        return tuple(CallCount(*which, n, total, most) for which, (n, total, most) in every)

    def others(self) -> int:
        """Threads with a call that runs, this one aside."""
        me = threading.get_ident()
        return sum(thread != me for thread in self._running)

    def refuse(self) -> None:
        """Take no new calls."""
        with self._changed:
            self.closing = True

    def wait(self, seconds: float) -> int:
        """Wait for the calls of other threads; how many still run then.

        Parameters
        ----------
        seconds : float
            At most.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self.others(), seconds)
            return self.others()


def counted(engine: E) -> E:
    """Decorate a class of engines: each public method of it is a call that `Calls` knows of."""
    for name in dir(engine):
        method = getattr(engine, name)
        if not name.startswith("_") and name not in UNCOUNTED and callable(method):
            setattr(engine, name, _counted(name, method))
    return engine


def _counted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._opened is None or os.getpid() != self._process:
            return method(self, *args, **kwargs)  # says that it is closed, or another process's
        calls: Calls = self._calls
        calls.enter()
        started, result, fields = time.monotonic(), OK, {}
        try:
            value = method(self, *args, **kwargs)
            fields = fields_of(value)
            return value
        except BaseException as error:
            result = type(error).__name__
            raise
        finally:
            calls.ended(name, result, time.monotonic() - started, fields)
            calls.leave()

    return call


def fields_of(value: object) -> dict[str, Any]:
    """What a monitor may count of an answer; names and scores are not in it."""
    if isinstance(value, SearchResponse):
        return _searched([value])
    if isinstance(value, list) and value and isinstance(value[0], SearchResponse):
        return _searched(value)
    if isinstance(value, Verification):
        return {"searches": 1, _outcome(value.outcome): 1, "incomplete": int(not value.complete)}
    if isinstance(value, EnrolReport):
        return {
            "accepted": value.accepted,
            "fingers": value.fingers,
            "errors": len(value.errors),
            "flags": len(value.flags),
        }
    if isinstance(value, UpdateReceipt):
        return {
            "changed": len(value.changed),
            "lifted": len(value.lifted),
            "added": value.added,
            "removed": len(value.removed),
        }
    if isinstance(value, Receipt):
        return _removed([value])
    if isinstance(value, tuple) and value and isinstance(value[0], Receipt):
        return _removed(value)
    if isinstance(value, RecordPage | TemplatePage):
        return {"records": len(value.records)}
    return {}


def _removed(receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {
        "level": receipts[0].level,
        "records": sum(r.records for r in receipts),
        "fingers": sum(len(r.removed) for r in receipts),
        "probes": sum(r.probes for r in receipts),
    }


def _searched(responses: Iterable[SearchResponse]) -> dict[str, Any]:
    out: Counter[str] = Counter()
    for response in responses:
        out["searches"] += 1
        for section in response:
            out[_outcome(section.outcome)] += 1
            out["incomplete"] += not section.complete
    return dict(out)


def _outcome(outcome: Any) -> str:
    return f"sections_{outcome.value.lower()}"
