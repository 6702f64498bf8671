"""Probes that outlive their search: deferred until an event, or retained for later arrivals.

A kept probe carries the facts and the permissions that it came with. Whenever it is used the
policy is asked anew and both must allow it: what was denied then stays denied.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from fpmatch.audit import Kind
from fpmatch.audit.records import time_text
from fpmatch.checks import quoted
from fpmatch.errors import AuditError, InputError, RefusedError
from fpmatch.gallery.removing import UNIFORM
from fpmatch.ledger import DEFERRED, RETAINED, SETTLED, KeptProbe
from fpmatch.search.released import Released, ReleasedPartition
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import Outcome, PartitionDecision, SearchRequest

log = logging.getLogger(__name__)

DISPOSITIONS = {
    "CONVICTION": "convicted",
    "ACQUITTAL": "acquitted",
    "DISMISSAL": "dismissed",
}
"""The disposition that an event stands for, where the caller names none."""
FOR_THE_FIRST = {
    "fingers": "stored apart, sealed where there is a vault",
    "partitions": "the one that the probe is kept for",
    "tcn": "each search has its own",
    "tcr": "names the first search",
    "retain": "decided by the first search",
    "copies_to": "sent with the first answer",
    "deadline_ms": "of the first search",
}
"""Fields of a request that a kept probe does not bring back, and why."""
KEPT = tuple(f.name for f in fields(SearchRequest) if f.name not in FOR_THE_FIRST)


def store(state: State, running: Running, released: Released) -> None:
    """Keep what has to be kept, before the outcome is logged.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    released : Released
        What leaves, for each partition.
    """
    for i, one in enumerate(released.partitions):
        if one.truth.outcome is Outcome.DEFERRED and one.section.outcome is Outcome.DEFERRED:
            token = _defer(state, running, one)
            released.partitions[i] = replace(one, section=replace(one.section, token=token))
        elif _retains(running, one):
            _retain(state, running, one)
        elif running.submission.request.retain and (one.hidden or _failed_quietly(running, one)):
            _noted(state, running, one.granted, Kind.RETAIN)


def _retains(running: Running, one: ReleasedPartition) -> bool:
    return (
        running.submission.request.retain
        and one.granted.retain
        and one.truth.partition in running.scores
    )


def _failed_quietly(running: Running, one: ReleasedPartition) -> bool:
    """Whether a probe would be retained but for an error that the submitter may not hear of."""
    return one.granted.retain and one.truth.partition in running.failed


def _retain(state: State, running: Running, one: ReleasedPartition) -> None:
    try:
        _put(state, running, one.granted, RETAINED, "", "")
    except AuditError:
        raise
    except Exception as error:
        if one.section.outcome is Outcome.SEARCHED_DISCLOSED:
            raise
        # As after any other step of a search that the submitter sees nothing of.
        log.warning("a probe was not retained: %s", type(error).__name__)
        _noted(state, running, one.granted, Kind.RETAIN)


def _defer(state: State, running: Running, one: ReleasedPartition) -> str:
    kept = running.kept
    if kept is not None and kept.kind == DEFERRED and kept.partition == one.granted.partition:
        return kept.token
    first = running.decision[one.granted.partition]
    expires = time_text(first.defer_expires) if first.defer_expires else ""
    return _put(state, running, first, DEFERRED, first.defer_until, expires)


def _put(
    state: State,
    running: Running,
    granted: PartitionDecision,
    kind: str,
    event: str,
    expires: str,
) -> str:
    request = running.submission.request
    token = kind[0].upper() + secrets.token_hex(16)
    contents = [f.to_bytes() for f in request.fingers]
    if state.vault is not None:
        contents = [state.vault.seal("", c) for c in contents]
    probe = KeptProbe(
        token,
        kind,
        granted.partition,
        event,
        expires,
        request.attributes.get("identity", ""),
        _facts_of(running, granted),
        owner=state.living.name,
    )
    state.ledger.keep(probe, contents)
    _noted(
        state,
        running,
        granted,
        Kind.DEFER if kind == DEFERRED else Kind.RETAIN,
        token=trace(token),
        event=event,
        expires=expires,
    )
    return token


def _noted(
    state: State, running: Running, granted: PartitionDecision, kind: str, **more: str
) -> None:
    """Log that a probe is kept; with no token, that none is, so that records count the same."""
    fields = {"tcn": running.submission.tcn, "partition": granted.partition}
    state.audit.event(kind, {**fields, "token": "", "event": "", "expires": "", **more})


def _facts_of(running: Running, granted: PartitionDecision) -> dict[str, Any]:
    request = running.submission.request
    return {
        "tcn": running.submission.tcn,
        "intent": running.intent,
        **{name: _plain(getattr(request, name)) for name in KEPT},
        "sticky": granted.permissions.value,
        "policy_version": running.decision.policy_version,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def trace(token: object) -> str:
    """How the log names a token: it proves nothing to who reads it."""
    said = token if isinstance(token, bytes) else str(token).encode("utf-8", "surrogatepass")
    return hashlib.sha256(said).hexdigest()[:24]


def request_of(state: State, kept: KeptProbe, **changes: Any) -> SearchRequest:
    """The submission that a kept probe came with, for its one partition."""
    facts: Mapping[str, Any] = kept.request
    contents = state.ledger.contents(kept.token)
    if state.vault is not None:
        contents = [state.vault.open("", c) for c in contents]
    request = SearchRequest(
        fingers=tuple(Template.from_bytes(c) for c in contents),
        partitions=(kept.partition,),
        tcn=kept.claimed.partition("|")[2],
        tcr=facts["tcn"],
        **{name: facts[name] for name in KEPT if name in facts},
    )
    return replace(request, **changes)


def claim(state: State, token: str, kind: str = DEFERRED) -> KeptProbe:
    """Take up the probe of a token, before anything is compared; `settle` or `cancel` ends it.

    Whoever else reports, cancels or expires it meanwhile, in this process or another, finds it
    gone.

    Parameters
    ----------
    state : State
        The open engine.
    token : str
        Of the deferred search.
    kind : str
        Of kept probe.

    Raises
    ------
    RefusedError
        The same for a token that never was, was used, cancelled, has expired or is taken up.
    """
    expire(state)
    kept = _take(state, token, kind)
    if kept is None:
        state.audit.event(Kind.AUTH_FAILED, {"what": "deferred search", "token": trace(token)})
        raise RefusedError(UNIFORM)
    return kept


def _take(state: State, token: str, kind: str) -> KeptProbe | None:
    found = state.ledger.find(token)
    if found is None:
        return None
    tcn = f"{found.request['tcn']}/{secrets.token_hex(8)}"[-128:]
    return state.ledger.claim(token, kind, f"{state.living.name}|{tcn}")


def retained(state: State, partition: str) -> Iterator[KeptProbe]:
    """Take up one after the other the probes retained for a partition that nobody else has."""
    for kept in state.ledger.kept(RETAINED, partition):
        mine = _take(state, kept.token, RETAINED)
        if mine is not None:
            try:
                yield mine
            finally:
                state.ledger.unclaim(mine.token, mine.claimed)


@contextmanager
def settled(state: State, kept: KeptProbe) -> Iterator[None]:
    """Do what a claimed probe was taken up for; if that fails, the log says what became of it."""
    try:
        yield
    except BaseException:
        settle(state, kept)
        raise


def settle(state: State, kept: KeptProbe) -> None:
    """End a claim that was cut off: spent if its search was answered, else good again.

    Parameters
    ----------
    kept : KeptProbe
        With its claim, which is this process's own or that of one that is dead.
    """
    records = state.audit.records
    if any(r.fields.get("token") == trace(kept.token) for r in records(kind=Kind.DEFER_CANCELLED)):
        state.ledger.destroy(kept.token)
        return
    tcn = kept.claimed.partition("|")[2]
    for record in records(kind=Kind.OUTCOME, tcn=tcn):
        if record.fields.get("result", "ok") != "ok" or kept.kind != DEFERRED:
            continue
        said = record.partitions.get(kept.partition, {})
        became = said.get("outcome")
        if became == Outcome.DEFERRED_CANCELLED:
            cancel(state, kept, "cut off")
        elif became != Outcome.DEFERRED and said.get("complete") is not False:
            state.ledger.destroy(kept.token)
    state.ledger.unclaim(kept.token, kept.claimed)


def disposition_of(event: str, disposition: str | None) -> str:
    """What an event makes of a case.

    Raises
    ------
    InputError
        If the event stands for none by itself.
    """
    if disposition is None:
        disposition = DISPOSITIONS.get(event)
    if disposition is None:
        raise InputError(
            f"event {quoted(event)} stands for no disposition by itself; pass disposition="
        )
    return disposition


def cancel(state: State, kept: KeptProbe, why: str) -> None:
    """Destroy a kept probe; the log says that nothing was compared for it.

    Parameters
    ----------
    state : State
        The open engine.
    kept : KeptProbe
        The probe that is taken up again, if it is one.
    why : str
        For the log.
    """
    _cancel(state, kept.token, kept.partition, kept.request["tcn"], why)


def cancel_damaged(state: State, token: str, why: str) -> bool:
    """Destroy a kept probe that cannot be read; False if there is none such.

    Parameters
    ----------
    state : State
        The open engine.
    token : str
        Its token, or how the log names that: it is good for no search, so that no more is asked.
    why : str
        For the log.
    """
    for one in state.ledger.damaged():
        if token in (one.token, trace(one.token)):
            _cancel(state, one.token, one.partition, "", why)
            return True
    return False


def _cancel(state: State, token: Any, partition: str, tcn: str, why: str) -> None:
    state.audit.event(
        Kind.DEFER_CANCELLED,
        {
            "tcn": tcn,
            "partition": partition,
            "token": trace(token),
            "why": why,
            "live": 0,
            "codes": 0,
            "stage1": 0,
            "stage2": 0,
        },
    )
    state.ledger.destroy(token)


def expire(state: State) -> int:
    """Destroy deferred probes whose time is over; how many there were."""
    now = time_text(state.clock())
    over = [
        k for k in state.ledger.kept(DEFERRED) if k.expires and k.expires <= now and not k.claimed
    ]
    count = 0
    for waiting in over:
        kept = _take(state, waiting.token, DEFERRED)
        if kept is not None:
            with settled(state, kept):
                cancel(state, kept, "expired")
            count += 1
    return count


def recover(state: State) -> None:
    """Settle what openings that have ended left: claims, and probes of unanswered searches.

    A probe that belongs to an opening that is alive is left to it. One that cannot be read keeps
    nothing from being opened: it is named, and left to whoever cancels it.
    """
    for one in state.ledger.damaged():
        log.warning(
            "the kept probe %s is damaged and is searched never: cancel it", trace(one.token)
        )
    kept = [*state.ledger.kept(DEFERRED), *state.ledger.kept(RETAINED)]
    alive = {name: state.living.alive(name) for name in {p.owner for p in kept}}
    claimed = [p for p in kept if p.claimed and not state.living.alive(_claimant(p))]
    fresh = [p for p in kept if not p.claimed and p.owner != SETTLED and not alive[p.owner]]
    for probe in claimed:
        settle(state, probe)
    if not fresh:
        return
    gone = {r.fields.get("token") for r in state.audit.records(kind=Kind.DEFER_CANCELLED)}
    for probe in fresh:
        answered = any(
            r.intent_seq == probe.request["intent"] and r.fields.get("result", "ok") == "ok"
            for r in state.audit.records(kind=Kind.OUTCOME, tcn=probe.request["tcn"])
        )
        if not answered or trace(probe.token) in gone:
            state.ledger.destroy(probe.token)
        else:
            state.ledger.disown(probe.token, probe.owner)


def _claimant(probe: KeptProbe) -> str:
    return probe.claimed.partition("|")[0]


def drop(state: State, intent: int) -> None:
    """Destroy what a search kept that then failed."""
    for probe in (*state.ledger.kept(DEFERRED), *state.ledger.kept(RETAINED)):
        if probe.request["intent"] == intent:
            state.ledger.destroy(probe.token)
