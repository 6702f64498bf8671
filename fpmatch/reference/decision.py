"""What the policy is asked about a submission, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fpmatch.policy import Policy
from fpmatch.types import (
    Decision,
    Facts,
    PartitionDecision,
    PartitionInfo,
    Permission,
    Reason,
    SearchRequest,
)


def facts_of(
    request: SearchRequest, partitions: Mapping[str, PartitionInfo], policy: Policy | None
) -> Facts:
    """The facts of a submission, with the partitions that it asks for by name.

    Parameters
    ----------
    request : SearchRequest
        As it was made.
    partitions : mapping of str to PartitionInfo
        Those that are held.
    policy : Policy or None
        In force.
    """
    requested = request.partitions
    if requested is not None:
        infos = [*partitions.values(), *(policy.partitions if policy else ())]
        numbers = {info.ndr: info.name for info in infos}
        names = [numbers.get(p, f"repository {p}") if isinstance(p, int) else p for p in requested]
        requested = tuple(dict.fromkeys(names))
    return request.facts(requested)


def decide(
    facts: Facts, at: datetime, partitions: Mapping[str, PartitionInfo], policy: Policy | None
) -> Decision:
    """An entry for every partition that is held or that the policy knows.

    Parameters
    ----------
    facts : Facts
        Of the submission.
    at : datetime
        Now.
    partitions : mapping of str to PartitionInfo
        Those that are held.
    policy : Policy or None
        In force; None denies.
    """
    if policy is None:
        named = [*partitions, *(n for n in facts.requested or () if n not in partitions)]
        none = [PartitionDecision(n, Permission.NONE, Reason.NO_POLICY) for n in named]
        return Decision(0, "", at, True, Reason.NO_POLICY, tuple(none))
    decision = policy.decide(facts, at)
    known = [d.partition for d in decision.partitions]
    reason = decision.reason if decision.refused else Reason.NO_GRANT
    more = [PartitionDecision(n, Permission.NONE, reason) for n in partitions if n not in known]
    mistaken = _mistaken(partitions, policy)
    entries = [
        replace(d, permissions=Permission.NONE, reason=Reason.PARTITION_MISMATCH)
        if d.partition in mistaken and (d.permissions or d.deferred)
        else d
        for d in (*decision.partitions, *more)
    ]
    return replace(decision, partitions=tuple(entries))


def _mistaken(partitions: Mapping[str, PartitionInfo], policy: Policy) -> set[str]:
    """Names that gallery and policy give to partitions of another number or owner."""
    out: set[str] = set()
    for held in partitions.values():
        for said in policy.partitions:
            if (held.name == said.name or held.ndr == said.ndr) and held != said:
                out |= {held.name, said.name}
    return out


def uses_of(facts: Facts) -> set[str]:
    """The uses that a contributor may have banned."""
    return {facts.transaction, f"purpose:{facts.purpose}", f"role:{facts.role}"}
