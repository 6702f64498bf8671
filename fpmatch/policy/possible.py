"""Whether any facts whatever could have a partition searched, at one time.

Granting is a conjunction of needs: each link of the chain needs a permit or mandate that applies,
every forbid has to be lifted, settings and agreements must not stand in the way. A need is met by
one of several alternatives, and an alternative says of some facts which values they must have.
What is unknown never helps (`fpmatch.policy.condition`), so only known values are tried. A chain
that is longer than it must be never gives more, so the shortest one is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.link import NEEDED, gates
from fpmatch.policy.model import (
    ACCEPT,
    PROBE,
    Condition,
    Effect,
    Partition,
    Rule,
    in_force,
)
from fpmatch.policy.registry import Registry
from fpmatch.types import Reason

Literal = tuple[str, frozenset[str]]
Alternative = tuple[Literal, ...]

STEPS = 20_000
"""Alternatives tried before the question is given up as "it may": no claim is made then."""

YES, NO = frozenset(("yes",)), frozenset(("no",))


@dataclass(frozen=True, slots=True)
class Need:
    """One thing without which a partition is not searched.

    Parameters
    ----------
    reason : Reason
        What a decision says where this is what is missing.
    alternatives : tuple
        It is met by one of these; by nothing where there is none.
    link : str
        The agency of the chain that it concerns, "" for the whole submission.
    sources : tuple of str
        Rules and settings that it comes from.
    who : tuple of str
        Principals any of whom could see to it.
    """

    reason: Reason
    alternatives: tuple[Alternative, ...]
    link: str
    sources: tuple[str, ...]
    who: tuple[str, ...]

    @property
    def matter(self) -> tuple[str, str, tuple[str, ...]]:
        """What is removed as one where it stands in the way: a rule or setting in every link."""
        if self.sources and self.reason is not Reason.NO_GRANT:
            return "", "", self.sources
        return self.reason.value, self.link, ()


def shortest_chain(registry: Registry, ori: str, partition: Partition) -> tuple[str, ...]:
    """The booking agency, and the bureau that a submission has to pass if there is one.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    ori : str
        The booking agency, registered.
    partition : Partition
        The one that is asked about.
    """
    via = registry.via(registry.path(ori)) if partition.kind == "federal" else ""
    return (ori, via) if via and via != ori else (ori,)


def needs(
    registry: Registry, chain: Sequence[str], partition: Partition, at: datetime
) -> list[Need]:
    """Everything that a search needs.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    chain : sequence of str
        Registered agencies, the booking one first.
    partition : Partition
        The one that is asked about.
    at : datetime
        The time asked about, with an offset.
    """
    found: list[Need] = []
    for i, ori in enumerate(chain):
        agency = registry.agencies[ori]
        if not in_force(agency.start, agency.end, at):
            keeper = ("the keeper of the registry",)
            found.append(Need(Reason.UNKNOWN_AGENCY, (), ori, (), keeper))
        found += _of_link(registry, ori, partition, at, booking=not i)
    if not partition.searches_protected:
        named = (f"partition:{partition.name}",)
        alternatives = ((("protected", NO),),)
        found.append(Need(Reason.PROTECTED, alternatives, "", named, (partition.owner,)))
    return found


def _of_link(
    registry: Registry, ori: str, partition: Partition, at: datetime, *, booking: bool
) -> list[Need]:
    path = registry.path(ori)
    probe: list[Alternative] = []
    accept: list[Alternative] = []
    permits: list[str] = []
    found: list[Need] = []
    for rule in registry.rules_on(path, partition.name):
        if not in_force(rule.start, rule.end, at):
            continue
        if rule.effect is Effect.FORBID:
            if rule.bits & NEEDED:
                found.append(_lifted(registry, rule, ori, partition))
            continue
        if rule.effect is Effect.MANDATE and not registry.declared.mandates_enabled:
            continue
        bits = rule.bits
        extra: Alternative = ()
        if rule.effect is Effect.PERMIT and rule.agreement:
            bits &= registry.agreements[rule.agreement].bits | ACCEPT
            extra, lapsed = _agreed(registry, rule, ori, partition, at)
            found += lapsed
        ways = [(*way, *extra) for way in _applies(registry, rule)]
        own: Alternative = () if rule.effect is Effect.MANDATE else ((f"own:{ori}", YES),)
        if bits & PROBE:
            probe += [(*way, *own) for way in ways]
            permits.append(rule.id)
        if bits & ACCEPT:
            accept += ways
    owner = (partition.owner,)
    for ways in (probe, accept):
        found.append(Need(Reason.NO_GRANT, tuple(ways), ori, tuple(permits), owner))
    shut = ((((f"own:{ori}", NO)),),)
    for block in gates(registry, registry.agencies[ori], partition, path, at, booking):
        who = (block.author,) if block.author else _may_set(registry, ori, partition, block.reason)
        if block.reason is Reason.NO_CONSENT:
            # The answer is the agency's own, whoever recorded it.
            who = tuple(dict.fromkeys((ori, *who)))
        found.append(Need(block.reason, shut, ori, block.sources, who))
    return found


def _agreed(
    registry: Registry, rule: Rule, ori: str, partition: Partition, at: datetime
) -> tuple[Alternative, list[Need]]:
    """What a permit asks of its agreement, and the need where that does not hold."""
    agreement = registry.agreements[rule.agreement]
    fact = f"agreement:{rule.id}:{ori}"
    covered = registry.agreement_covers(rule, partition.name, registry.path(ori))
    holds = covered and agreement.in_force(at)
    # Parties can only renew it together; the partition's owner may permit without one.
    owner = (partition.owner,)
    lapsed = Need(Reason.NO_AGREEMENT, (((fact, NO),),), ori, (rule.id,), owner)
    return ((fact, YES),), [] if holds else [lapsed]


def _may_set(registry: Registry, ori: str, partition: Partition, reason: Reason) -> tuple[str, ...]:
    """Who may switch on what nobody has switched off, or answer what nobody has answered."""
    path = registry.path(ori)[:-1]
    via = registry.via(path)
    side = (*path, via) if via and via not in path else path
    if reason is Reason.NO_CONSENT:
        return side
    return tuple(dict.fromkeys((*side, partition.owner)))


def _lifted(registry: Registry, rule: Rule, ori: str, partition: Partition) -> Need:
    """A forbid as the need that it certainly does not apply."""
    ways: list[Alternative] = [(_false(registry, c),) for c in rule.when]
    if rule.unless:
        ways.append(tuple(_true(registry, c) for c in rule.unless))
    if rule.mode == "no_federal_submission":
        reason = Reason.NO_FEDERAL_SUBMISSION
    elif rule.unless:
        reason = Reason.CONDITION_NOT_MET
    elif rule.author in (partition.owner, ori):
        reason = Reason.OWNER_FORBIDS
    else:
        reason = Reason.FORBIDDEN
    return Need(reason, tuple(ways), ori, (rule.id,), (rule.author,))


def _applies(registry: Registry, rule: Rule) -> list[Alternative]:
    """The ways in which a permit or mandate certainly applies."""
    when = tuple(_true(registry, c) for c in rule.when)
    if not rule.unless:
        return [when]
    return [(*when, _false(registry, c)) for c in rule.unless]


def _true(registry: Registry, condition: Condition) -> Literal:
    return condition.field, registry.words[condition.field] & condition.values


def _false(registry: Registry, condition: Condition) -> Literal:
    return condition.field, registry.words[condition.field] - condition.values


def satisfiable(wanted: Iterable[Need], words: Mapping[str, frozenset[str]]) -> bool:
    """Whether all needs can be met at once; True also where that would take too long to tell.

    Parameters
    ----------
    wanted : iterable of Need
    words : mapping of str to frozenset
        The values that each fact may have.
    """
    ordered = sorted((n.alternatives for n in wanted), key=len)
    steps = 0

    def met(i: int, facts: dict[str, frozenset[str]]) -> bool:
        nonlocal steps
        if i == len(ordered):
            return True
        for alternative in ordered[i]:
            steps += 1
            if steps > STEPS:
                return True
            narrowed = _narrowed(facts, alternative, words)
            if narrowed is not None and met(i + 1, narrowed):
                return True
        return False

    return met(0, {})


def _narrowed(
    facts: dict[str, frozenset[str]], way: Alternative, words: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]] | None:
    """The facts with an alternative taken; None where it contradicts them."""
    out = dict(facts)
    for field, values in way:
        known = out.get(field)
        left = values & (words.get(field, values) if known is None else known)
        if not left:
            return None
        out[field] = left
    return out


def in_the_way(wanted: Sequence[Need], words: Mapping[str, frozenset[str]]) -> list[list[Need]]:
    """What keeps all needs from being met: groups of needs that cannot be met together.

    Empty where all can be met. Where the first group is out of the way the next one is looked
    for, so that everything that has to go is named: where no permit could be met, one without
    conditions is taken for granted from there on.

    Parameters
    ----------
    wanted : sequence of Need
    words : mapping of str to frozenset
        The values that each fact may have.
    """
    groups: list[list[Need]] = []
    left = list(wanted)
    while not satisfiable(left, words):
        core = _core(left, words)
        groups.append([need for need in core if need.reason is not Reason.GRANTED])
        others = [n for n in core if n.reason not in (Reason.GRANTED, Reason.NO_GRANT)]
        gone = {need.matter for need in others or core}
        for link in {n.link for n in core} if not others else ():
            left.append(Need(Reason.GRANTED, (((f"own:{link}", YES),),), link, (), ()))
        left = [n for n in left if n.reason is Reason.GRANTED or n.matter not in gone]
    return groups


def _core(wanted: Sequence[Need], words: Mapping[str, frozenset[str]]) -> list[Need]:
    """Needs that cannot be met together, though without any one of them they could."""
    core = list(wanted)
    # What nothing meets is kept to the last: it is a reason by itself.
    for need in sorted(wanted, key=lambda n: not n.alternatives):
        rest = [n for n in core if n is not need]
        if not satisfiable(rest, words):
            core = rest
    return core


def can_grant(registry: Registry, ori: str, partition: Partition, at: datetime) -> bool:
    """Whether any facts, with any chain, could have the partition searched at that time.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    ori : str
        The booking agency, registered.
    partition : Partition
        The one that is asked about.
    at : datetime
        The time asked about, with an offset.
    """
    chain = shortest_chain(registry, ori, partition)
    return satisfiable(needs(registry, chain, partition, at), registry.words)
