"""Taking kept probes up again."""

from __future__ import annotations

from typing import Any

from fpmatch.audit import Kind
from fpmatch.gallery.ledger import KeptProbe
from fpmatch.search import keep, run
from fpmatch.search.hold import Hold
from fpmatch.search.state import State
from fpmatch.types import Outcome, PartitionResult, Reason, SearchResponse


def report_event(
    state: State, token: str, event: str, disposition: str | None, everywhere: bool
) -> SearchResponse:
    """See `Engine.report_event`."""
    changes: dict[str, Any] = {"disposition": keep.disposition_of(event, disposition)}
    with Hold(state) as hold:
        kept = keep.claim(state, token)
        with keep.settled(state, kept):
            if everywhere:
                changes["partitions"] = None
            request = keep.request_of(state, kept, **changes)
            response = run.search(state, request, None, kept, hold)
            section = response[kept.partition]
            if section.outcome is Outcome.DEFERRED:
                state.ledger.unclaim(token, kept.claimed)
            else:
                _settle(state, kept, event, hold.watched[-1].truth[kept.partition], section)
    return response


def cancel(state: State, token: str, why: str) -> None:
    """See `Engine.cancel`."""
    kept = keep.claim(state, token)
    with keep.settled(state, kept):
        keep.cancel(state, kept, why)


def _settle(
    state: State, kept: KeptProbe, event: str, truth: PartitionResult, section: PartitionResult
) -> None:
    """End a probe's wait, in as many steps whatever came of it where that may not be told."""
    if truth.outcome in (Outcome.DEFERRED, Outcome.DEFERRED_CANCELLED):
        keep.cancel(state, kept, event)
        return
    if section.reason is Reason.NOT_DISCLOSED:
        state.audit.event(
            Kind.DEFER_USED,
            {
                "tcn": kept.request["tcn"],
                "partition": kept.partition,
                "token": keep.trace(kept.token),
            },
        )
    state.ledger.destroy(kept.token)


def cascade(state: State, partition: str) -> list[SearchResponse]:
    """See `Engine.cascade`."""
    with Hold(state) as hold:
        return [
            run.search(state, keep.request_of(state, kept), None, kept, hold)
            for kept in keep.retained(state, partition)
        ]
