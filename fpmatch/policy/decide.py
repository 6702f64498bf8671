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
from datetime import datetime, timedelta

from fpmatch.policy.condition import PENDING, all_hold, holds
from fpmatch.policy.model import (
    ACCEPT,
    PROBE,
    VIEW,
    Activation,
    Agency,
    Authority,
    Effect,
    Partition,
    Rule,
    in_force,
)
from fpmatch.policy.registry import Registry
from fpmatch.types import Decision, Facts, PartitionDecision, Permission, Reason

STRENGTH = {
    reason: rank
    for rank, reason in enumerate(
        (
            Reason.AWAITING_EVENT,
            Reason.CONDITION_UNKNOWN,
            Reason.CONDITION_NOT_MET,
            Reason.NO_AGREEMENT,
            Reason.NO_GRANT,
            Reason.NOT_REQUESTED,
            Reason.NOT_ACTIVATED,
            Reason.NO_CONSENT,
            Reason.ORI_DEACTIVATED,
            Reason.MISSING_LINK,
            Reason.PROTECTED,
            Reason.FORBIDDEN,
            Reason.NO_FEDERAL_SUBMISSION,
            Reason.CONFLICT,
            Reason.OWNER_FORBIDS,
        )
    )
}
"""Which of several reasons is stated: the later one, for it is the harder to remove."""


NEEDED = ACCEPT | PROBE
"""Without both of these a partition is not searched."""


@dataclass(frozen=True, slots=True)
class Block:
    """One thing that stands in the way, and what said so."""

    reason: Reason
    sources: tuple[str, ...]
    link: str = ""
    rule: Rule | None = None
    bits: int = NEEDED
    author: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One agency's own standing on one partition, before it is joined with the others."""

    ori: str
    bits: int
    blocks: tuple[Block, ...]
    grants: tuple[tuple[Rule, int], ...]
    overridden: bool
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A partition's decision together with everything that led to it."""

    decision: PartitionDecision
    links: tuple[Link, ...]
    blocks: tuple[Block, ...]


def decide(registry: Registry, facts: Facts, at: datetime, digest: str) -> Decision:
    """One decision over every partition of the policy. Cost: O(chain x partitions x rules met)."""
    reason = refusal(registry, facts, at)
    refused = reason is not Reason.GRANTED
    entries = [
        PartitionDecision(p.name, Permission.NONE, reason, opaque=p.opaque)
        if refused
        else judge(registry, facts, p, at).decision
        for p in registry.declared.partitions
    ]
    for name in facts.requested or ():
        if name not in registry.partitions and name not in {e.partition for e in entries}:
            unknown = reason if refused else Reason.UNKNOWN_PARTITION
            entries.append(PartitionDecision(name, Permission.NONE, unknown))
    return Decision(registry.declared.version, digest, at, refused, reason, tuple(entries))


def refusal(registry: Registry, facts: Facts, at: datetime) -> Reason:
    """Why the submission as a whole is turned away; GRANTED if it is not."""
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
    """Decide one partition for a chain that is known to be valid."""
    links = tuple(
        stand(registry, ori, partition, facts, at, booking=not i)
        for i, ori in enumerate(facts.chain)
    )
    bits = links[0].bits
    for link in links[1:]:
        bits &= link.bits
    blocks = [b for link in links if link.bits & NEEDED != NEEDED for b in link.blocks]
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
    if flag is not False and not (flag is True and partition.searches_protected):
        blocks.append(
            Block(
                Reason.PROTECTED,
                (f"partition:{partition.name}",),
                author=partition.owner,
                authority=Authority.OWNER.value,
            )
        )
    if partition.kind == "federal":
        via = registry.via(registry.path(facts.chain[0]))
        if via and via not in facts.chain:
            blocks.append(Block(Reason.MISSING_LINK, (f"via:{via}",)))
    return blocks


def stand(
    registry: Registry, ori: str, partition: Partition, facts: Facts, at: datetime, *, booking: bool
) -> Link:
    """What one link of the chain may do on one partition."""
    path = registry.path(ori)
    granted = mandated = forbidden = 0
    grants: list[tuple[Rule, int]] = []
    forbids: list[tuple[Rule, bool]] = []
    missed: list[Block] = []
    for rule in registry.rules_on(path, partition.name):
        if not in_force(rule.start, rule.end, at):
            continue
        truth = applies(registry, rule, facts)
        if rule.effect is Effect.FORBID:
            if truth is not False:
                forbidden |= rule.bits
                forbids.append((rule, truth is None))
        elif rule.effect is Effect.MANDATE:
            if truth and registry.declared.mandates_enabled:
                mandated |= rule.bits
                grants.append((rule, rule.bits))
        else:
            bits, miss = _permit(registry, rule, truth, partition, path, facts, at)
            granted |= bits
            if miss is None:
                grants.append((rule, bits))
            else:
                missed.append(_by(rule, miss, ori, NEEDED))
    gates = _gates(registry, registry.agencies[ori], partition, path, at, booking)
    own = granted & ACCEPT if gates else granted
    blocks = [
        _forbidding(registry, rule, unknown, grants, ori, facts, partition)
        for rule, unknown in forbids
    ]
    if not (own | mandated) & PROBE:
        blocks += gates
        if not granted & PROBE:
            blocks.append(_ungranted(missed, ori))
    return Link(
        ori=ori,
        bits=(own | mandated) & ~forbidden,
        blocks=tuple(b for b in blocks if b.bits & NEEDED),
        grants=tuple(grants),
        overridden=bool(mandated & ~own & ~forbidden),
        withheld=tuple(b.sources[0] for b in blocks if b.bits & VIEW),
    )


def applies(registry: Registry, rule: Rule, facts: Facts) -> bool | None:
    """Three-valued: whether the conditions let the rule count for these facts."""
    when = all_hold(rule.when, facts, registry.words) if rule.when else True
    lifted = all_hold(rule.unless, facts, registry.words) if rule.unless else False
    if when is False or lifted is True:
        return False
    return None if when is None or lifted is None else True


def _permit(
    registry: Registry,
    rule: Rule,
    truth: bool | None,
    partition: Partition,
    path: tuple[str, ...],
    facts: Facts,
    at: datetime,
) -> tuple[int, Reason | None]:
    """Bits that a permit gives now, or the reason why it gives none."""
    bits = rule.bits
    if rule.agreement:
        agreement = registry.agreements[rule.agreement]
        bits &= agreement.bits | ACCEPT
        covered = registry.agreement_covers(rule, partition.name, path)
        if not covered or not agreement.in_force(at):
            return 0, Reason.NO_AGREEMENT
    if truth is None:
        return 0, _unknown(registry, rule, facts)
    if truth is False:
        return 0, Reason.CONDITION_NOT_MET
    return bits, None


def _gates(
    registry: Registry,
    agency: Agency,
    partition: Partition,
    path: tuple[str, ...],
    at: datetime,
    booking: bool,
) -> list[Block]:
    """What the deployment plan and consent hold against a link.

    An agency that takes prints needs its setting, own or inherited, and its answer where one is
    required. A relay that only forwards is stopped by a setting or a no of its own.
    """
    name, ori = partition.name, agency.ori
    takes_prints = booking or not agency.relay
    blocks = []
    setting = registry.setting(path if takes_prints else path[:1], name, at)
    if setting is not None and setting.state.value == "deactivated":
        blocks.append(_set(setting, Reason.ORI_DEACTIVATED, ori))
    elif setting is not None and setting.state.value == "inactive":
        blocks.append(_set(setting, Reason.NOT_ACTIVATED, ori))
    elif setting is None and partition.requires_activation and takes_prints:
        blocks.append(Block(Reason.NOT_ACTIVATED, (), ori))
    consent = registry.consent(ori, name, at)
    answer = consent.state.value if consent is not None else "NOT_ASKED"
    required = takes_prints and registry.consent_required(path, name)
    if answer == "ASKED_NO" or (required and answer != "ASKED_YES"):
        sources = (consent.label,) if consent else ()
        author = consent.author if consent else ""
        blocks.append(
            Block(Reason.NO_CONSENT, sources, ori, author=author, authority="local" * bool(author))
        )
    return blocks


def _set(setting: Activation, reason: Reason, ori: str) -> Block:
    """A block that the deployment plan puts up."""
    author, authority = setting.author, setting.authority.value
    return Block(reason, (setting.label,), ori, author=author, authority=authority)


def _forbidding(
    registry: Registry,
    rule: Rule,
    unknown: bool,
    grants: list[tuple[Rule, int]],
    ori: str,
    facts: Facts,
    partition: Partition,
) -> Block:
    """A forbid as a block: names its kind, and the rule it contradicts if there is one."""
    if unknown:
        return _by(rule, _unknown(registry, rule, facts), ori, rule.bits)
    if rule.unless:
        return _by(rule, Reason.CONDITION_NOT_MET, ori, rule.bits)
    if rule.mode == "no_federal_submission":
        return _by(rule, Reason.NO_FEDERAL_SUBMISSION, ori, rule.bits)
    against = tuple(g.id for g, _ in grants if contradicts(rule, g))
    if rule.author in (partition.owner, facts.chain[0]):
        return _by(rule, Reason.OWNER_FORBIDS, ori, rule.bits, against)
    if rule.authority is Authority.MANDATE and against:
        return _by(rule, Reason.CONFLICT, ori, rule.bits, against)
    return _by(rule, Reason.FORBIDDEN, ori, rule.bits)


def _by(rule: Rule, reason: Reason, ori: str, bits: int, against: tuple[str, ...] = ()) -> Block:
    """A block that a rule put up."""
    sources = (rule.id, *against)
    return Block(reason, sources, ori, rule, bits, rule.author, rule.authority.value)


def _unknown(registry: Registry, rule: Rule, facts: Facts) -> Reason:
    """Whether what is unknown is the outcome of an open case, which a rule may wait for."""
    unknown = {
        c.field for c in (*rule.when, *rule.unless) if holds(c, facts, registry.words) is None
    }
    open_case = unknown == {"disposition"} and facts.disposition in (None, PENDING)
    return Reason.AWAITING_EVENT if rule.defer and open_case else Reason.CONDITION_UNKNOWN


def contradicts(forbid: Rule, grant: Rule) -> bool:
    """Whether two federal positions exclude each other: both high, by different authors."""
    high = (Authority.OWNER, Authority.MANDATE)
    return forbid.authority in high and grant.authority in high and forbid.author != grant.author


def _ungranted(missed: list[Block], ori: str) -> Block:
    """Why no permit applied: the nearest miss, for one permit is enough."""
    if not missed:
        return Block(Reason.NO_GRANT, (), ori)
    return min(missed, key=lambda b: (STRENGTH[b.reason], b.sources))


def _denied(
    partition: Partition, blocks: list[Block], bits: int, at: datetime
) -> PartitionDecision:
    top = max(blocks, key=lambda b: STRENGTH[b.reason]).reason
    deciding = [b for b in blocks if b.reason is top]
    rules = tuple(dict.fromkeys(s for b in deciding for s in b.sources))
    first = next((b.rule for b in deciding if b.rule is not None), None)
    waits = [b.rule.defer for b in deciding if b.rule is not None and b.rule.defer is not None]
    waiting = top is Reason.AWAITING_EVENT and bool(waits)
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
        defer_expires=at + timedelta(days=days) if waiting else None,
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
    deciding = [_deciding(registry, link) for link in links]
    withheld = [] if bits & VIEW else [s for link in links for s in link.withheld]
    first = next((r for r in deciding if overridden and r.effect is Effect.MANDATE), deciding[0])
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
        opaque=partition.opaque,
    )


def _deciding(registry: Registry, link: Link) -> Rule:
    """The grant that a link rests on: nearest to it in the tree, without a mandate if it can."""
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
