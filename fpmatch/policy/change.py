"""Changes to a policy, each by someone with the authority for it, each giving a new policy.

A setting is never rewritten: the author's own earlier one is closed at the time of the change,
so that the past still explains itself. A restriction that someone else set is not lifted.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from fpmatch.errors import InputError, PolicyError
from fpmatch.policy.model import (
    ROOT,
    Activation,
    ActivationState,
    Authority,
    Declared,
    Mode,
    OptOutRequest,
    OptOutStatus,
    in_force,
)
from fpmatch.policy.registry import Registry


def deactivate(
    registry: Registry, who: str, partition: str, authority: str, reason: str, at: datetime
) -> Declared:
    """Switch a node off from ``at`` on; what lies beside and above is untouched.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    who : str
        The agency or jurisdiction that it is about; ``*`` is all.
    partition : str
        Name of the partition.
    authority : str
        The principal that decides: the agency, a jurisdiction above it, its state bureau or the
        partition's owner.
    reason : str
        Why, in the words of the one who decides; kept in the policy.
    at : datetime
        From when on.
    """
    plan: Plan = [(_OFF, at, None)]
    return _set(registry, who, partition, authority, reason, plan, at)


def activate(
    registry: Registry, who: str, partition: str, authority: str, reason: str, at: datetime
) -> Declared:
    """Switch a node on from ``at`` on. Raises PolicyError if another's "off" stands there.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    who : str
        The agency or jurisdiction that it is about; ``*`` is all.
    partition : str
        Name of the partition.
    authority : str
        The principal that decides: the agency, a jurisdiction above it, its state bureau or the
        partition's owner.
    reason : str
        Why, in the words of the one who decides; kept in the policy.
    at : datetime
        From when on.
    """
    _standing(registry, who, partition, authority)
    _no_foreign_off(registry, who, partition, authority, at)
    plan: Plan = [(_ON, at, None)]
    return _set(registry, who, partition, authority, reason, plan, at)


def reschedule(
    registry: Registry,
    who: str,
    partition: str,
    authority: str,
    reason: str,
    date: datetime,
    at: datetime,
) -> Declared:
    """Move a node's activation to ``date``: inactive from ``at`` till then, active after.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    who : str
        The agency or jurisdiction that it is about; ``*`` is all.
    partition : str
        Name of the partition.
    authority : str
        The principal that decides: the agency, a jurisdiction above it, its state bureau or the
        partition's owner.
    reason : str
        Why, in the words of the one who decides; kept in the policy.
    date : datetime
        When it becomes active.
    at : datetime
        From when on.

    Raises
    ------
    InputError
        If the date does not come after ``at``.
    """
    if date <= at:
        raise InputError(f"the new date {date:%Y-%m-%d} is not after {at:%Y-%m-%d}; use activate")
    _standing(registry, who, partition, authority)
    _no_foreign_off(registry, who, partition, authority, date)
    plan: Plan = [(ActivationState.INACTIVE, at, date), (_ON, date, None)]
    return _set(registry, who, partition, authority, reason, plan, at)


def remove(
    registry: Registry, who: str, partition: str, authority: str, reason: str, at: datetime
) -> Declared:
    """Take a node out of the deployment plan: inactive from ``at`` on, whatever lies above it.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    who : str
        The agency or jurisdiction that it is about; ``*`` is all.
    partition : str
        Name of the partition.
    authority : str
        The principal that decides: the agency, a jurisdiction above it, its state bureau or the
        partition's owner.
    reason : str
        Why, in the words of the one who decides; kept in the policy.
    at : datetime
        From when on.
    """
    plan: Plan = [(ActivationState.INACTIVE, at, None)]
    return _set(registry, who, partition, authority, reason, plan, at)


Plan = list[tuple[ActivationState, datetime, datetime | None]]
_ON, _OFF = ActivationState.ACTIVE, ActivationState.DEACTIVATED


def _set(
    registry: Registry,
    who: str,
    partition: str,
    author: str,
    reason: str,
    plan: Plan,
    at: datetime,
) -> Declared:
    standing = _standing(registry, who, partition, author)
    kept = [_closed(s, who, partition, author, at) for s in registry.declared.activations]
    added = [
        Activation(who, partition, state, author, standing, start, end, reason)
        for state, start, end in plan
    ]
    return dataclasses.replace(
        registry.declared,
        version=registry.declared.version + 1,
        activations=(*(s for s in kept if s is not None), *added),
        modes=tuple(_lifted(m, who, partition, author, at) for m in registry.declared.modes),
    )


def _standing(registry: Registry, who: str, partition: str, author: str) -> Authority:
    """The author's class, if it may decide about this node and partition at all."""
    if partition not in registry.partitions:
        raise InputError(f"no partition {partition!r}; known: {', '.join(registry.partitions)}")
    if who != ROOT and who not in registry.parent:
        raise InputError(f"{who!r} is no registered agency or jurisdiction")
    standing = registry.scope.infer(author, (partition,))
    if standing is None:
        raise PolicyError(
            f"{author!r} is no agency, no jurisdiction and does not own {partition!r}"
        )
    problem = registry.scope.may_set(author, standing, who, (partition,))
    if problem:
        raise PolicyError(f"{author} may not decide about {who} on {partition!r}: {problem}")
    return standing


def _closed(
    setting: Activation, who: str, partition: str, author: str, at: datetime
) -> Activation | None:
    """The setting with the author's own part after ``at`` cut off; None if nothing is left."""
    mine = (setting.who, setting.partition, setting.author) == (who, partition, author)
    if not mine or (setting.end is not None and setting.end <= at):
        return setting
    if setting.start is not None and setting.start >= at:
        return None
    return dataclasses.replace(setting, end=at)


def _lifted(mode: Mode, who: str, partition: str, author: str, at: datetime) -> Mode:
    """The author's own mode with the "off" that it set ended at that time."""
    if (mode.who, mode.partition, mode.author) != (who, partition, author):
        return mode
    begun = mode.start is None or mode.start < at
    if mode.mode == "ori_deactivated" and begun and (mode.end is None or mode.end > at):
        return dataclasses.replace(mode, end=at)
    if mode.mode == "not_activated" and begun and (mode.until is None or mode.until > at):
        return dataclasses.replace(mode, until=at)
    return mode


def _no_foreign_off(
    registry: Registry, who: str, partition: str, author: str, at: datetime
) -> None:
    """Refuse to switch on what another switched off, at the node or for it from above."""
    above = registry.setting(registry.path(who), partition, at)
    here = registry.settings_at.get((who, partition), ())
    for setting in (*here, *((above,) if above else ())):
        if setting.author == author or setting.state is ActivationState.ACTIVE:
            continue
        if in_force(setting.start, setting.end, at):
            raise PolicyError(
                f"{setting.who} is {setting.state.value} on {partition!r} by {setting.author}; "
                f"only {setting.author} can lift that"
            )


def request_optout(registry: Registry, request: OptOutRequest) -> Declared:
    """Record a request; it has no effect on any decision.

    Raises
    ------
    InputError
        If its id is taken, or its agency or partition is not known.
    """
    declared = registry.declared
    if any(o.id == request.id for o in declared.optouts):
        raise InputError(f"there is a request {request.id!r} already; give it another id")
    if request.partition not in registry.partitions or request.who not in registry.parent:
        raise InputError(f"{request.who!r} or {request.partition!r} is not registered")
    return dataclasses.replace(
        declared, version=declared.version + 1, optouts=(*declared.optouts, request)
    )


def answer_optout(
    registry: Registry, id: str, status: OptOutStatus, answer: str, at: datetime
) -> Declared:
    """Close a request. Accepting it changes no decision either: deactivating does.

    Parameters
    ----------
    registry : Registry
        The policy, indexed.
    id : str
        Of the request.
    status : OptOutStatus
        Accepted or refused.
    answer : str
        In words.
    at : datetime
        Of the answer.

    Raises
    ------
    InputError
        If there is no open request of that id, or the status would leave it open.
    """
    declared = registry.declared
    found = next((o for o in declared.optouts if o.id == id), None)
    if found is None or found.status is not OptOutStatus.OPEN or status is OptOutStatus.OPEN:
        raise InputError(f"there is no open request {id!r} to answer with {status.value!r}")
    closed = dataclasses.replace(found, status=status, answer=answer, decided=at)
    optouts = tuple(closed if o is found else o for o in declared.optouts)
    return dataclasses.replace(declared, version=declared.version + 1, optouts=optouts)
