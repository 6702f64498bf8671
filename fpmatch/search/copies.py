"""Copies of a response to further agencies, each under its own mask.

A recipient sees at most what the submitter sees and at most what it could have searched itself:
naming a better-placed agency as recipient opens nothing.
"""

from __future__ import annotations

from dataclasses import replace

from fpmatch.audit import Kind
from fpmatch.errors import InputError, RefusedError
from fpmatch.gallery.removal import UNIFORM
from fpmatch.search.opaque_ids import under_opaque_ids
from fpmatch.search.pairings import without_minutiae
from fpmatch.search.released import Released
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import (
    Decision,
    Ori,
    Outcome,
    PartitionResult,
    Reason,
    SearchResponse,
)


def take(state: State, tcn: str, ori: str, booking: str | None) -> SearchResponse:
    """See `Engine.copy`; of several callers at once one gets it.

    Parameters
    ----------
    state : State
        The open engine.
    tcn : str
        Control number.
    ori : str
        An agency.
    booking : str or None
        The booking agency; None where the other two say it.

    Raises
    ------
    InputError
        If an agency is no ORI, or several fit.
    RefusedError
        If there is no such copy, in the same words as for one that is somebody else's.
    """
    with state.lock:
        found = [
            key
            for key in state.copies
            if key[1:] == (tcn, ori) and (booking is None or key[0] == booking)
        ]
        if len(found) > 1:
            raise InputError("several agencies used this number; say whose with booking_ori=")
        if not found:
            state.audit.event(Kind.AUTH_FAILED, {"what": "copy", "tcn": tcn, "recipient": ori})
            raise RefusedError(UNIFORM)
        copy = state.copies[found[0]]
        state.audit.event(
            Kind.RELEASE,
            {
                "what": "copy",
                "partition": "",
                "recipient": ori,
                "notification": "",
                "tcn": tcn,
                "search_seq": copy.audit_seq,
            },
        )
        return state.copies.pop(found[0])


def keep(state: State, running: Running, made: dict[str, SearchResponse]) -> None:
    """Let recipients fetch the copies of an answered search.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    made : dict[str, SearchResponse]
        Copies by recipient.
    """
    booking = running.submission.facts.chain[0]
    with state.lock:
        for ori, copy in made.items():
            state.copies[booking, running.submission.tcn, ori] = copy


def make(state: State, running: Running, released: Released) -> dict[str, SearchResponse]:
    """The response of each recipient, and the recipients noted for the log.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    released : Released
        What leaves, for each partition.
    """
    out: dict[str, SearchResponse] = {}
    for text in dict.fromkeys(running.submission.request.copies_to):
        recipient = Ori(text)
        decision = _own(state, running, recipient)
        sections = []
        for i, one in enumerate(released.partitions):
            section = one.section
            if section.outcome is Outcome.SEARCHED_DISCLOSED:
                section = _section(state, decision, recipient, section, one.found)
                if section.outcome is Outcome.SEARCHED_DISCLOSED:
                    released.partitions[i] = replace(one, recipients=(*one.recipients, recipient))
            sections.append(replace(section, token=""))
        out[recipient] = SearchResponse(
            running.submission.tcn, running.decision.policy_version, tuple(sections), running.intent
        )
    return out


def _own(state: State, running: Running, recipient: Ori) -> Decision | None:
    if state.policy is None:
        return None
    facts = running.submission.facts
    ordinary = state.policy.facts(recipient, transaction=facts.transaction)
    own = replace(facts, chain=ordinary.chain, requested=None, role="")
    return state.policy.decide(own, state.clock())


def _section(
    state: State,
    decision: Decision | None,
    recipient: Ori,
    section: PartitionResult,
    found: tuple,
) -> PartitionResult:
    name = section.partition
    entry = None
    if decision is not None and not decision.refused:
        entry = next((d for d in decision.partitions if d.partition == name), None)
    if entry is None or not (entry.probe and entry.view):
        return PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
    if entry.opaque:
        return replace(section, candidates=under_opaque_ids(state, recipient, name, found))
    # Without the paired minutiae: they are for the submitter's role, and a copy has none.
    return replace(section, candidates=without_minutiae(section.candidates or ()))
