"""Who could bring another decision, by acts within their own authority."""

from __future__ import annotations

from collections.abc import Iterable

from fpmatch.policy.decide import Judgement
from fpmatch.policy.link import STRENGTH, Block
from fpmatch.policy.never import Obstacle
from fpmatch.policy.registry import Registry
from fpmatch.types import Facts, Reason

Needed = list[tuple[str, tuple[str, ...]]]
"""What is in the way, and principals any of whom could remove it; all of it has to go."""
SUBMITTER = "the submitter"
KEEPER = "the keeper of the registry"


def changeable_by(
    registry: Registry,
    facts: Facts,
    judgement: Judgement,
    never: tuple[Obstacle, ...] = (),
) -> tuple[str, ...]:
    """Who could bring another result by an act within its own authority.

    Where several things stand in the way: those who could remove all of them; where nobody could
    alone, everybody who is needed, for the hardest one first. Where no facts could have it
    searched, what the facts of this search are does not count.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    facts : Facts
        Of the search.
    judgement : Judgement
        Of one partition, with its reasons.
    never : tuple of Obstacle
        What stands in the way whatever the facts.
    """
    decision = judgement.decision
    if decision.reason in (Reason.UNKNOWN_AGENCY, Reason.UNKNOWN_TRANSACTION):
        return (KEEPER,)
    if decision.reason is Reason.GRANTED:
        owner = registry.partitions[decision.partition].owner
        return tuple(dict.fromkeys((*_side(registry, facts.chain[0]), owner)))
    needed = removers(registry, judgement, never)
    together = tuple(dict.fromkeys(who for _, several in needed for who in several))
    return tuple(w for w in together if all(w in several for _, several in needed)) or together


def removers(registry: Registry, judgement: Judgement, never: tuple[Obstacle, ...] = ()) -> Needed:
    """For each thing in the way, hardest first: what it is, and who could remove it.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    judgement : Judgement
        Of one partition that is not searched, or whose results are not seen.
    never : tuple of Obstacle
        What stands in the way whatever the facts; the rest is no matter then.
    """
    if never:
        hardest = sorted(never, key=lambda o: -STRENGTH.get(o.reason, 99))
        return list(dict.fromkeys((o.reason.value, o.who) for o in hardest))
    booking = judgement.links[0].ori if judgement.links else ""
    owner = registry.partitions[judgement.decision.partition].owner

    def each(blocks: Iterable[Block], *, named: bool) -> Needed:
        found = [
            (
                b.rule.id if named and b.rule is not None else b.reason.value,
                _removers(registry, owner, b, b.link or booking),
            )
            for b in blocks
        ]
        return list(dict.fromkeys(found))

    if judgement.decision.probe:
        return each((b for link in judgement.links for b in link.unshown), named=True)
    hardest_first = sorted(judgement.blocks, key=lambda b: -STRENGTH.get(b.reason, 99))
    return each(hardest_first, named=False)


def _removers(registry: Registry, owner: str, block: Block, link: str) -> tuple[str, ...]:
    reason, author = block.reason, block.author
    if reason in (Reason.NOT_REQUESTED, Reason.MISSING_LINK, Reason.CONDITION_UNKNOWN):
        return (SUBMITTER, *((author,) if author else ()))
    if reason is Reason.PROTECTED and not author:
        return (SUBMITTER,)
    if reason is Reason.NO_CONSENT:
        return (link,)
    if reason in (Reason.NO_GRANT, Reason.NO_AGREEMENT):
        # An agreement takes all its parties; the owner may permit without one.
        return (owner,)
    if reason is Reason.NOT_ACTIVATED and not author:
        return tuple(dict.fromkeys((*_side(registry, link), owner)))
    return (author,) if author else (owner,)


def _side(registry: Registry, ori: str) -> tuple[str, ...]:
    """The agency, its jurisdictions and its bureau: those who may decide for it."""
    path = registry.path(ori)[:-1]
    via = registry.via(path)
    return (*path, via) if via and via not in path else path
