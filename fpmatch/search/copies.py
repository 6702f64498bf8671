"""Copies of a response to further agencies: what each may see, kept until it is fetched.

A recipient sees at most what the submitter sees and at most what it could have searched itself:
naming a better-placed agency as recipient opens nothing. What is kept is judged once more when it
is handed out (`fpmatch.search.handing_out`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from fpmatch.audit.records import Kind, time_text
from fpmatch.errors import CorruptError, InputError
from fpmatch.gallery import facts
from fpmatch.ledger import KeptCopy
from fpmatch.parameters import SEARCH
from fpmatch.search.candidates import best_candidates
from fpmatch.search.decision import decide
from fpmatch.search.probe import uses
from fpmatch.search.released import Released, ReleasedPartition
from fpmatch.search.running import Running
from fpmatch.search.state import State
from fpmatch.types import Candidate, Decision, Facts, Ori, Outcome, PartitionDecision, Reason


def prepare(state: State, running: Running, released: Released) -> None:
    """Write the copies of a search, which nobody can fetch yet, and note who gets what.

    Parameters
    ----------
    state : State
        The open engine.
    running : Running
        The search, with what was decided and found so far.
    released : Released
        What leaves, for each partition; the recipients are noted in it for the log.
    """
    made = [
        _copy(state, running, Ori(text), _sections(state, running, released, Ori(text)))
        for text in dict.fromkeys(running.submission.request.copies_to)
    ]
    if made:
        state.ledger.copies.prepare(made, time_text(state.clock()))


def show(state: State, running: Running) -> None:
    """Let the recipients fetch their copies: the answer leaves."""
    if running.submission.request.copies_to:
        state.ledger.copies.show(running.intent)


def drop(state: State, running: Running) -> None:
    """Forget the copies of a search that failed."""
    if running.submission.request.copies_to:
        state.ledger.copies.discard(running.intent)


def recover(state: State) -> None:
    """Settle what openings that have ended left between preparing, showing and handing out."""
    ledger = state.ledger.copies
    ledger.prepare((), time_text(state.clock()))
    shown, handed = (
        [c for c in found if not state.living.alive(c.owner)] for found in ledger.unsettled()
    )
    for intent in {c.intent for c in shown}:
        records = state.audit.records(kind=Kind.OUTCOME, first=intent)
        if any(r.intent_seq == intent for r in records):
            ledger.show(intent)
        else:
            ledger.discard(intent)
    if handed:
        told = {
            (r.fields.get("search_seq"), r.fields.get("recipient"))
            for r in state.audit.records(kind=Kind.RELEASE)
            if r.fields.get("what") == "copy"
        }
        for copy in handed:
            if (copy.intent, copy.recipient) in told:
                ledger.destroy(copy.id)
            else:
                ledger.unclaim(copy.id)


def forget(state: State, names: set[tuple[str, str]]) -> None:
    """Take expunged records out of the copies that wait.

    A copy that cannot be read here, for want of the vault that sealed it, is destroyed: it could
    name one of them.

    Parameters
    ----------
    state : State
        The open engine.
    names : set of (str, str)
        Partitions and records.
    """
    _without(state, lambda partition, record: (partition, record) in names)


def forget_unknown(state: State) -> None:
    """Take records that the gallery does not have out of the copies that wait.

    For a restoration that drops records whose names it cannot read; as `forget` else.

    Parameters
    ----------
    state : State
        The open engine.
    """
    known = {info.name for info in state.gallery.partitions}
    _without(
        state,
        lambda partition, record: (
            partition not in known or facts.find(state.gallery, partition, record) is None
        ),
    )
    state.ledger.scrub(wait=False)


def _without(state: State, is_gone: Callable[[str, str], bool]) -> None:
    for copy in state.ledger.copies.every():
        try:
            body = read(state, copy)
            found = [s["candidates"] or [] for s in body["sections"]]
            left = [
                [c for c in candidates if not is_gone(section["partition"], c[0])]
                for section, candidates in zip(body["sections"], found, strict=True)
            ]
        except Exception:
            state.ledger.copies.destroy(copy.id)
            continue
        if left == found:
            continue
        for section, candidates in _pairs(body, left):
            section["candidates"] = candidates
        state.ledger.copies.rewrite(copy.id, _sealed(state, body)[1])


def _pairs(body: dict[str, Any], found: list[list]) -> Iterable[tuple[dict[str, Any], list]]:
    pairs = zip(body["sections"], found, strict=True)
    return ((section, listed) for section, listed in pairs if section["candidates"] is not None)


def own_decision(state: State, facts: Facts, recipient: Ori) -> dict[str, PartitionDecision]:
    """What a recipient could search itself at this moment, by partition; empty if nothing.

    Parameters
    ----------
    state : State
        The open engine.
    facts : Facts
        Of the submission.
    recipient : Ori
        Of the copy.
    """
    if state.policy is None:
        return {}
    ordinary = state.policy.facts(recipient, transaction=facts.transaction)
    own = replace(facts, chain=ordinary.chain, requested=None, role="")
    return by_partition(decide(state, own, state.policy))


def by_partition(decision: Decision) -> dict[str, PartitionDecision]:
    """The entries of a decision; none where it refuses the submission."""
    return {} if decision.refused else {d.partition: d for d in decision.partitions}


def read(state: State, copy: KeptCopy) -> dict[str, Any]:
    """The body of a copy.

    Parameters
    ----------
    state : State
        The open engine.
    copy : KeptCopy
        As stored.

    Raises
    ------
    InputError
        If a vault sealed it and the engine has none.
    CorruptError
        If it is no body of a copy.
    """
    body = copy.body
    if copy.sealed:
        if state.vault is None:
            raise InputError("the copy was sealed by a vault; open the engine with it: vault=")
        body = state.vault.open("", body)
    try:
        found = json.loads(body)
    except ValueError as error:
        raise CorruptError("a copy is stored damaged") from error
    if not isinstance(found, dict):
        raise CorruptError("a copy is stored damaged")
    return found


def _sealed(state: State, body: dict[str, Any]) -> tuple[bool, bytes]:
    content = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    if state.vault is None:
        return False, content
    return True, state.vault.seal("", content)


def _copy(
    state: State, running: Running, recipient: Ori, sections: list[dict[str, Any]]
) -> KeptCopy:
    facts = running.submission.facts
    body = {
        "policy_version": running.decision.policy_version,
        "facts": {**asdict(facts), "attributes": dict(facts.attributes)},
        "sections": sections,
    }
    sealed, content = _sealed(state, body)
    expires = time_text(state.clock() + timedelta(days=SEARCH.copy_days))
    booking = facts.chain[0]
    return KeptCopy(
        0,
        booking,
        running.submission.tcn,
        recipient,
        running.intent,
        expires,
        sealed,
        content,
        state.living.name,
    )


def _sections(
    state: State, running: Running, released: Released, recipient: Ori
) -> list[dict[str, Any]]:
    own = own_decision(state, running.submission.facts, recipient)
    sections = []
    for i, one in enumerate(released.partitions):
        entry = own.get(one.section.partition)
        out: dict[str, Any] = {
            "partition": one.section.partition,
            "outcome": one.section.outcome.value,
            "reason": one.section.reason.value,
            "complete": one.section.complete,
            "candidates": None,
        }
        if one.section.outcome is Outcome.SEARCHED_DISCLOSED:
            if entry is not None and entry.probe and entry.view:
                found = _found(state, running, one, entry)
                out["candidates"] = [_plain(c) for c in found]
                out["sees_protected"] = one.granted.sees_protected and entry.sees_protected
                out["opaque"] = [one.granted.opaque, entry.opaque]
                released.partitions[i] = replace(one, recipients=(*one.recipients, recipient))
            else:
                out["outcome"] = Outcome.REFUSED.value
                out["reason"] = Reason.NOT_DISCLOSED.value
                out["complete"] = True
        sections.append(out)
    return sections


def _found(
    state: State, running: Running, one: ReleasedPartition, entry: PartitionDecision
) -> tuple[Candidate, ...]:
    """The recipient's own list: what it may not see crowds nothing out of it."""
    request = running.submission.request
    name = one.section.partition
    columns = state.gallery.columns(name)
    barred = columns.barred(
        sees_protected=one.granted.sees_protected and entry.sees_protected,
        uses=running.uses | uses(running.submission.facts),
    )
    return best_candidates(
        running.scores[name], columns, request.max_candidates, request.lowest, barred
    )


def _plain(candidate: Candidate) -> list[Any]:
    """Without the paired minutiae: they are for the submitter's role, and a copy has none."""
    fingers = [[int(f.position), f.score] for f in candidate.fingers]
    return [candidate.record, candidate.score, fingers]
