"""What the log of a gallery says about a saved response: who asked, why, and the proof.

Of a partition that was not disclosed to the submitter nothing is read out but what the log can
prove without a count, and of one that is hidden from it nothing at all: a page made of an answer
tells no more than the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fpmatch.audit import AuditLog, AuditRecord, Checkpoint, Kind, Proof
from fpmatch.audit.records import permission_names
from fpmatch.checks import check_text, quoted
from fpmatch.errors import AuditError, InputError
from fpmatch.search import Engine
from fpmatch.types import Outcome, PartitionResult, Reason, SearchResponse

ASKED = ("cri", "chain", "transaction", "purpose", "role", "charge", "effort", "rotation", "scale")
"""Fields of the intent that the page shows."""
STATED = ("transaction", "purpose", "role", "charge", "disposition")
DECIDED = ("permissions", "reason", "rules", "authority", "agreement", "legal_basis")


@dataclass(frozen=True, slots=True)
class PartitionEvidence:
    """What the log says of one partition.

    Parameters
    ----------
    decided : mapping of str
        Permissions, reason, rules, authority, agreement and legal basis of the decision.
    explanation : str
        The decision in words, where the policy of that search is still in force.
    proof : Proof or None
        That it was not searched, or that its result was withheld.
    same_list : bool or None
        Whether the list of the response is the one that the log recorded; None where its names
        are not the records' own.
    """

    decided: Mapping[str, Any]
    explanation: str = ""
    proof: Proof | None = None
    same_list: bool | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the log says of a search.

    Parameters
    ----------
    asked : mapping of str
        Who asked what.
    time, released : str
        UTC: before anything was compared, and before the answer left.
    intent, outcome : int
        Numbers of the two records.
    threshold : float
        Lowest score listed.
    checkpoint : Checkpoint
        The state of the log that the proofs lead to.
    partitions : mapping of str
        By name; hidden ones are not in it.
    """

    asked: Mapping[str, Any]
    time: str
    released: str
    intent: int
    outcome: int
    threshold: float
    checkpoint: Checkpoint
    partitions: Mapping[str, PartitionEvidence] = field(default_factory=dict)


def evidence_of(engine: Engine, response: SearchResponse, agency: str | None) -> Evidence:
    """Look a response up in the log of the gallery that gave it.

    Parameters
    ----------
    engine : Engine
        Open; the log notes that it was read.
    response : SearchResponse
        As it was saved.
    agency : str or None
        ORI of who submitted it; needed where several used its number.

    Raises
    ------
    InputError
        If the log has no such search, or those of several agencies.
    AuditError
        If the log does not verify.
    """
    log = engine.audit
    intent, outcome = _records(log, response, agency)
    checkpoint = log.checkpoint()
    found = {
        section.partition: _partition(engine, section, intent, outcome, checkpoint)
        for section in response
        if section.reason is not Reason.NOT_DISCLOSED
    }
    asked = {name: intent.fields[name] for name in ASKED if intent.fields.get(name)}
    return Evidence(
        asked,
        intent.time_utc,
        outcome.time_utc,
        intent.seq,
        outcome.seq,
        int(intent.fields.get("threshold", 0)) / 100,
        checkpoint,
        found,
    )


def _records(
    log: AuditLog, response: SearchResponse, agency: str | None
) -> tuple[AuditRecord, AuditRecord]:
    if agency is not None:
        check_text("agency", agency)
    records = list(log.records(tcn=response.tcn))
    intents = [r for r in records if r.kind == Kind.INTENT]
    intents = [r for r in intents if agency is None or r.fields.get("cri") == agency]
    if not intents:
        raise InputError(f"the log of this gallery has no search {quoted(response.tcn)}")
    if len({r.fields.get("cri") for r in intents}) > 1:
        raise InputError(
            f"several agencies used the number {quoted(response.tcn)}; say whose search it is"
        )
    intent = intents[-1]
    outcome = next((r for r in records if r.intent_seq == intent.seq), None)
    if outcome is None or outcome.kind != Kind.OUTCOME:
        raise InputError(f"the search {quoted(response.tcn)} has no outcome in the log")
    if intent.fields.get("policy_version") != response.policy_version:
        raise InputError("the log names another policy version than this response")
    for section in response:
        hidden = section.reason is Reason.NOT_DISCLOSED
        if not hidden and not _says_so(outcome.partitions.get(section.partition, {}), section):
            raise InputError(
                f"the log says something else of partition {quoted(section.partition)} than this "
                "response: it is not the answer that was given"
            )
    return intent, outcome


def _says_so(said: Mapping[str, Any], section: PartitionResult) -> bool:
    """Whether the log has the outcome of a section. Of what is withheld a section tells no more."""
    if (said.get("outcome"), said.get("reason")) != (section.outcome, section.reason):
        return False
    return section.candidates is None or said.get("complete") is section.complete


def _partition(
    engine: Engine,
    section: PartitionResult,
    intent: AuditRecord,
    outcome: AuditRecord,
    checkpoint: Checkpoint,
) -> PartitionEvidence:
    name = section.partition
    decided = {k: v for k, v in intent.partitions.get(name, {}).items() if k in DECIDED}
    said = outcome.partitions.get(name, {})
    same: bool | None = None
    if section.candidates is not None and not _opaque(engine, name):
        digest = engine.audit.candidate_digest(section.candidates)
        same = digest == said.get("candidate_digest")
    return PartitionEvidence(
        decided,
        _explained(engine, name, intent),
        _proof(engine.audit, section, intent, checkpoint),
        same,
    )


def _opaque(engine: Engine, partition: str) -> bool:
    declared = engine.policy.declared.partitions if engine.policy is not None else ()
    return any(p.opaque for p in declared if p.name == partition)


def _explained(engine: Engine, partition: str, intent: AuditRecord) -> str:
    policy = engine.policy
    if policy is None or policy.digest != intent.fields.get("policy_digest"):
        return ""
    said = intent.fields
    facts = {name: said[name] for name in STATED if said.get(name) is not None}
    requested = said.get("requested")
    try:
        answer = engine.explain(
            ori=str(said["cri"]), partition=partition, at=intent.time_utc,
            chain=tuple(said.get("chain") or ())[1:], protected=said.get("protected"),
            attributes=dict(a.split("=", 1) for a in said.get("attributes") or ()),
            requested=None if requested is None else tuple(requested), **facts,
        )  # fmt: skip
    except InputError:
        return ""
    # A probe that was kept is searched under the terms of then, too: no words for another decision.
    decided = intent.partitions.get(partition, {})
    same = (answer.reason.value, permission_names(answer.permissions))
    return answer.text if same == (decided.get("reason"), decided.get("permissions")) else ""


def _proof(
    log: AuditLog, section: PartitionResult, intent: AuditRecord, checkpoint: Checkpoint
) -> Proof | None:
    """That nothing was compared, or that the result was withheld; None where neither is so."""
    withheld = section.outcome is Outcome.SEARCHED_WITHHELD
    if section.outcome is Outcome.SEARCHED_DISCLOSED or section.outcome is Outcome.FAILED:
        return None
    prove = log.prove_withheld if withheld else log.prove_not_searched
    try:
        return prove(
            str(intent.fields["tcn"]), section.partition, checkpoint, cri=str(intent.fields["cri"])
        )
    except AuditError:
        # Of a partition that only the request named the log has no decision to show.
        return None
