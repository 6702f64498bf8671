"""The decision procedure: plain, complete, and the meaning of a policy.

For every partition each link of the chain is judged by itself, and the links are joined by AND;
so a link can narrow and never widen. Within a link::

    granted  = permits in force that apply          (owner's own, or under an agreement in force)
    granted &= accept only, where the deployment plan or consent switches the link off
    granted |= mandates in force that apply         (if the deployment enables mandates)
    granted &= not forbidden                        (a forbid beats everything, mandates included)

Nothing depends on the order in which rules are written. What is missing, unknown or
contradictory denies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.link import STRENGTH, Block, Link, stand
from fpmatch.policy.model import ACCEPT, PROBE, VIEW, Authority, Effect, Partition, Rule, in_force
from fpmatch.policy.moments import later
from fpmatch.policy.registry import Registry
from fpmatch.types import Decision, Facts, PartitionDecision, Permission, Reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """A partition's decision together with everything that led to it."""

    decision: PartitionDecision
    links: tuple[Link, ...]
    blocks: tuple[Block, ...]


def decide(registry: Registry, facts: Facts, at: datetime, digest: str) -> Decision:
    """One decision over every partition of the policy. Cost: O(chain x partitions x rules met).

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    facts : Facts
        Of the search.
    at : datetime
        The time asked about, with an offset.
    digest : str
        SHA-256 of what the policy says, in hexadecimal; goes into the decision.
    """
    reason = refusal(registry, facts, at)
    refused = reason is not Reason.GRANTED
    entries = [
        PartitionDecision(p.name, Permission.NONE, reason, opaque=p.opaque)
        if refused
        else judge(registry, facts, p, at).decision
        for p in registry.declared.partitions
    ]
    for name in facts.requested or ():
        if name not in {e.partition for e in entries}:
            unknown = reason if refused else Reason.UNKNOWN_PARTITION
            entries.append(PartitionDecision(name, Permission.NONE, unknown))
    return Decision(registry.declared.version, digest, at, refused, reason, tuple(entries))


def refusal(registry: Registry, facts: Facts, at: datetime) -> Reason:
    """Why the submission as a whole is turned away; GRANTED if it is not.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    facts : Facts
        Of the search.
    at : datetime
        The time asked about, with an offset.
    """
    if not facts.chain:
        return Reason.UNKNOWN_AGENCY
    for ori in facts.chain:
        agency = registry.agencies.get(ori)
        if agency is None or not in_force(agency.start, agency.end, at):
            return Reason.UNKNOWN_AGENCY
    if facts.transaction not in registry.declared.transactions:
        return Reason.UNKNOWN_TRANSACTION
    return Reason.GRANTED


def judge(registry: Registry, facts: Facts, partition: Partition, at: datetime) -> Judgement:
    """Decide one partition for a chain that is known to be valid.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    facts : Facts
        Of the search.
    partition : Partition
        The one that is decided.
    at : datetime
        The time asked about, with an offset.
    """
    links = tuple(
        stand(registry, ori, partition, facts, at, booking=not i)
        for i, ori in enumerate(facts.chain)
    )
    bits = links[0].bits
    for link in links[1:]:
        bits &= link.bits
    blocks = [b for link in links for b in link.blocks]
    blocks += _whole_chain(registry, facts, partition)
    if facts.requested is not None and partition.name not in facts.requested:
        blocks.append(Block(Reason.NOT_REQUESTED, ()))
    if any(not b.link for b in blocks):
        bits &= ACCEPT
    bits = closure(bits)
    decision = (
        _granted(registry, facts, partition, links, bits, at)
        if bits & PROBE
        else _denied(partition, blocks, bits, at)
    )
    return Judgement(decision, links, tuple(blocks))


def closure(bits: int) -> int:
    """What is left when a permission's own precondition is gone."""
    if not bits & ACCEPT:
        return 0
    return bits if bits & PROBE else bits & ACCEPT


def _whole_chain(registry: Registry, facts: Facts, partition: Partition) -> list[Block]:
    """Blocks that concern the submission and not one link of it."""
    blocks = []
    flag = facts.protected
    if flag is True and not partition.searches_protected:
        blocks.append(
            Block(
                Reason.PROTECTED,
                (f"partition:{partition.name}",),
                author=partition.owner,
                authority=Authority.OWNER.value,
            )
        )
    elif flag is not False and flag is not True:
        # A malformed flag is searched nowhere, whatever the partition's owner says.
        blocks.append(Block(Reason.PROTECTED, ()))
    if partition.kind == "federal":
        via = registry.via(registry.path(facts.chain[0]))
        if via and via not in facts.chain:
            blocks.append(Block(Reason.MISSING_LINK, (f"via:{via}",)))
    return blocks


def _denied(
    partition: Partition, blocks: list[Block], bits: int, at: datetime
) -> PartitionDecision:
    top = max(blocks, key=lambda b: STRENGTH[b.reason]).reason
    deciding = [b for b in blocks if b.reason is top]
    rules = tuple(dict.fromkeys(s for b in deciding for s in b.sources))
    first = deciding[0].rule
    waits = [b.rule.defer for b in deciding if b.rule is not None and b.rule.defer is not None]
    waiting = top is Reason.AWAITING_EVENT
    days = min((w.days for w in waits), default=0)
    return PartitionDecision(
        partition=partition.name,
        permissions=Permission(bits),
        reason=top,
        rules=rules,
        authority=next((b.authority for b in deciding if b.authority), ""),
        agreement=first.agreement if first else "",
        legal_basis=first.legal_basis if first else "",
        defer_until="+".join(sorted({w.event for w in waits})) if waiting else "",
        defer_expires=later(at, days) if waiting else None,
        opaque=partition.opaque,
    )


def _granted(
    registry: Registry,
    facts: Facts,
    partition: Partition,
    links: tuple[Link, ...],
    bits: int,
    at: datetime,
) -> PartitionDecision:
    overridden = any(link.overridden for link in links)
    deciding = [rests_on(registry, link) for link in links]
    withheld = [] if bits & VIEW else [s for link in links for s in link.withheld]
    first = next((r for r in deciding if r.effect is Effect.MANDATE), deciding[0])
    return PartitionDecision(
        partition=partition.name,
        permissions=Permission(bits),
        reason=Reason.GRANTED if bits & VIEW else Reason.RESULTS_WITHHELD,
        rules=tuple(dict.fromkeys((first.id, *(r.id for r in deciding), *withheld))),
        authority=first.authority.value,
        agreement=first.agreement,
        legal_basis=first.legal_basis,
        consent_overridden=overridden,
        acknowledged=_acknowledged(registry, facts.chain[0], partition.name, deciding[0], at),
        sees_protected=facts.role in partition.protected_roles,
        sees_minutiae=facts.role in partition.minutiae_roles,
        opaque=partition.opaque,
    )


def rests_on(registry: Registry, link: Link) -> Rule:
    """The grant that a link rests on: nearest to it in the tree, without a mandate if it can.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    link : Link
        One that lets the partition be searched.
    """
    path = registry.path(link.ori)
    wanted = Effect.MANDATE if link.overridden else Effect.PERMIT

    def rank(rule: Rule) -> tuple[bool, int, str]:
        depth = min(path.index(who) for who in rule.who if who in path)
        return rule.effect is not wanted, depth, rule.id

    return min((g for g, bits in link.grants if bits & PROBE), key=rank)


def _acknowledged(registry: Registry, ori: str, partition: str, grant: Rule, at: datetime) -> bool:
    """Whether the booking agency is on record as knowing: by word, by consent, or as author."""
    if partition in registry.agencies[ori].acknowledges or grant.author == ori:
        return True
    consent = registry.consent(ori, partition, at)
    return consent is not None and consent.state.value == "ASKED_YES"
