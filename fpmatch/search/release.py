"""What leaves the engine: the policy is asked again, and deny wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fpmatch.gallery.changes import Changed
from fpmatch.parameters import SEARCH
from fpmatch.search.candidates import best_candidates
from fpmatch.search.decision import decide, kept_quiet
from fpmatch.search.follow import bars
from fpmatch.search.opaque_ids import under_opaque_ids
from fpmatch.search.pairings import with_minutiae
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.released import Released, ReleasedPartition
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import (
    Candidate,
    Outcome,
    PartitionDecision,
    PartitionResult,
    Permission,
    Reason,
)


def judge(state: State, running: Running) -> Released:
    """Ask the current policy again at the current time, and cut what may not leave."""
    changed = bars(state, {name: one.records.tolist() for name, one in running.scores.items()})
    again = decide(state, running.submission.facts, state.policy, running.kept)
    later = {d.partition: d for d in again.partitions}
    out = []
    for first in running.decision.partitions:
        second = later.get(first.partition)
        granted = narrowed(first, second)
        one: ReleasedPartition | None = None
        scores = running.scores.get(first.partition)
        if scores is not None:
            with kept_quiet(running, first.partition):
                one = _searched(state, running, scores, granted, changed.get(first.partition, ()))
        out.append(one or _without_scores(running, first, granted))
        running.opaque |= out[-1].hidden
        running.withheld |= out[-1].section.outcome is Outcome.SEARCHED_WITHHELD
    return Released(again, out)


def _without_scores(
    running: Running, first: PartitionDecision, granted: PartitionDecision
) -> ReleasedPartition:
    if first.partition in running.failed:
        truth = PartitionResult(first.partition, Outcome.FAILED, Reason.ERROR)
        return ReleasedPartition(shown(withheld(granted), granted), truth, granted)
    truth = _unsearched(running, first)
    section = truth if running.decision.refused else shown(truth, granted)
    return ReleasedPartition(section, truth, granted)


def narrowed(first: PartitionDecision, second: PartitionDecision | None) -> PartitionDecision:
    """The intersection of two decisions: what either denies is denied."""
    opaque = first.opaque or (second is not None and second.opaque)
    if second is None or not second.probe:
        return replace(
            first, permissions=Permission.NONE, reason=Reason.RELEASE_DENIED, opaque=opaque
        )
    return replace(
        first,
        permissions=first.permissions & second.permissions,
        reason=first.reason if second.view or not first.view else second.reason,
        sees_protected=first.sees_protected and second.sees_protected,
        sees_minutiae=first.sees_minutiae and second.sees_minutiae,
        opaque=opaque,
    )


def _searched(
    state: State,
    running: Running,
    scores: PartitionScores,
    granted: PartitionDecision,
    changed: Iterable[Changed],
) -> ReleasedPartition:
    request = running.submission.request
    name = scores.partition
    columns = state.gallery.columns(name)
    barred = columns.barred(sees_protected=granted.sees_protected, uses=running.uses)
    for one in changed:
        ordinal = columns.names.ordinal(one.key)
        if ordinal is not None:
            barred[ordinal] |= (
                one.name != columns.names[ordinal]
                or one.sealed
                or (one.protected and not granted.sees_protected)
                or bool(one.banned & running.uses)
            )
    if running.apart is not None and running.apart.partition == name:
        own = columns.names.ordinal(running.apart.key)
        if own is not None:
            barred[own] = True
    found = best_candidates(scores, columns, request.max_candidates, request.lowest, barred)
    told: tuple[Candidate, ...] = ()
    if Permission.NOTIFY in granted.permissions:
        most = SEARCH.envelope_candidates
        told = best_candidates(scores, columns, most, state.hit_score, barred)
    if not granted.view:
        truth = withheld(granted)
        return ReleasedPartition(shown(truth, granted), truth, granted, found, told)
    recipient = running.submission.facts.chain[0]
    shown_to = with_minutiae(state, running, granted, found)
    if granted.opaque:
        shown_to = under_opaque_ids(state, recipient, name, shown_to)
    section = PartitionResult(
        name,
        Outcome.SEARCHED_DISCLOSED,
        granted.reason,
        candidates=shown_to,
        complete=scores.cost.complete,
        coverage=scores.cost.coverage,
    )
    return ReleasedPartition(section, section, granted, found, told, recipients=(recipient,))


def shown(truth: PartitionResult, granted: PartitionDecision) -> PartitionResult:
    """What a submitter is told of a partition that is not disclosed to it."""
    if granted.opaque:
        return PartitionResult(truth.partition, Outcome.REFUSED, Reason.NOT_DISCLOSED)
    return truth


def withheld(granted: PartitionDecision) -> PartitionResult:
    """The section of a searched partition that is not disclosed: a constant."""
    reason = Reason.RESULTS_WITHHELD
    if granted.reason is Reason.RELEASE_DENIED:
        reason = Reason.RELEASE_DENIED
    return PartitionResult(granted.partition, Outcome.SEARCHED_WITHHELD, reason)


def _unsearched(running: Running, decision: PartitionDecision) -> PartitionResult:
    name = decision.partition
    if running.decision.refused:
        return PartitionResult(name, Outcome.REFUSED, decision.reason)
    resumed = running.kept is not None and running.kept.partition == name
    if resumed and not decision.probe and not decision.deferred:
        return PartitionResult(name, Outcome.DEFERRED_CANCELLED, decision.reason)
    # A token would free a retained probe of the terms that it was retained under, and make a
    # verification a search.
    if decision.deferred and not running.retained and not running.once:
        return PartitionResult(name, Outcome.DEFERRED, decision.reason)
    if decision.probe:
        return PartitionResult(name, Outcome.NOT_SEARCHED, Reason.UNKNOWN_PARTITION)
    return PartitionResult(name, Outcome.NOT_SEARCHED, decision.reason)
