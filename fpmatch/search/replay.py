"""Running a logged search again, to see whether the same comes out."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.audit import AuditRecord, Kind
from fpmatch.errors import AuditError, InputError
from fpmatch.policy import Policy
from fpmatch.policy.instant import instant
from fpmatch.search import probe
from fpmatch.search.candidates import best_candidates
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.probe import Probe
from fpmatch.search.run import MATCHER_VERSION, parameters_digest
from fpmatch.search.state import State
from fpmatch.types import SearchRequest


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a second run of a search showed; no candidate is in it.

    Parameters
    ----------
    partitions : tuple of (str, tuple of str)
        Every partition that was searched, and what differed: nothing, or names such as
        ``gallery_root`` (its contents have changed since) and ``candidate_digest``.
    """

    seq: int
    tcn: str
    partitions: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def ok(self) -> bool:
        """Whether everything came out the same."""
        return not any(different for _, different in self.partitions)


def replay(state: State, seq: int, request: SearchRequest) -> ReplayReport:
    """See `Engine.replay`.

    Parameters
    ----------
    state : State
        The open engine.
    seq : int
        Number of its intent in the log.
    request : SearchRequest
        What was asked.

    Raises
    ------
    AuditError
        If the log has no such search.
    InputError
        If the request is not the one that was logged.
    """
    intent, outcome = _records(state, seq)
    if intent.fields.get("record_digest"):
        raise InputError("that was a verification, or a search of named records: ask again instead")
    digest = state.audit.probe_digest(f.to_bytes() for f in request.fingers)
    if digest != intent.fields.get("probe_digest"):
        raise InputError("these fingers are not the ones of that search")
    stored = state.gallery.policy(int(intent.fields["policy_version"]))
    if stored is None:
        raise AuditError("the policy of that search is not in this gallery")
    policy = Policy.parse(stored[1], f"policy version {stored[0]}")
    known = (*state.gallery.partitions, *policy.partitions)
    submission = probe.check(request, known)
    decision = policy.decide(submission.facts, instant(intent.time_utc))
    encoded = Probe.of_request(submission.request)
    found: list[tuple[str, tuple[str, ...]]] = []
    counted: dict[str, dict[str, int]] = {}
    for name, said in outcome.partitions.items():
        if not str(said.get("outcome")).startswith("SEARCHED"):
            continue
        if not state.searchable(name) or not decision[name].probe:
            found.append((name, ("decision",)))
            continue
        scores = state.searcher(name).search(
            PartitionRequest(
                name,
                encoded,
                sees_protected=decision[name].sees_protected,
                uses=probe.uses(submission.facts),
                effort=request.effort,
                rotation=request.rotation,
            )
        )
        columns = state.gallery.columns(name)
        asked = submission.request
        top = best_candidates(scores, columns, asked.max_candidates, asked.lowest)
        cost = scores.cost
        counted[name] = {"stage1": cost.fingers_scanned, "stage2": cost.fingers_verified}
        again = {
            "gallery_root": scores.root,
            "candidate_digest": state.audit.candidate_digest(top),
        }
        different = [k for k, v in again.items() if said.get(k) != v]
        now = {
            "matcher_version": MATCHER_VERSION,
            "parameters_digest": parameters_digest(request.scale),
        }
        different += [k for k, v in now.items() if intent.fields.get(k) != v]
        found.append((name, tuple(different)))
    report = ReplayReport(seq, intent.tcn, tuple(sorted(found)))
    state.audit.event(
        Kind.REPLAY, {"tcn": intent.tcn, "intent": seq, "ok": report.ok, "counted": counted}
    )
    return report


def _records(state: State, seq: int) -> tuple[AuditRecord, AuditRecord]:
    intent = next(iter(state.audit.records(kind=Kind.INTENT, first=seq, last=seq)), None)
    if intent is None:
        raise AuditError(f"record {seq} of the log is no search")
    outcomes = state.audit.records(kind=Kind.OUTCOME, tcn=intent.tcn)
    outcome = next((r for r in outcomes if r.intent_seq == seq), None)
    if outcome is None:
        raise AuditError(f"the search of record {seq} has no outcome: it was never answered")
    return intent, outcome
