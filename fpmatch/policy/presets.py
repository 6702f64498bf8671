"""The seven modes: each expands to plain rules and settings, which is all the decision knows.

==  =========================  ==================================================================
M1  ``interoperable``          permit all, active
M2  ``results_withheld``       permit all, active; forbid view
M3  ``ori_deactivated``        setting "deactivated"
M4  ``no_federal_submission``  forbid everything, accept included, on every federal partition
M5  ``conditional_charge``     permit all, active; forbid unless the charge is in the list
M6  ``deferred_disposition``   permit all, active; forbid unless convicted, wait for the event
M7  ``not_activated``          setting "inactive", until a date if one is given
==  =========================  ==================================================================

The permitting half is made only where the author may permit: it owns the partition or cites an
agreement. A mode set by anyone else can only narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fpmatch.policy.model import (
    ALL,
    RETAIN,
    SEARCHING,
    VIEW,
    Activation,
    ActivationState,
    Condition,
    Defer,
    Effect,
    Mode,
    Partition,
    Rule,
)

MODES = (
    "interoperable",
    "results_withheld",
    "ori_deactivated",
    "no_federal_submission",
    "conditional_charge",
    "deferred_disposition",
    "not_activated",
)
"""M1 to M7, in order."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What one mode stands for."""

    rules: tuple[Rule, ...] = ()
    activations: tuple[Activation, ...] = ()


def expand(mode: Mode, partitions: tuple[Partition, ...]) -> Expansion:
    """Rules and settings that a mode stands for."""
    if mode.mode == "no_federal_submission":
        federal = tuple(p.name for p in partitions if p.kind == "federal")
        return Expansion(rules=(_rule(mode, "", Effect.FORBID, ALL, federal),) if federal else ())
    if mode.mode == "ori_deactivated":
        return Expansion(activations=(_setting(mode, ActivationState.DEACTIVATED),))
    grants, active = _grant(mode, partitions)
    if mode.mode == "not_activated":
        until = mode.until
        settings = [_setting(mode, ActivationState.INACTIVE, end=until)]
        if until is not None:
            settings.append(_setting(mode, ActivationState.ACTIVE, start=until))
        return Expansion(grants, tuple(settings))
    return Expansion((*grants, *_narrowing(mode)), active)


def _grant(
    mode: Mode, partitions: tuple[Partition, ...]
) -> tuple[tuple[Rule, ...], tuple[Activation, ...]]:
    owner = next(p.owner for p in partitions if p.name == mode.partition)
    if owner != mode.author and not mode.agreement:
        return (), ()
    bits = ALL if mode.retain else ALL & ~RETAIN
    rule = _rule(mode, "/permit", Effect.PERMIT, bits, (mode.partition,))
    return (rule,), (_setting(mode, ActivationState.ACTIVE),)


def _narrowing(mode: Mode) -> tuple[Rule, ...]:
    if mode.mode == "results_withheld":
        unless = _condition("role", mode.except_roles)
        return (_forbid(mode, "/withhold", VIEW, unless),)
    if mode.mode == "conditional_charge":
        unless = _condition("charge", mode.charges or ("felony",))
        return (_forbid(mode, "/unless-charge", SEARCHING, unless),)
    if mode.mode == "deferred_disposition":
        unless = _condition("disposition", ("convicted",))
        wait = Defer(mode.event, mode.expires_days)
        return (_forbid(mode, "/until-convicted", SEARCHING, unless, wait),)
    return ()


def _condition(field: str, values: tuple[str, ...]) -> tuple[Condition, ...]:
    return (Condition(field, frozenset(values)),) if values else ()


def _forbid(
    mode: Mode, suffix: str, bits: int, unless: tuple[Condition, ...], defer: Defer | None = None
) -> Rule:
    return _rule(mode, suffix, Effect.FORBID, bits, (mode.partition,), unless, defer)


def _rule(
    mode: Mode,
    suffix: str,
    effect: Effect,
    bits: int,
    partitions: tuple[str, ...],
    unless: tuple[Condition, ...] = (),
    defer: Defer | None = None,
) -> Rule:
    return Rule(
        id=mode.label + suffix,
        effect=effect,
        who=(mode.who,),
        partitions=partitions,
        bits=bits,
        author=mode.author,
        authority=mode.authority,
        unless=unless,
        start=mode.start,
        end=mode.end,
        agreement=mode.agreement if effect is Effect.PERMIT else "",
        legal_basis=mode.legal_basis,
        defer=defer,
        mode=mode.mode,
    )


def _setting(
    mode: Mode,
    state: ActivationState,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Activation:
    return Activation(
        who=mode.who,
        partition=mode.partition,
        state=state,
        author=mode.author,
        authority=mode.authority,
        start=start or mode.start,
        end=end or mode.end,
        reason=mode.reason or mode.mode,
    )
