"""The way of one search: decide, log, compare, re-check, release."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

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
from fpmatch.search import copies, keep, outbox, pending, probe, release
from fpmatch.search.compare import Handle, Hits, Limits, compare
from fpmatch.search.hold import Hold
from fpmatch.search.probe import Probe, Submission
from fpmatch.search.state import State
from fpmatch.search.steps import reached
from fpmatch.types import (
    Decision,
    Facts,
    Outcome,
    PartitionDecision,
    PartitionInfo,
    PartitionResult,
    Permission,
    Reason,
    SearchRequest,
    SearchResponse,
)

MATCHER_VERSION = "mcc-1"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Running:
    """One search on its way.

    Parameters
    ----------
    opaque, withheld : bool
        Whether the answer hides if a partition was searched, or what was found in one.
    failed : dict of str
        Partitions whose search went wrong where that may not be told, and the kind of error.
    truth : dict of PartitionResult
        What became of each partition, once it is decided what leaves.
    record : str or None
        The one record that the probe is verified against, as the submitter names it.
    only : dict of (K,) int64, or None
        Of a verification: its finger rows in each partition; those missing here have none.
    """

    submission: Submission
    decision: Decision
    handles: tuple[Handle, ...] = ()
    kept: KeptProbe | None = None
    opaque: bool = False
    withheld: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    truth: dict[str, PartitionResult] = field(default_factory=dict)
    intent: int = 0
    started: float = 0.0
    hits: dict[str, Hits] = field(default_factory=dict)
    record: str | None = None
    only: dict[str, NDArray[np.int64]] | None = None

    @property
    def retained(self) -> bool:
        """Whether a retained probe is taken up again."""
        return self.kept is not None and self.kept.kind == keep.RETAINED

    @property
    def deadline(self) -> float | None:
        """`time.monotonic` until which this search waits and works."""
        limit = self.submission.request.deadline_ms
        return None if limit is None else self.started + limit / 1000

    @property
    def uses(self) -> frozenset[str]:
        """The uses that this search makes of records, for their contributors' bans."""
        made = probe.uses(self.submission.facts)
        return made | {"retained"} if self.retained else made


@cache
def parameters_digest() -> str:
    """Hash of all parameters that a ranking depends on."""
    efforts = (EFFORT_FAST, EFFORT_BALANCED, EFFORT_SCAN)
    return digest(DESCRIPTOR, MATCHER, CALIBRATION, INDEX, *efforts)


def decide(
    state: State, facts: Facts, policy: Policy | None, kept: KeptProbe | None = None
) -> Decision:
    """The policy's decision, with an entry for every partition of the gallery too."""
    at = state.clock()
    names = [info.name for info in state.gallery.partitions]
    if policy is None:
        entries = [PartitionDecision(n, Permission.NONE, Reason.NO_POLICY) for n in names]
        return Decision(0, "", at, True, Reason.NO_POLICY, tuple(entries))
    decision = policy.decide(facts, at)
    known = {d.partition for d in decision.partitions}
    reason = decision.reason if decision.refused else Reason.NO_GRANT
    more = [PartitionDecision(n, Permission.NONE, reason) for n in names if n not in known]
    odd = mismatches(state.gallery.partitions, policy.partitions)
    entries = [
        replace(d, permissions=Permission.NONE, reason=Reason.PARTITION_MISMATCH)
        if d.partition in odd and (d.permissions or d.deferred)
        else d
        for d in (*decision.partitions, *more)
    ]
    if kept is not None:
        entries = [keep.sticky(kept, d) for d in entries]
    return replace(decision, partitions=tuple(entries))


def mismatches(mine: Iterable[PartitionInfo], said: Iterable[PartitionInfo]) -> frozenset[str]:
    """Partitions of which gallery and policy do not say the same name, number and owner.

    Rules that were written for another owner's partition, or another number, grant nothing.
    """
    numbers = {info.ndr: info for info in said}
    names = {info.name: info for info in said}
    return frozenset(
        name
        for info in mine
        for other in (names.get(info.name, info), numbers.get(info.ndr, info))
        if other != info
        for name in (info.name, other.name)
    )


def prepare(state: State, request: SearchRequest, kept: KeptProbe | None = None) -> Running:
    """Check and decide; nothing has been logged or compared yet."""
    started = time.monotonic()
    policy = state.policy
    known = (*state.gallery.partitions, *(policy.partitions if policy else ()))
    submission = probe.check(request, known)
    decision = decide(state, submission.facts, policy, kept)
    running = Running(submission, decision, kept=kept, started=started)
    running.handles = _handles(state, running)
    for d in decision.partitions:
        running.opaque |= d.opaque and not d.view
        running.withheld |= d.probe and not d.view
    reached("search.decided")
    return running


def _handles(state: State, running: Running) -> tuple[Handle, ...]:
    """What may be searched; first the partitions whose results the submitter sees.

    So a deadline or a cancel meets these in the same place whatever follows them.
    """
    decision = running.decision
    handles: list[Handle] = []
    for d in sorted(decision.partitions, key=lambda d: not d.view):
        if d.probe and not decision.refused and d.partition in state.indexes:
            with kept_quiet(running, d.partition):
                handles.append(state.handle(d.partition))
    return tuple(handles)


@contextmanager
def kept_quiet(running: Running, partition: str) -> Iterator[None]:
    """Note what goes wrong in a partition whose results the submitter may not see.

    Nothing of it is told, for an error may depend on what is stored there, or tell that it was
    searched at all. Where the submitter sees the results the error goes its way.
    """
    try:
        yield
    except Exception as error:
        if running.decision[partition].view:
            raise
        log.warning("a search of partition %s failed: %s", partition, type(error).__name__)
        running.hits.pop(partition, None)
        running.failed[partition] = type(error).__name__


def intent_of(state: State, running: Running) -> IntentRecord:
    """The first half of the audit record."""
    request = running.submission.request
    return IntentRecord.of(
        request,
        running.decision,
        tcn=running.submission.tcn,
        requested=running.submission.requested,
        probe_digest=state.audit.probe_digest(f.to_bytes() for f in request.fingers),
        record_digest=_record_digest(state, running),
        matcher_version=MATCHER_VERSION,
        parameters_digest=parameters_digest(),
    )


def _record_digest(state: State, running: Running) -> str:
    if running.record is None or not running.submission.requested:
        return ""
    return state.audit.records_digest(running.submission.requested[0], [running.record])


def search(
    state: State,
    request: SearchRequest,
    cancel: object | None = None,
    kept: KeptProbe | None = None,
    hold: Hold | None = None,
) -> SearchResponse:
    """One search from request to response; see `Engine.search`.

    ``kept`` is the probe that is taken up again, if it is one. ``hold`` is that of the call
    which the search is part of, if it is; else the search is the call.
    """
    if hold is None:
        pending.catch_up(state)
        with Hold(state) as own:
            return search(state, request, cancel, kept, own)
    running = hold.watch(prepare(state, request, kept))
    intent = intent_of(state, running)
    running.intent = state.audit.intent(intent, once=True, deadline=running.deadline)
    reached("search.intent")
    return finish(state, running, hold, cancel)


def finish(
    state: State, running: Running, hold: Hold, cancel: object | None = None
) -> SearchResponse:
    """Everything after the intent. Whatever goes wrong here is logged as FAILED."""
    try:
        run_comparisons(running, cancel)
        reached("search.compared")
        released = release.judge(state, running)
        running.truth = {one.truth.partition: one.truth for one in released.partitions}
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
    # Who may fetch a copy would else see on it when the search was over.
    hold.after.append(lambda: copies.keep(state, running, copied))
    reached("search.released")
    return SearchResponse(
        running.submission.tcn,
        running.decision.policy_version,
        tuple(r.section for r in released.partitions),
        running.intent,
    )


def run_comparisons(running: Running, cancel: object | None) -> None:
    """Search what was granted. Holds no engine and no gallery: only the handles it was given.

    A cancel counts until the partitions whose results the submitter sees are searched: were it
    asked in the others, it would tell how long they take.
    """
    if cancel is not None and cancel.is_set():  # type: ignore[attr-defined]
        raise SearchCancelled("the search was cancelled")
    if not running.handles:
        return
    request = running.submission.request
    encoded: Probe | None = None
    uses = running.uses
    for handle in running.handles:
        if handle.partition in running.hits or handle.partition in running.failed:
            continue
        only = None
        if running.record is not None:
            only = (running.only or {}).get(handle.partition, np.zeros(0, np.int64))
        granted = running.decision[handle.partition]
        limits = Limits.of(request, running.deadline, cancel if granted.view else None)
        with kept_quiet(running, handle.partition):
            encoded = encoded or Probe.of(request.fingers)
            running.hits[handle.partition] = compare(
                handle,
                encoded,
                sees_protected=granted.sees_protected,
                uses=uses,
                limits=limits,
                only=only,
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
        error=next(iter(running.failed.values()), ""),
        duration=duration_bucket(1000 * (time.monotonic() - running.started)),
    )


def fail(state: State, running: Running, error: BaseException) -> None:
    """Log a search that ended in an error; nothing of it is released."""
    outbox.drop(state, running.intent)
    keep.drop(state, running.intent)
    searched = {*running.failed, *(h.partition for h in running.handles)}
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
