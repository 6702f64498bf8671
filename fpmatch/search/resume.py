"""Taking kept probes up again."""

from __future__ import annotations

from typing import Any

from fpmatch.audit import Kind
from fpmatch.ledger import KeptProbe
from fpmatch.search import kept_probes, run
from fpmatch.search.hold import Hold
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import Outcome, PartitionResult, Reason, SearchResponse


def report_event(
    state: State, token: str, event: str, disposition: str | None, everywhere: bool
) -> SearchResponse:
    """See `Engine.report_event`.

    Parameters
    ----------
    state : State
        The open engine.
    token : str
        Of the deferred search.
    event : str
        What happened, or which enrolment goes.
    disposition : str or None
        Of the case; None where the event says it.
    everywhere : bool
        Search all that is granted now, not the one partition.
    """
    changes: dict[str, Any] = {"disposition": kept_probes.disposition_of(event, disposition)}
    with Hold(state) as hold:
        kept = kept_probes.claim(state, token)
        with kept_probes.settled(state, kept):
            if everywhere:
                changes["partitions"] = None
            request = kept_probes.request_of(state, kept, **changes)
            response = run.search(state, request, None, kept, hold)
            section = response[kept.partition]
            running = hold.watched[-1]
            if section.outcome is Outcome.DEFERRED or _is_in_part(running, section):
                state.ledger.unclaim(token, kept.claimed)
            else:
                _settle(state, kept, event, running.truth[kept.partition], section)
    return response


def cancel(state: State, token: str, why: str) -> None:
    """See `Engine.cancel`.

    Parameters
    ----------
    state : State
        The open engine.
    token : str
        Of the deferred search.
    why : str
        For the log.
    """
    if kept_probes.cancel_damaged(state, token, why):
        return
    kept = kept_probes.claim(state, token)
    with kept_probes.settled(state, kept):
        kept_probes.cancel(state, kept, why)


def _is_in_part(running: Running, section: PartitionResult) -> bool:
    """Whether hosts that hold part of the partition did not answer: the search is owed still.

    Where the submitter may not know if there was a search, its token is used up all the same.
    """
    scores = running.scores.get(section.partition)
    searched = (Outcome.SEARCHED_DISCLOSED, Outcome.SEARCHED_WITHHELD)
    return scores is not None and not scores.cost.complete and section.outcome in searched


def _settle(
    state: State, kept: KeptProbe, event: str, truth: PartitionResult, section: PartitionResult
) -> None:
    """End a probe's wait, in as many steps whatever came of it where that may not be told."""
    if truth.outcome in (Outcome.DEFERRED, Outcome.DEFERRED_CANCELLED):
        kept_probes.cancel(state, kept, event)
        return
    if section.reason is Reason.NOT_DISCLOSED:
        state.audit.event(
            Kind.DEFER_USED,
            {
                "tcn": kept.request["tcn"],
                "partition": kept.partition,
                "token": kept_probes.trace(kept.token),
            },
        )
    state.ledger.destroy(kept.token)


def cascade(state: State, partition: str) -> list[SearchResponse]:
    """See `Engine.cascade`."""
    with Hold(state) as hold:
        return [
            run.search(state, kept_probes.request_of(state, kept), None, kept, hold)
            for kept in kept_probes.retained(state, partition)
        ]
