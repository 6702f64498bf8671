"""What a submission may search: the policy's decision, and the searchers that it grants."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from fpmatch.ledger import RETAINED, KeptProbe
from fpmatch.policy import Policy
from fpmatch.search import probe
from fpmatch.search.crash_points import crash_point
from fpmatch.search.running import Running
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.search.state import State
from fpmatch.types import (
    Decision,
    Facts,
    PartitionDecision,
    PartitionInfo,
    Permission,
    Reason,
    SearchRequest,
)

log = logging.getLogger(__name__)


def decide(
    state: State, facts: Facts, policy: Policy | None, kept: KeptProbe | None = None
) -> Decision:
    """The policy's decision, with an entry for every partition of the gallery too.

    Parameters
    ----------
    state : State
        The open engine.
    facts : Facts
        What the policy is asked about.
    policy : Policy or None
        In force; None if there is none, which denies.
    kept : KeptProbe or None
        The probe that is taken up again, if it is one.
    """
    at = state.clock()
    names = [info.name for info in state.gallery.partitions]
    if policy is None:
        asked = dict.fromkeys((*names, *(facts.requested or ())))
        entries = [PartitionDecision(n, Permission.NONE, Reason.NO_POLICY) for n in asked]
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
        entries = [sticky(kept, d) for d in entries]
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
    """Check and decide; nothing has been logged or compared yet.

    Parameters
    ----------
    state : State
        The open engine.
    request : SearchRequest
        What was asked.
    kept : KeptProbe or None
        The probe that is taken up again, if it is one.

    Raises
    ------
    InputError
        If a value cannot be used, or there are more fingers than the engine takes.
    """
    started = time.monotonic()
    policy = state.policy
    known = (*state.gallery.partitions, *(policy.partitions if policy else ()))
    submission = probe.check(request, known)
    if kept is None:
        state.limits.submission(submission.request)
    decision = decide(state, submission.facts, policy, kept)
    fingers = probe.Probe.of_request(submission.request)
    running = Running(submission, decision, fingers, kept=kept, started=started)
    running.searchers = _searchers(state, running)
    for d in decision.partitions:
        running.opaque |= d.opaque and not d.view
        running.withheld |= d.probe and not d.view
    crash_point("search.decided")
    return running


def _searchers(state: State, running: Running) -> tuple[PartitionSearcher, ...]:
    """What may be searched; first the partitions whose results the submitter sees.

    So a deadline or a cancel meets these in the same place whatever follows them.
    """
    decision = running.decision
    granted: list[PartitionSearcher] = []
    for d in sorted(decision.partitions, key=lambda d: not d.view):
        if d.probe and not decision.refused and state.searchable(d.partition):
            with kept_quiet(running, d.partition):
                granted.append(state.searcher(d.partition))
    return tuple(granted)


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
        running.scores.pop(partition, None)
        running.failed[partition] = type(error).__name__


def sticky(kept: KeptProbe, decision: PartitionDecision) -> PartitionDecision:
    """A retained probe's decision now, narrowed by the one that it was retained under."""
    if kept.kind != RETAINED or decision.partition != kept.partition:
        return decision
    allowed = decision.permissions & Permission(kept.request["sticky"])
    if Permission.RETAIN not in allowed and decision.probe:
        return replace(decision, permissions=Permission.NONE, reason=Reason.NO_GRANT)
    return replace(decision, permissions=allowed)
