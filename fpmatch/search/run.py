"""The way of one search: decide, log, compare, re-check, release."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache

from fpmatch.audit import IntentRecord, OutcomeRecord, PartitionOutcome, duration_bucket
from fpmatch.descriptor.sketch import sketch_hash
from fpmatch.errors import SearchCancelled
from fpmatch.index import Cancel
from fpmatch.ledger import KeptProbe
from fpmatch.parameters import (
    CALIBRATION,
    DESCRIPTOR,
    EFFORT_BALANCED,
    EFFORT_BALANCED_LARGE,
    EFFORT_FAST,
    EFFORT_SCAN,
    INDEX,
    MATCHER,
    SCALE,
    digest,
)
from fpmatch.search import copies, kept_probes, outbox, pending, release
from fpmatch.search.crash_points import crash_point
from fpmatch.search.decision import kept_quiet, prepare
from fpmatch.search.hold import Hold
from fpmatch.search.released import Released
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import (
    Outcome,
    PartitionResult,
    Reason,
    SearchRequest,
    SearchResponse,
)

MATCHER_VERSION = "mcc-3"


@dataclass(frozen=True, slots=True)
class Learned:
    """What ships beside the parameters and shapes which records are compared."""

    sketch: str


@cache
def parameters_digest(scale: str = "stated") -> str:
    """Hash of all that a ranking depends on, learned numbers too; of the scales where asked for.

    Parameters
    ----------
    scale : str
        As in the request.
    """
    efforts = (EFFORT_FAST, EFFORT_BALANCED, EFFORT_BALANCED_LARGE, EFFORT_SCAN)
    tried = (SCALE,) if scale == "any" else ()
    learned = Learned(sketch_hash())
    return digest(DESCRIPTOR, MATCHER, CALIBRATION, INDEX, learned, *efforts, *tried)


def intent_of(state: State, running: Running) -> IntentRecord:
    """The first half of the audit record."""
    request = running.submission.request
    return IntentRecord.of(
        request,
        running.decision,
        tcn=running.submission.tcn,
        requested=running.submission.requested,
        attributes=_declared(state, request),
        probe_digest=state.audit.probe_digest(f.to_bytes() for f in request.fingers),
        record_digest=_record_digest(state, running),
        matcher_version=MATCHER_VERSION,
        parameters_digest=parameters_digest(request.scale),
    )


def _declared(state: State, request: SearchRequest) -> tuple[str, ...]:
    known = state.policy.declared.attributes if state.policy is not None else ()
    stated = request.attributes
    return tuple(sorted(f"{name}={stated[name]}" for name, _ in known if name in stated))


def _record_digest(state: State, running: Running) -> str:
    """Of the records that the submission named: whose probe it is, and those to compare with."""
    own = running.apart
    named = [*([] if own is None else [own.record]), *(running.records or ())]
    if not named:
        return ""
    place = running.submission.requested or ("" if own is None else own.partition,)
    return state.audit.records_digest(place[0], named)


def search(
    state: State,
    request: SearchRequest,
    cancel: Cancel | None = None,
    kept: KeptProbe | None = None,
    hold: Hold | None = None,
) -> SearchResponse:
    """One search from request to response; see `Engine.search`.

    ``kept`` is the probe that is taken up again, if it is one. ``hold`` is that of the call
    which the search is part of, if it is; else the search is the call.

    Parameters
    ----------
    state : State
        The open engine.
    request : SearchRequest
        What was asked.
    cancel : Cancel or None
        Asked whether the caller gave up.
    kept : KeptProbe or None
        The probe that is taken up again, if it is one.
    hold : Hold or None
        Of the call that the search is part of; None if it is the call.
    """
    if hold is None:
        pending.catch_up(state)
        with Hold(state) as own:
            return search(state, request, cancel, kept, own)
    running = hold.watch(prepare(state, request, kept))
    begin(state, running)
    return finish(state, running, hold, cancel)


def begin(state: State, running: Running) -> None:
    """Log the intent, before anything is looked up or compared.

    Raises
    ------
    AuditError
        If it could not be written, or not before the deadline: then nothing may be searched.
    InputError
        If the agency has used the control number before.
    """
    intent = intent_of(state, running)
    running.intent = state.audit.intent(intent, once=True, deadline=running.deadline)
    crash_point("search.intent")


def finish(
    state: State, running: Running, hold: Hold, cancel: Cancel | None = None
) -> SearchResponse:
    """Everything after the intent. Whatever goes wrong here is logged as FAILED.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    hold : Hold
        Of the call that the search is part of; None if it is the call.
    cancel : Cancel or None
        Asked whether the caller gave up.
    """
    try:
        run_comparisons(running, _Either(cancel, state.ending))
        crash_point("search.compared")
        released = release.judge(state, running)
        running.truth = {one.truth.partition: one.truth for one in released.partitions}
        crash_point("search.judged")
        outbox.prepare(state, running, released)
        kept_probes.store(state, running, released)
        copies.prepare(state, running, released)
        crash_point("search.prepared")
        state.audit.outcome(running.intent, _outcome(state, running, released))
    except BaseException as error:
        fail(state, running, error)
        raise
    crash_point("search.outcome")
    outbox.show(state, running, released)
    # Who may fetch a copy would else see on it when the search was over.
    hold.after.append(lambda: copies.show(state, running))
    crash_point("search.released")
    return SearchResponse(
        running.submission.tcn,
        running.decision.policy_version,
        tuple(r.section for r in released.partitions),
        running.intent,
        running.probe.notes,
    )


@dataclass(frozen=True, slots=True)
class _Either:
    """Cancelled by the caller, or because the engine closes."""

    caller: Cancel | None
    ending: Cancel

    def is_set(self) -> bool:
        return self.ending.is_set() or (self.caller is not None and self.caller.is_set())


def run_comparisons(running: Running, cancel: Cancel | None) -> None:
    """Search what was granted. Holds no engine and no gallery: only the searchers it was given.

    A cancel counts until the partitions whose results the submitter sees are searched: were it
    asked in the others, it would tell how long they take.

    Raises
    ------
    SearchCancelled
        If the caller gave up.
    """
    if cancel is not None and cancel.is_set():
        raise SearchCancelled("the search was cancelled")
    for searcher in running.searchers:
        name = searcher.partition
        if name in running.scores or name in running.failed:
            continue
        granted = running.decision[name]
        with kept_quiet(running, name):
            asked = running.ask(name)
            running.scores[name] = searcher.search(asked, cancel if granted.view else None)


def _outcome(state: State, running: Running, released: Released) -> OutcomeRecord:
    partitions = []
    for one in released.partitions:
        scores = running.scores.get(one.section.partition)
        if scores is None:
            partitions.append(PartitionOutcome.of(one.truth, coverage=_unasked(state)))
            continue
        partitions.append(
            PartitionOutcome.of(
                replace(one.truth, cost=scores.cost, complete=scores.cost.complete),
                coverage=_unasked(state),
                gallery_root=scores.root,
                candidate_digest=state.audit.candidate_digest(one.found),
                n_candidates=len(one.found),
                recipients=one.recipients,
                notifications=tuple(m.id for m in one.notifications),
            )
        )
    return OutcomeRecord(
        tcn=running.submission.tcn,
        partitions=tuple(partitions),
        release_policy_version=released.decision.policy_version,
        release_policy_digest=released.decision.policy_digest,
        error=next(iter(running.failed.values()), ""),
        duration=duration_bucket(1000 * (time.monotonic() - running.started)),
    )


def _unasked(state: State) -> tuple[int, ...]:
    """What the log says was covered where nobody was asked: something only if hosts could be."""
    return () if state.shards is None else (0, 0, 0, 0)


def fail(state: State, running: Running, error: BaseException) -> None:
    """Log a search that ended in an error; nothing of it is released.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    error : BaseException
        What went wrong.
    """
    outbox.drop(state, running.intent)
    kept_probes.drop(state, running.intent)
    copies.drop(state, running)
    searched = {*running.failed, *(s.partition for s in running.searchers)}
    partitions = []
    for d in running.decision.partitions:
        outcome = Outcome.FAILED if d.partition in searched else Outcome.NOT_SEARCHED
        reason = Reason.ERROR if d.partition in searched else d.reason
        scores = running.scores.get(d.partition)
        cost = scores.cost if scores else None
        partitions.append(
            PartitionOutcome.of(
                PartitionResult(d.partition, outcome, reason, cost=cost), coverage=_unasked(state)
            )
        )
    kind = "cancelled" if isinstance(error, SearchCancelled) else type(error).__name__
    state.audit.outcome(
        running.intent,
        OutcomeRecord(running.submission.tcn, tuple(partitions), result="error", error=kind),
    )
