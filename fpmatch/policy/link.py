"""One link of the chain on one partition: what it may do, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
from fpmatch.types import Facts, Reason

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
    """One agency's own standing on one partition, before it is joined with the others.

    ``blocks`` is empty where the link lets the partition be searched. ``unshown`` says what keeps
    its results from being seen, each of which has to go; empty where they are.
    """

    ori: str
    bits: int
    blocks: tuple[Block, ...]
    grants: tuple[tuple[Rule, int], ...]
    overridden: bool
    withheld: tuple[str, ...] = ()
    unshown: tuple[Block, ...] = ()


def stand(
    registry: Registry, ori: str, partition: Partition, facts: Facts, at: datetime, *, booking: bool
) -> Link:
    """What one link of the chain may do on one partition.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    ori : str
        The agency.
    partition : Partition
        The one that is decided.
    facts : Facts
        Of the search.
    at : datetime
        The time asked about, with an offset.
    booking : bool
        Whether it is the agency that took the prints.
    """
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
    shut = gates(registry, registry.agencies[ori], partition, path, at, booking)
    own = granted & ACCEPT if shut else granted
    blocks = [
        _forbidding(registry, rule, unknown, grants, ori, facts, partition)
        for rule, unknown in forbids
    ]
    unshown = [b for b in blocks if b.bits & VIEW]
    if not (own | mandated) & VIEW:
        unshown += shut if granted & VIEW else [*shut, Block(Reason.NO_GRANT, (), ori)]
    if (own | mandated) & NEEDED != NEEDED:
        blocks += shut
        if granted & NEEDED != NEEDED:
            blocks.append(_ungranted(missed, ori))
    return Link(
        ori=ori,
        bits=(own | mandated) & ~forbidden,
        blocks=tuple(b for b in blocks if b.bits & NEEDED),
        grants=tuple(grants),
        overridden=bool(mandated & ~own & ~forbidden),
        withheld=tuple(b.sources[0] for b in unshown if b.rule is not None),
        unshown=tuple(unshown),
    )


def applies(registry: Registry, rule: Rule, facts: Facts) -> bool | None:
    """Three-valued: whether the conditions let the rule count for these facts.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    rule : Rule
        Its conditions are asked.
    facts : Facts
        Of the search.
    """
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


def gates(
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

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    agency : Agency
        The link.
    partition : Partition
        The one that is decided.
    path : tuple of str
        The agency and all above it, nearest first; see `Tree.path`.
    at : datetime
        The time asked about, with an offset.
    booking : bool
        Whether it is the agency that took the prints.
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
    if against:
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
