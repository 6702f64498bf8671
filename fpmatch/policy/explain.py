"""Why a decision came out as it did, in words for someone who never saw the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.policy.changing import changeable_by, removers
from fpmatch.policy.decide import Judgement, judge, refusal, rests_on
from fpmatch.policy.link import STRENGTH, Block
from fpmatch.policy.model import permission_names
from fpmatch.policy.never import Obstacle, obstacles_at
from fpmatch.policy.registry import Registry
from fpmatch.types import Facts, PartitionDecision, Permission, Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to "why, and who can change it".

    Parameters
    ----------
    decision : PartitionDecision
        What was decided.
    rule : str
        Id of the deciding rule or setting; "" where the absence of one decided.
    authority, author, legal_basis : str
        The standing in which it was decided, by whom, and on what ground.
    changeable_by : tuple of str
        Principals whose act could bring another result.
    obstacles : tuple of Reason
        Everything that stands in the way, hardest first; more than one may have to go.
    text : str
        All of it in sentences.
    possible : bool
        Whether a search with other facts could be granted at that time; always so where this one
        is.
    """

    ori: str
    partition: str
    at: datetime
    decision: PartitionDecision
    rule: str
    authority: str
    author: str
    legal_basis: str
    changeable_by: tuple[str, ...]
    obstacles: tuple[Reason, ...]
    text: str
    possible: bool = True

    @property
    def reason(self) -> Reason:
        """The reason of the decision."""
        return self.decision.reason

    @property
    def permissions(self) -> Permission:
        """The permissions that the decision leaves."""
        return self.decision.permissions

    def __str__(self) -> str:
        return self.text


WORDS = {
    Reason.GRANTED: "It is searched and the submitter sees the result",
    Reason.RESULTS_WITHHELD: "It is searched, but the submitter does not see the result",
    Reason.ORI_DEACTIVATED: "It is not searched: the agency is deactivated for this partition",
    Reason.NOT_ACTIVATED: "It is not searched: the agency is not activated in the deployment plan",
    Reason.NO_GRANT: "It is not searched: no rule permits it, and without a permit nothing is",
    Reason.NO_AGREEMENT: "It is not searched: the agreement that the permit rests on does not hold",
    Reason.NO_CONSENT: "It is not searched: the agency has not consented",
    Reason.FORBIDDEN: "It is not searched: a rule forbids it",
    Reason.OWNER_FORBIDS: "It is not searched: an owner of the data forbids it",
    Reason.CONFLICT: "It is not searched: two federal positions contradict each other",
    Reason.CONDITION_NOT_MET: "It is not searched: a condition is not met",
    Reason.CONDITION_UNKNOWN: "It is not searched: a condition depends on what is not known",
    Reason.PROTECTED: "It is not searched: the person is, or may be, under protection",
    Reason.NO_FEDERAL_SUBMISSION: "It is not searched: the agency submits nothing federal",
    Reason.NOT_REQUESTED: "It is not searched: the submitter did not ask for it",
    Reason.AWAITING_EVENT: "It is not searched now: the search waits for an event",
    Reason.MISSING_LINK: "It is not searched: the submission did not pass the bureau it must pass",
    Reason.UNKNOWN_AGENCY: "The submission is refused: an agency in the chain is not registered, "
    "or not in service at that time",
    Reason.UNKNOWN_TRANSACTION: "The submission is refused: its type of transaction is not listed",
    Reason.UNKNOWN_PARTITION: "It is not searched: the gallery holds no such partition",
    Reason.PARTITION_MISMATCH: "It is not searched: gallery and policy state different names, "
    "numbers or owners of it",
}


def explain(registry: Registry, facts: Facts, partition: str, at: datetime) -> Explanation:
    """Explain one partition's decision. Raises InputError for a partition nobody registered.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    facts : Facts
        Of the search.
    partition : str
        Name of the partition.
    at : datetime
        The time asked about, with an offset.
    """
    known = registry.partitions.get(partition)
    if known is None:
        names = ", ".join(registry.partitions)
        raise InputError(f"no partition {quoted(partition)}; known: {names}")
    reason = refusal(registry, facts, at)
    if reason is Reason.GRANTED:
        judgement = judge(registry, facts, known, at)
    else:
        refused = PartitionDecision(partition, Permission.NONE, reason, opaque=known.opaque)
        judgement = Judgement(refused, (), (Block(reason, ()),))
    return _explanation(registry, facts, judgement, at)


def _explanation(
    registry: Registry, facts: Facts, judgement: Judgement, at: datetime
) -> Explanation:
    decision = judgement.decision
    name, author, authority = deciding(registry, judgement)
    never: tuple[Obstacle, ...] = ()
    if judgement.links and not decision.probe:
        known = registry.partitions[decision.partition]
        never = obstacles_at(registry, facts.chain[0], known, at)
    changers = changeable_by(registry, facts, judgement, never)
    obstacles = tuple(
        sorted({b.reason for b in judgement.blocks}, key=lambda r: -STRENGTH.get(r, 99))
    )
    lines = _lines(registry, facts, judgement, at, (name, author, authority), obstacles)
    lines += _who(registry, judgement, changers, never)
    return Explanation(
        ori=facts.chain[0] if facts.chain else "",
        partition=decision.partition,
        at=at,
        decision=decision,
        rule=name,
        authority=authority,
        author=author,
        legal_basis=decision.legal_basis,
        changeable_by=changers,
        obstacles=() if decision.probe else obstacles,
        text="\n".join((*lines, *_never(never, decision.reason))),
        possible=not never and decision.reason is not Reason.UNKNOWN_AGENCY,
    )


def overruled(found: Explanation, reason: Reason) -> Explanation:
    """The same, where the gallery does not let the policy's decision count.

    Parameters
    ----------
    found : Explanation
        By the policy alone.
    reason : Reason
        What the gallery's own reason is.
    """
    title, _, _ = found.text.partition("\n")
    agency = title.removesuffix(f"{found.reason}.")
    keeper = "the keeper of the gallery"
    return replace(
        found,
        decision=PartitionDecision(
            found.partition, Permission.NONE, reason, opaque=found.decision.opaque
        ),
        rule="",
        authority="",
        author="",
        legal_basis="",
        changeable_by=(keeper,),
        obstacles=(reason,),
        text=f"{agency}{reason}.\n{WORDS[reason]}.\nWho could change this: {keeper}.",
        possible=False,
    )


def _never(obstacles: tuple[Obstacle, ...], said: Reason) -> list[str]:
    """What no facts could change, where the decision's own reason does not say it already."""
    if {o.reason for o in obstacles} <= {said}:
        return []
    why = "; and ".join(o.text for o in obstacles)
    return [f"No facts whatever could have it searched at this time: {why}."]


def deciding(registry: Registry, judgement: Judgement) -> tuple[str, str, str]:
    """(id, author, authority class) of what decided; empty texts where an absence did."""
    if judgement.decision.reason is Reason.RESULTS_WITHHELD:
        return _withholding(registry, judgement)
    names = judgement.decision.rules
    name = names[0] if names else ""
    rule = registry.rule_by_id.get(name)
    if rule is not None:
        return name, rule.author, rule.authority.value
    block = next((b for b in judgement.blocks if name and name in b.sources), None)
    return (name, block.author, block.authority) if block else (name, "", "")


def _withholding(registry: Registry, judgement: Judgement) -> tuple[str, str, str]:
    """What keeps the results back: a rule or setting, else the permit that does not show them."""
    link = next(one for one in judgement.links if one.unshown)
    block = link.unshown[0]
    if block.sources:
        return block.sources[0], block.author, block.authority
    rule = rests_on(registry, link)
    return rule.id, rule.author, rule.authority.value


def _lines(
    registry: Registry,
    facts: Facts,
    judgement: Judgement,
    at: datetime,
    source: tuple[str, str, str],
    obstacles: tuple[Reason, ...],
) -> list[str]:
    decision = judgement.decision
    name, author, authority = source
    ori = facts.chain[0] if facts.chain else "(nobody)"
    agency = registry.agencies.get(ori)
    title = f"{agency.name} ({ori})" if agency and agency.name else ori
    lines = [
        f"{title}, partition {decision.partition!r}, {at:%Y-%m-%d %H:%M} UTC: {decision.reason}.",
        f"{WORDS[decision.reason]}.",
    ]
    if name:
        by = f", set by {author} as {authority}" if author else ""
        lines.append(f"Decided by {name}{by}.")
    if len(decision.rules) > 1:
        lines.append(f"All that led to it: {', '.join(decision.rules)}.")
    if decision.legal_basis:
        lines.append(f"Legal basis stated: {decision.legal_basis}.")
    elif registry.rule_by_id.get(name):
        lines.append("No legal basis is stated.")
    if decision.agreement:
        lines.append(f"Under agreement {decision.agreement}.")
    if decision.deferred and decision.defer_expires:
        until = f"{decision.defer_expires:%Y-%m-%d}"
        lines.append(f"It is decided anew on {decision.defer_until}, until {until} at the latest.")
    if decision.consent_overridden:
        lines.append("A mandate overrides the missing local consent; every record says so.")
    if decision.probe:
        lines.append(f"Permissions: {', '.join(permission_names(decision.permissions.value))}.")
        lines.append(_acknowledgement(decision, ori))
    others = [r.value for r in obstacles if r is not decision.reason]
    if others and not decision.probe:
        lines.append(f"Also in the way: {', '.join(others)}.")
    return lines


def _who(
    registry: Registry,
    judgement: Judgement,
    changers: tuple[str, ...],
    never: tuple[Obstacle, ...],
) -> list[str]:
    """Who could change it; where nobody could alone, who has to do what."""
    refused = not judgement.links
    granted = judgement.decision.reason is Reason.GRANTED
    needed = [] if granted or refused else removers(registry, judgement, never)
    if all(set(changers) <= set(several) for _, several in needed):
        return [f"Who could change this: {', '.join(changers)}."]
    said = (f"{' or '.join(several)} for {what}" for what, several in needed)
    return [f"Nobody could change this alone. Who must act: {', and '.join(said)}."]


def _acknowledgement(decision: PartitionDecision, ori: str) -> str:
    if decision.acknowledged:
        return f"{ori} is on record as knowing that its prints are searched here."
    return f"Nothing shows that {ori} knows its prints are searched here."
