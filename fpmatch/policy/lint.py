"""What a careful reader would object to in a policy."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.link import contradicts
from fpmatch.policy.model import (
    ACCEPT,
    ActivationState,
    Authority,
    Effect,
    OptOutStatus,
    Rule,
    permission_names,
)
from fpmatch.policy.never import never_granted
from fpmatch.policy.problems import authority_problems
from fpmatch.policy.registry import Registry


class Level(enum.StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One objection: a short code, what it is about, and what to do."""

    level: Level
    code: str
    rules: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.level.value}: {self.code}: {self.message}"


def lint(registry: Registry) -> list[Finding]:
    """Every finding, errors first. Cost grows with forbids times grants."""
    found = [
        Finding(Level.ERROR, "outside-authority", (), problem)
        for _, _, problem in authority_problems(registry)
    ]
    checks = (_conflicts, _unreachable, _unfounded, _mandates, _settings, _modes, _requests, _never)
    for check in checks:
        found += check(registry)
    order = list(Level)
    return sorted(found, key=lambda f: (order.index(f.level), f.code, f.rules))


def _grants(registry: Registry) -> list[Rule]:
    return [r for r in registry.rules if r.effect is not Effect.FORBID]


def _forbids(registry: Registry) -> list[Rule]:
    return [r for r in registry.rules if r.effect is Effect.FORBID]


def _conflicts(registry: Registry) -> Iterator[Finding]:
    for forbid in _forbids(registry):
        for grant in _grants(registry):
            if contradicts(forbid, grant) and _meet(registry, forbid, grant):
                yield Finding(
                    Level.ERROR,
                    "conflict",
                    (forbid.id, grant.id),
                    f"{forbid.author} forbids by {forbid.id!r} what {grant.author} "
                    f"{grant.effect.value}s by {grant.id!r}; the search is denied until they agree",
                )


def _meet(registry: Registry, a: Rule, b: Rule) -> bool:
    """Whether two rules can cover the same agency, partition, permission and time."""
    names = set(registry.names(a.partitions)) & set(registry.names(b.partitions))
    related = any(x in registry.path(y) or y in registry.path(x) for x in a.who for y in b.who)
    return bool(names) and related and bool(a.bits & b.bits) and _overlap(a, b)


def _overlap(a: Rule, b: Rule) -> bool:
    return _before(a.start, b.end) and _before(b.start, a.end)


def _before(start: datetime | None, end: datetime | None) -> bool:
    return start is None or end is None or start < end


def _unreachable(registry: Registry) -> Iterator[Finding]:
    for grant in _grants(registry):
        useful = grant.bits & ~ACCEPT
        agreement = registry.agreements.get(grant.agreement)
        if agreement is not None:
            if not (_before(grant.start, agreement.ends) and _before(agreement.start, grant.end)):
                yield _void(grant, f"agreement {agreement.id!r} is never in force in its time")
            elif not useful & agreement.bits:
                given = ", ".join(permission_names(agreement.bits))
                yield _void(grant, f"agreement {agreement.id!r} allows no more than {given}")
        for forbid in _forbids(registry):
            if _swallows(registry, forbid, grant, useful):
                yield _void(grant, f"{forbid.id!r} forbids all of it")


def _void(rule: Rule, why: str) -> Finding:
    message = f"{rule.id!r} can never take effect: {why}; remove one of them"
    return Finding(Level.WARNING, "unreachable", (rule.id,), message)


def _swallows(registry: Registry, forbid: Rule, grant: Rule, useful: int) -> bool:
    covered = all(any(f in registry.path(g) for f in forbid.who) for g in grant.who)
    names = set(registry.names(grant.partitions)) <= set(registry.names(forbid.partitions))
    longer = (
        forbid.start is None or (grant.start is not None and forbid.start <= grant.start)
    ) and (forbid.end is None or (grant.end is not None and grant.end <= forbid.end))
    taken = forbid.bits | (useful if forbid.bits & ACCEPT else 0)
    return not forbid.conditional and covered and names and longer and not useful & ~taken


def _unfounded(registry: Registry) -> Iterator[Finding]:
    for rule in registry.rules:
        if not rule.legal_basis:
            message = f"{rule.id!r} by {rule.author} states no legal basis; add legal_basis"
            yield Finding(Level.NOTE, "no-legal-basis", (rule.id,), message)


def _mandates(registry: Registry) -> Iterator[Finding]:
    for rule in registry.rules:
        if rule.authority is Authority.MANDATE and rule.effect is Effect.MANDATE:
            if not registry.declared.mandates_enabled:
                message = f"{rule.id!r} has no effect: set mandates_enabled = true to enable it"
                yield Finding(Level.WARNING, "mandate-disabled", (rule.id,), message)
            else:
                message = f"{rule.id!r} overrides local consent; every search under it is flagged"
                yield Finding(Level.NOTE, "mandate-enabled", (rule.id,), message)


def _settings(registry: Registry) -> Iterator[Finding]:
    """Activations that reach below somebody else's deactivation."""
    off = [s for s in registry.activations if s.state is ActivationState.DEACTIVATED]
    for low in registry.activations:
        if low.state is not ActivationState.ACTIVE:
            continue
        for high in off:
            above = high.who in registry.path(low.who)[1:] and high.partition == low.partition
            if above and high.author != low.author:
                message = (
                    f"{low.author} activates {low.who} on {low.partition!r} below {high.who}, "
                    f"which {high.author} deactivated; a forbid by {high.author} would hold"
                )
                yield Finding(
                    Level.WARNING, "activated-below-off", (low.label, high.label), message
                )


def _modes(registry: Registry) -> Iterator[Finding]:
    """Modes that end before the date that they wait for: nothing is ever active then."""
    for mode in registry.declared.modes:
        if mode.until is not None and mode.end is not None and mode.end <= mode.until:
            message = (
                f"{mode.label} ends (to = {mode.end:%Y-%m-%d}) before it would be activated "
                f"(until = {mode.until:%Y-%m-%d}): it stays inactive until then and is never "
                "active; give a later to, or none"
            )
            yield Finding(Level.WARNING, "ends-before-until", (mode.label,), message)


def _requests(registry: Registry) -> Iterator[Finding]:
    for request in registry.declared.optouts:
        if request.status is OptOutStatus.OPEN:
            message = f"request {request.id!r} of {request.who} to opt out is open, without effect"
            yield Finding(Level.NOTE, "optout-open", (request.id,), message)


def _never(registry: Registry) -> Iterator[Finding]:
    """Agencies that no facts could have searched: a warning where something else was meant."""
    for never in never_granted(registry):
        level = Level.NOTE if never.intended else Level.WARNING
        sources = tuple(dict.fromkeys(s for o in never.obstacles for s in o.sources))
        yield Finding(level, "never-grants", sources, never.text)
