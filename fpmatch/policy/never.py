"""Agencies that no facts could ever have searched in a partition, why, and who must act.

Asked of every time at which anything about an agency and a partition changes, so that "never" is
meant for all times of the policy. Agencies about which nothing is said share the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fpmatch.policy import presets
from fpmatch.policy.attachments import attachments
from fpmatch.policy.model import Agency, Effect, Mode, Partition
from fpmatch.policy.moments import just_before
from fpmatch.policy.possible import Need, in_the_way, needs, satisfiable, shortest_chain
from fpmatch.policy.registry import Registry
from fpmatch.types import Reason

SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Asked where nothing ever changes."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that would have to go, and who could see to it.

    Parameters
    ----------
    reason : Reason
        What a decision calls it.
    sources : tuple of str
        Rules and settings that it comes from; empty where the absence of one is what it is.
    who : tuple of str
        Principals any of whom could see to it.
    text : str
        In words.
    """

    reason: Reason
    sources: tuple[str, ...]
    who: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Never:
    """Agencies that can never be searched in a partition, for one and the same reason.

    Parameters
    ----------
    agencies : tuple of str
        In the policy's order.
    partition : str
    obstacles : tuple of Obstacle
        All of them have to go, at the time at which they are fewest.
    intended : bool
        Whether the policy itself switches them off or says nothing of them, as against a permit,
        a setting or a mode that was written for them and comes to nothing.
    """

    agencies: tuple[str, ...]
    partition: str
    obstacles: tuple[Obstacle, ...]
    intended: bool

    @property
    def must_act(self) -> tuple[str, ...]:
        """Who has to act: those who could do it alone, else everybody who is needed."""
        return must_act(self.obstacles)

    @property
    def text(self) -> str:
        """In words."""
        some = ", ".join(self.agencies[:3])
        more = f" and {len(self.agencies) - 3} more" if len(self.agencies) > 3 else ""
        why = "; and ".join(o.text for o in self.obstacles)
        return (
            f"{some}{more}: this can never grant a search of {self.partition!r}, because {why}; "
            f"who must act: {_needed(self.obstacles)}"
        )


def must_act(obstacles: tuple[Obstacle, ...]) -> tuple[str, ...]:
    """Who could remove all obstacles alone; where nobody could, all who are needed."""
    if not obstacles:
        return ()
    alone = [w for w in obstacles[0].who if all(w in o.who for o in obstacles)]
    return tuple(alone or dict.fromkeys(w for o in obstacles for w in o.who))


def _needed(obstacles: tuple[Obstacle, ...]) -> str:
    """Who has to act, in words: any of those who could alone, or somebody for each obstacle."""
    needed = must_act(obstacles)
    if all(set(needed) <= set(o.who) for o in obstacles):
        return " or ".join(needed)
    return ", and ".join(dict.fromkeys(" or ".join(o.who) for o in obstacles))


def never_granted(registry: Registry) -> list[Never]:
    """Every agency that takes prints and partition that no facts could have searched, at no time.

    Agencies that only relay are left out. Cost: one question for each partition, date and group of
    agencies about which the same is said there.
    """
    touched = _touched(registry)
    found: dict[tuple[str, tuple[Obstacle, ...], bool], list[str]] = {}
    answers: dict[tuple[object, ...], tuple[tuple[Obstacle, ...], bool]] = {}
    for members in _groups(registry, touched):
        for partition in registry.declared.partitions:
            key = _standing(registry, members[0], partition, touched)
            if key not in answers:
                answers[key] = _answer(registry, members[0], partition)
            obstacles, meant = answers[key]
            if obstacles:
                found.setdefault((partition.name, obstacles, meant), []).extend(members)
    order = {ori: i for i, ori in enumerate(registry.agencies)}
    out = []
    for (name, obstacles, meant), oris in found.items():
        oris.sort(key=order.__getitem__)
        if len(oris) == 1:
            obstacles = obstacles_ever(registry, oris[0], registry.partitions[name])
        out.append(Never(tuple(oris), name, obstacles, meant))
    return out


def _answer(
    registry: Registry, ori: str, partition: Partition
) -> tuple[tuple[Obstacle, ...], bool]:
    """Obstacles in words for all of like standing, and whether they are intended."""
    found = obstacles_ever(registry, ori, partition)
    meant = bool(found) and _intended(registry, ori, partition, found)
    return _of_group(found, registry, ori), meant


def _touched(registry: Registry) -> dict[str, set[str]]:
    """Where the policy says something, modes included that came to nothing."""
    touched = attachments(registry)
    for mode in registry.declared.modes:
        names = {mode.partition} if mode.partition else set(registry.partitions)
        touched.setdefault(mode.who, set()).update(names)
    return touched


def _groups(registry: Registry, touched: dict[str, set[str]]) -> list[list[str]]:
    """Agencies that take prints, those together of which the policy says the same."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for agency in registry.declared.agencies:
        if not agency.relay:
            path = registry.path(agency.ori)
            named = tuple(node for node in path if node in touched)
            key = (named, registry.via(path), agency.start, agency.end)
            groups.setdefault(key, []).append(agency.ori)
    return list(groups.values())


def _standing(
    registry: Registry, ori: str, partition: Partition, touched: dict[str, set[str]]
) -> tuple[object, ...]:
    """What an agency's standing on one partition depends on."""
    path, agency = registry.path(ori), registry.agencies[ori]
    named = tuple(node for node in path if partition.name in touched.get(node, ()))
    return partition.name, named, registry.via(path), agency.start, agency.end


def obstacles_ever(registry: Registry, ori: str, partition: Partition) -> tuple[Obstacle, ...]:
    """What keeps an agency from ever being searched in a partition; empty where nothing does.

    Of all times the one is described at which the least stands in the way.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    ori : str
        A registered agency.
    partition : Partition
        The one that is asked about.
    """
    chain = shortest_chain(registry, ori, partition)
    best: list[list[Need]] | None = None
    best_at = SOME_TIME
    for at in _times(registry, chain, partition):
        wanted = needs(registry, chain, partition, at)
        if satisfiable(wanted, registry.words):
            return ()
        groups = in_the_way(wanted, registry.words)
        if best is None or len(groups) <= len(best):
            best, best_at = groups, at
    return tuple(_obstacle(registry, ori, partition, group, best_at) for group in best or ())


def obstacles_at(
    registry: Registry, ori: str, partition: Partition, at: datetime
) -> tuple[Obstacle, ...]:
    """As `obstacles_ever`, at one time.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    ori : str
        A registered agency.
    partition : Partition
        The one that is asked about.
    at : datetime
        The time asked about, with an offset.
    """
    chain = shortest_chain(registry, ori, partition)
    groups = in_the_way(needs(registry, chain, partition, at), registry.words)
    return tuple(_obstacle(registry, ori, partition, group, at) for group in groups)


def _times(registry: Registry, chain: tuple[str, ...], partition: Partition) -> Iterator[datetime]:
    """One time of every span within which nothing about the chain and the partition changes."""
    moments: set[datetime | None] = set()
    for ori in chain:
        agency: Agency = registry.agencies[ori]
        path = registry.path(ori)
        rules = list(registry.rules_on(path, partition.name))
        dated = [agency, *rules, *registry.consents_at.get((ori, partition.name), ())]
        for node in path:
            dated += registry.settings_at.get((node, partition.name), ())
        moments.update(t for item in dated for t in (item.start, item.end))
        for agreement in {r.agreement for r in rules if r.agreement}:
            moments.update((registry.agreements[agreement].start,
                            registry.agreements[agreement].ends))  # fmt: skip
    dates = sorted(m for m in moments if m is not None)
    yield just_before(dates[0]) if dates else SOME_TIME
    yield from dates


def _obstacle(
    registry: Registry, ori: str, partition: Partition, group: list[Need], at: datetime
) -> Obstacle:
    reason = group[0].reason
    sources = tuple(dict.fromkeys(s for need in group for s in need.sources))
    who = tuple(dict.fromkeys(w for need in group for w in need.who))
    if len({need.matter for need in group}) == 1:
        return Obstacle(reason, sources, who, _alone(registry, ori, partition, group[0], at))
    removable = [n for n in group if n.reason is not Reason.NO_GRANT]
    gate = next((n for n in removable if n.reason not in _CONDITIONS), None)
    if gate is not None and len({n.matter for n in removable}) == 1:
        text = _alone(registry, ori, partition, gate, at)
        return Obstacle(gate.reason, gate.sources, gate.who, text)
    text = f"{' and '.join(repr(s) for s in sources)} can never hold together"
    authors = tuple(
        dict.fromkeys(
            registry.rule_by_id[s].author if s in registry.rule_by_id else partition.owner
            for s in sources
        )
    )
    return Obstacle(Reason.CONDITION_NOT_MET, sources, authors or who, text)


_CONDITIONS = frozenset(
    {
        Reason.CONDITION_NOT_MET,
        Reason.FORBIDDEN,
        Reason.OWNER_FORBIDS,
        Reason.NO_FEDERAL_SUBMISSION,
        Reason.PROTECTED,
    }
)
"""Needs that facts may meet: where several exclude each other, all of them are named."""


def _alone(registry: Registry, ori: str, partition: Partition, need: Need, at: datetime) -> str:
    """In words, a need that nothing meets."""
    link = "" if need.link in ("", ori) else f" for the bureau {need.link}, which it has to pass"
    named = ", ".join(repr(s) for s in need.sources)
    if need.reason is Reason.NO_GRANT:
        return _ungranted(registry, need, partition, at) + link
    if need.reason is Reason.UNKNOWN_AGENCY:
        return f"{need.link if link else 'it'} is not in service"
    if need.reason is Reason.NOT_ACTIVATED and not need.sources:
        return f"it is not activated in the deployment plan{link}"
    if need.reason is Reason.NO_CONSENT and not need.sources:
        return f"consent is required and nobody was asked{link}"
    if need.reason is Reason.NO_AGREEMENT:
        cited = registry.rule_by_id[need.sources[0]].agreement
        return f"agreement {cited!r}, on which {named} rests, does not bind both sides then{link}"
    words = {
        Reason.ORI_DEACTIVATED: f"{named} switches it off",
        Reason.NOT_ACTIVATED: f"{named} keeps it inactive",
        Reason.NO_CONSENT: f"{named} says no",
        Reason.CONDITION_NOT_MET: f"{named} forbids all but what can never be the case",
    }
    return words.get(need.reason, f"{named} forbids it, whatever the facts") + link


def _ungranted(registry: Registry, need: Need, partition: Partition, at: datetime) -> str:
    owner = partition.owner
    if need.sources:
        named = ", ".join(repr(s) for s in need.sources)
        return f"what {named} asks of the facts can never be so"
    path = registry.path(need.link)
    other = [
        r.id
        for r in registry.rules_on(path, partition.name)
        if r.effect is Effect.PERMIT and (r.start, r.end) != (None, None)
    ]
    said = f"no rule permits it, and only {owner}, its owner, or an agreement with it can"
    if other:
        named = ", ".join(map(repr, other))
        said += f" ({named} does so at other times, when something else stands in the way)"
    narrow = [m for m in _modes(registry, path, partition) if not _permits(m, registry)]
    if narrow:
        named = ", ".join(repr(m.label) for m in narrow)
        whose = ", ".join(dict.fromkeys(m.author for m in narrow))
        said += f" ({named} by {whose} narrows and permits nothing)"
    return said


def _modes(registry: Registry, path: tuple[str, ...], partition: Partition) -> list[Mode]:
    """What modes say of a node and a partition, but for those that only switch it off."""
    return [
        m
        for m in registry.declared.modes
        if m.who in path and m.partition == partition.name and m.mode not in _SWITCH_OFF
    ]


def _permits(mode: Mode, registry: Registry) -> bool:
    rules = presets.expand(mode, registry.declared.partitions).rules
    return any(r.effect is Effect.PERMIT for r in rules)


def _intended(
    registry: Registry, ori: str, partition: Partition, obstacles: tuple[Obstacle, ...]
) -> bool:
    """Whether nothing was written that would have the agency searched, or it was switched off."""
    off = {
        Reason.ORI_DEACTIVATED,
        Reason.NO_FEDERAL_SUBMISSION,
        Reason.OWNER_FORBIDS,
        Reason.FORBIDDEN,
        Reason.NO_CONSENT,
        Reason.NO_AGREEMENT,
        Reason.UNKNOWN_AGENCY,
    }
    reasons = {o.reason for o in obstacles}
    if reasons & off or any(o.sources for o in obstacles if o.reason is Reason.NOT_ACTIVATED):
        return True
    path = registry.path(ori)
    wanted = _modes(registry, path, partition)
    settings = [
        s
        for node in path
        for s in registry.settings_at.get((node, partition.name), ())
        if s.state.value == "active"
    ]
    permits = [r for r in registry.rules_on(path, partition.name) if r.effect is not Effect.FORBID]
    conditional = [
        r for r in registry.rules_on(path, partition.name) if r.effect is Effect.FORBID and r.unless
    ]
    return not (wanted or settings or permits or conditional)


_SWITCH_OFF = frozenset(("ori_deactivated", "no_federal_submission", "not_activated"))


def _of_group(
    obstacles: tuple[Obstacle, ...], registry: Registry, ori: str
) -> tuple[Obstacle, ...]:
    """Obstacles with those who could act on an absence named as it fits all of like standing."""
    side = registry.path(ori)[:-1]
    out = []
    for one in obstacles:
        who = tuple(dict.fromkeys("the agency's own side" if w in side else w for w in one.who))
        out.append(one if one.sources else replace(one, who=who))
    return tuple(out)
