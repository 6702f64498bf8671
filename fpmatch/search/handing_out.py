"""Handing out a copy: once, logged, and no more of it than may be seen at that moment."""

from __future__ import annotations

from typing import Any

from fpmatch.audit import Kind
from fpmatch.audit.records import time_text
from fpmatch.errors import CorruptError, InputError, RefusedError
from fpmatch.gallery.removing import UNIFORM
from fpmatch.ledger import KeptCopy
from fpmatch.search import copies
from fpmatch.search.crash_points import crash_point
from fpmatch.search.decision import decide
from fpmatch.search.naming import key_of
from fpmatch.search.opaque_ids import under_opaque_ids
from fpmatch.search.probe import uses
from fpmatch.search.state import State
from fpmatch.types import (
    Candidate,
    Facts,
    FingerPosition,
    FingerScore,
    Ori,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Reason,
    SearchResponse,
    claim_of,
)


def take(state: State, tcn: str, ori: str, booking: str | None) -> SearchResponse:
    """See `Engine.copy`; of several callers at once, in whatever process, one gets it.

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
        If several fit, or a vault sealed it that the engine does not have.
    RefusedError
        If there is no such copy, in the same words as for one that is somebody else's.
    """
    found = state.ledger.copies.waiting(tcn, ori, booking, time_text(state.clock()))
    if len({copy.booking for copy in found}) > 1:
        raise InputError("several agencies used this number; say whose with booking_ori=")
    if not found or not state.ledger.copies.claim(found[-1].id, state.living.name):
        state.audit.event(Kind.AUTH_FAILED, {"what": "copy", "tcn": tcn, "recipient": ori})
        raise RefusedError(UNIFORM)
    copy = found[-1]
    try:
        crash_point("copy.claimed")
        response = _response(state, copy)
        state.audit.event(
            Kind.RELEASE,
            {
                "what": "copy",
                "partition": "",
                "recipient": ori,
                "notification": "",
                "tcn": tcn,
                "search_seq": copy.intent,
            },
        )
    except BaseException:
        state.ledger.copies.unclaim(copy.id)
        raise
    crash_point("copy.logged")
    state.ledger.copies.destroy(copy.id)
    return response


def _response(state: State, copy: KeptCopy) -> SearchResponse:
    body = copies.read(state, copy)
    try:
        facts = _facts(body["facts"])
        submitter = copies.by_partition(decide(state, facts, state.policy))
        recipient = copies.own_decision(state, facts, Ori(copy.recipient))
        sections = tuple(
            _section(state, copy, section, (submitter, recipient), uses(facts))
            for section in body["sections"]
        )
        return SearchResponse(copy.tcn, body["policy_version"], sections, copy.intent)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError("a copy is stored damaged") from error


def _facts(said: dict[str, Any]) -> Facts:
    requested = said["requested"]
    return Facts(
        **{
            **said,
            "chain": tuple(Ori(o) for o in said["chain"]),
            "requested": None if requested is None else tuple(requested),
        }
    )


def _section(
    state: State,
    copy: KeptCopy,
    kept: dict[str, Any],
    parties: tuple[dict[str, PartitionDecision], dict[str, PartitionDecision]],
    used: frozenset[str],
) -> PartitionResult:
    name = kept["partition"]
    if kept["candidates"] is None:
        return PartitionResult(
            name, Outcome(kept["outcome"]), Reason(kept["reason"]), complete=kept["complete"]
        )
    now = [party[name] for party in parties if name in party]
    if len(now) < len(parties) or not all(entry.probe and entry.view for entry in now):
        return PartitionResult(name, Outcome.REFUSED, Reason.NOT_DISCLOSED)
    sees = kept["sees_protected"] and all(entry.sees_protected for entry in now)
    shown = _shown(state, kept, sees_protected=sees, used=used)
    opaque = [then or entry.opaque for then, entry in zip(kept["opaque"], now, strict=True)]
    if any(opaque):
        # The names that the partition has for the recipient, else those that the submitter got.
        named_for = copy.recipient if opaque[1] else copy.booking
        shown = under_opaque_ids(state, named_for, name, shown)
    return PartitionResult(
        name,
        Outcome(kept["outcome"]),
        Reason(kept["reason"]),
        candidates=shown,
        complete=kept["complete"],
    )


def _shown(
    state: State, kept: dict[str, Any], *, sees_protected: bool, used: frozenset[str]
) -> tuple[Candidate, ...]:
    """Without what was expunged, sealed, protected or banned meanwhile; nothing moves up."""
    name = kept["partition"]
    columns = state.gallery.columns(name)
    barred = columns.barred(sees_protected=sees_protected, uses=used)
    out = []
    for record, score, fingers in kept["candidates"]:
        key = key_of(state, name, record, None)
        ordinal = None if key is None else columns.names.ordinal(key)
        if ordinal is not None and ordinal < len(barred) and not barred[ordinal]:
            parts = tuple(FingerScore(FingerPosition(p), s) for p, s in fingers)
            out.append(Candidate(record, score, claim_of(score).fmr, parts))
    return tuple(out)
