"""What a monitor may know of an engine: which calls, how they ended, how long they took.

Every public call of an `Engine` is one record of the logger `fpmatch.monitor` (level INFO), with
its values as attributes ``fpm_...`` of the record, and one `CallEvent` for the engine's own
monitor, if it has one. No value is a name: neither of a person nor of a record, an agency or a
partition. What is said of an answer is counted from the answer as it leaves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fpmatch.errors import MissingExtra

LOGGER = "fpmatch.monitor"
OK = "ok"
log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One call that has ended.

    Parameters
    ----------
    call : str
        Name of the method of `Engine`; ``open`` and ``close`` too.
    result : str
        ``ok``, or the name of the error's class.
    seconds : float
        From the call to its return: for a held answer until it was let go.
    ended : float
        When it ended, seconds since 1970.
    fields : mapping of str to int, float or str
        What there is to count; see docs/operation.md.
    """

    call: str
    result: str
    seconds: float
    ended: float = field(default_factory=time.time)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallCount:
    """Calls of one kind that ended in one way, since the engine was opened.

    Parameters
    ----------
    call, result : str
        As of `CallEvent`.
    calls : int
    seconds : float
        Of all of them together.
    longest : float
        Of the longest, seconds.
    """

    call: str
    result: str
    calls: int
    seconds: float
    longest: float


Monitor = Callable[[CallEvent], object]
"""Is told of each call, in the thread of the call, when it has ended."""


def tell(event: CallEvent, monitor: Monitor | None) -> None:
    """Tell logger and monitor; a monitor that fails costs a warning and nothing else.

    Parameters
    ----------
    event : CallEvent
    monitor : callable or None
    """
    if log.isEnabledFor(logging.INFO):
        said = {"call": event.call, "result": event.result, "seconds": event.seconds}
        extra = {f"fpm_{name}": value for name, value in {**said, **event.fields}.items()}
        log.info("%s %s %.6f s", event.call, event.result, event.seconds, extra=extra)
    if monitor is None:
        return
    try:
        monitor(event)
    except Exception as error:
        log.warning("the monitor failed: %s", type(error).__name__)


class OpenTelemetry:
    """A monitor that makes spans and metrics with OpenTelemetry's API (extra ``otel``).

    A span ``fpmatch.CALL`` for each call, below the caller's own; a counter ``fpmatch.calls`` and a
    histogram ``fpmatch.call.duration`` (seconds), both by ``fpmatch.call`` and ``fpmatch.result``.

    Parameters
    ----------
    tracer_provider, meter_provider : optional
        OpenTelemetry's; those that are set for the process where they are None.

    Raises
    ------
    MissingExtra
        If opentelemetry-api is not installed.
    """

    def __init__(self, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise MissingExtra(
                "OpenTelemetry's API is not installed: pip install 'fpmatch[otel]'"
            ) from error
        self._tracer = trace.get_tracer("fpmatch", tracer_provider=tracer_provider)
        self._failed = trace.StatusCode.ERROR
        meter = metrics.get_meter("fpmatch", meter_provider=meter_provider)
        self._calls = meter.create_counter("fpmatch.calls", "{call}", "Calls that have ended")
        self._seconds = meter.create_histogram("fpmatch.call.duration", "s", "How long they took")

    def __call__(self, event: CallEvent) -> None:
        """Take one call in."""
        which = {"fpmatch.call": event.call, "fpmatch.result": event.result}
        self._calls.add(1, which)
        self._seconds.record(event.seconds, which)
        ended = int(event.ended * 1e9)
        span = self._tracer.start_span(
            f"fpmatch.{event.call}",
            attributes=which | {f"fpmatch.{name}": value for name, value in event.fields.items()},
            start_time=ended - int(event.seconds * 1e9),
        )
        if event.result != OK:
            span.set_status(self._failed, event.result)
        span.end(ended)
