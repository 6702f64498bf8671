"""Taking kept probes up again."""

from __future__ import annotations

from typing import Any

from fpmatch.search import keep, run
from fpmatch.search.state import State
from fpmatch.types import Outcome, SearchResponse


def report_event(
    state: State, token: str, event: str, disposition: str | None, everywhere: bool
) -> SearchResponse:
    """See `Engine.report_event`."""
    changes: dict[str, Any] = {"disposition": keep.disposition_of(event, disposition)}
    kept = keep.claim(state, token)
    if everywhere:
        changes["partitions"] = None
    response = run.search(state, keep.request_of(state, kept, **changes), None, kept)
    outcome = response[kept.partition].outcome
    if outcome is Outcome.DEFERRED_CANCELLED:
        keep.cancel(state, kept, event)
    elif outcome is not Outcome.DEFERRED:
        state.ledger.destroy(token)
    return response


def cascade(state: State, partition: str) -> list[SearchResponse]:
    """See `Engine.cascade`."""
    return [
        run.search(state, keep.request_of(state, kept), None, kept)
        for kept in state.ledger.kept(keep.RETAINED, partition)
    ]
