"""The way of one search: decide, log, compare, re-check, release."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cache

from fpmatch.audit import IntentRecord, OutcomeRecord, PartitionOutcome, duration_bucket
from fpmatch.errors import SearchCancelled
from fpmatch.gallery.ledger import KeptProbe
from fpmatch.parameters import (
    CALIBRATION,
    DESCRIPTOR,
    EFFORT_BALANCED,
    EFFORT_FAST,
    EFFORT_SCAN,
    INDEX,
    MATCHER,
    digest,
)
from fpmatch.policy import Policy
from fpmatch.search import copies, keep, outbox, probe, release
from fpmatch.search.compare import Handle, Hits, Limits, compare
from fpmatch.search.probe import Probe, Submission
from fpmatch.search.state import State
from fpmatch.search.steps import reached
from fpmatch.types import (
    Decision,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Permission,
    Reason,
    SearchRequest,
    SearchResponse,
)

MATCHER_VERSION = "mcc-1"


@dataclass(slots=True)
class Running:
    """One search on its way."""

    submission: Submission
    decision: Decision
    handles: tuple[Handle, ...]
    kept: KeptProbe | None = None
    intent: int = 0
    started: float = 0.0
    hits: dict[str, Hits] = field(default_factory=dict)

    @property
    def uses(self) -> frozenset[str]:
        """The uses that this search makes of records, for their contributors' bans."""
        made = probe.uses(self.submission.facts)
        return made | {"retained"} if self.kept and self.kept.kind == keep.RETAINED else made


@cache
def parameters_digest() -> str:
    """Hash of all parameters that a ranking depends on."""
    efforts = (EFFORT_FAST, EFFORT_BALANCED, EFFORT_SCAN)
    return digest(DESCRIPTOR, MATCHER, CALIBRATION, INDEX, *efforts)


def decide(
    state: State, submission: Submission, policy: Policy | None, kept: KeptProbe | None = None
) -> Decision:
    """The policy's decision, with an entry for every partition of the gallery too."""
    at = state.clock()
    names = [info.name for info in state.gallery.partitions]
    if policy is None:
        entries = [PartitionDecision(n, Permission.NONE, Reason.NO_POLICY) for n in names]
        return Decision(0, "", at, True, Reason.NO_POLICY, tuple(entries))
    decision = policy.decide(submission.facts, at)
    known = {d.partition for d in decision.partitions}
    reason = decision.reason if decision.refused else Reason.NO_GRANT
    more = [PartitionDecision(n, Permission.NONE, reason) for n in names if n not in known]
    entries = [*decision.partitions, *more]
    if kept is not None:
        entries = [keep.sticky(kept, d) for d in entries]
    return replace(decision, partitions=tuple(entries))


def prepare(state: State, request: SearchRequest, kept: KeptProbe | None = None) -> Running:
    """Check and decide; nothing has been logged or compared yet."""
    policy = state.policy
    known = (*state.gallery.partitions, *(policy.partitions if policy else ()))
    submission = probe.check(request, known)
    decision = decide(state, submission, policy, kept)
    handles = tuple(
        state.handle(d.partition)
        for d in decision.partitions
        if d.probe and not decision.refused and d.partition in state.indexes
    )
    running = Running(submission, decision, handles, kept, started=time.monotonic())
    reached("search.decided")
    return running


def intent_of(state: State, running: Running) -> IntentRecord:
    """The first half of the audit record."""
    request = running.submission.request
    return IntentRecord.of(
        request,
        running.decision,
        tcn=running.submission.tcn,
        requested=running.submission.requested,
        probe_digest=state.audit.probe_digest(f.to_bytes() for f in request.fingers),
        matcher_version=MATCHER_VERSION,
        parameters_digest=parameters_digest(),
    )


def search(
    state: State,
    request: SearchRequest,
    cancel: object | None = None,
    kept: KeptProbe | None = None,
) -> SearchResponse:
    """One search from request to response; see `Engine.search`.

    ``kept`` is the probe that is taken up again, if it is one.
    """
    running = prepare(state, request, kept)
    running.intent = state.audit.intent(intent_of(state, running))
    reached("search.intent")
    return finish(state, running, cancel)


def finish(state: State, running: Running, cancel: object | None) -> SearchResponse:
    """Everything after the intent. Whatever goes wrong here is logged as FAILED."""
    try:
        run_comparisons(running, cancel)
        reached("search.compared")
        released = release.judge(state, running)
        reached("search.judged")
        outbox.prepare(state, running, released)
        keep.store(state, running, released)
        copied = copies.make(state, running, released)
        reached("search.prepared")
        state.audit.outcome(running.intent, _outcome(state, running, released))
    except BaseException as error:
        fail(state, running, error)
        raise
    reached("search.outcome")
    outbox.show(state, running, released)
    state.copies.update({(running.submission.tcn, ori): copy for ori, copy in copied.items()})
    reached("search.released")
    _wait(state, running, released)
    return SearchResponse(
        running.submission.tcn,
        running.decision.policy_version,
        tuple(r.section for r in released.partitions),
        running.intent,
    )


def _wait(state: State, running: Running, released: release.Released) -> None:
    """Hold back an answer with a withheld partition until its set time, hit or no hit."""
    outcomes = {one.truth.outcome for one in released.partitions}
    if Outcome.SEARCHED_WITHHELD in outcomes:
        rest = running.started + state.withheld_ms / 1000 - time.monotonic()
        if rest > 0:
            time.sleep(rest)


def run_comparisons(running: Running, cancel: object | None) -> None:
    """Search what was granted. Holds no engine and no gallery: only the handles it was given."""
    if not running.handles:
        return
    request = running.submission.request
    deadline = None
    if request.deadline_ms is not None:
        deadline = running.started + request.deadline_ms / 1000
    limits = Limits(request.effort, deadline, cancel)
    encoded = Probe.of(request.fingers)
    uses = running.uses
    for handle in running.handles:
        if handle.partition in running.hits:
            continue
        granted = running.decision[handle.partition]
        running.hits[handle.partition] = compare(
            handle, encoded, sees_protected=granted.sees_protected, uses=uses, limits=limits
        )


def _outcome(state: State, running: Running, released: release.Released) -> OutcomeRecord:
    partitions = []
    for one in released.partitions:
        hits = running.hits.get(one.section.partition)
        if hits is None:
            partitions.append(PartitionOutcome.of(one.truth))
            continue
        partitions.append(
            PartitionOutcome.of(
                replace(one.truth, cost=hits.cost, complete=hits.cost.complete),
                gallery_root=hits.root,
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
        duration=duration_bucket(1000 * (time.monotonic() - running.started)),
    )


def fail(state: State, running: Running, error: BaseException) -> None:
    """Log a search that ended in an error; nothing of it is released."""
    outbox.drop(state, running.intent)
    keep.drop(state, running.intent)
    searched = {h.partition for h in running.handles}
    partitions = []
    for d in running.decision.partitions:
        outcome = Outcome.FAILED if d.partition in searched else Outcome.NOT_SEARCHED
        reason = Reason.ERROR if d.partition in searched else d.reason
        hits = running.hits.get(d.partition)
        partitions.append(
            PartitionOutcome.of(
                PartitionResult(d.partition, outcome, reason, cost=hits.cost if hits else None)
            )
        )
    kind = "cancelled" if isinstance(error, SearchCancelled) else type(error).__name__
    state.audit.outcome(
        running.intent,
        OutcomeRecord(running.submission.tcn, tuple(partitions), result="error", error=kind),
    )
