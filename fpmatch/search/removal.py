"""Expungement and seals: from the gallery, the log, every index, and what was kept for later."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from fpmatch.audit import Kind
from fpmatch.checks import check_choice, check_text
from fpmatch.errors import InputError, RefusedError
from fpmatch.gallery import Receipt, removal
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.state import State


def expunge(
    state: State,
    name: str,
    *,
    level: str,
    event: str,
    order: str,
    authority: str,
    partition: str | None,
) -> Receipt:
    """See `Engine.expunge`.

    Parameters
    ----------
    state : State
        The open engine.
    name : str
        Its name.
    level : str
        How much goes: one event, a record, or all records of an identity.
    event : str
        What happened, or which enrolment goes.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    """
    state.writable()
    _ordered(order, authority)
    check_choice("level", level, removal.LEVELS)
    _named(name, partition)
    check_text("event", event, longest=255)
    asked = {"level": level, "name": name, "event": event, "partition": partition}
    with state.finishing:
        pending.finish_removals(state)
        try:
            return _expunge(state, asked, order=order, authority=authority)
        except RefusedError:
            # Or is there nothing of that name because this very call has removed it before?
            found = state.gallery.unanswered(pending.call_of(state, asked))
            if found is not None:
                return pending.receipt(found)
            state.audit.event(
                Kind.AUTH_FAILED, {"what": "expunge", "order": order, "authority": authority}
            )
            raise


def _expunge(state: State, asked: Mapping[str, Any], *, order: str, authority: str) -> Receipt:
    found = removal.targets(state.gallery, asked["name"], asked["level"], asked["partition"])
    places = frozenset(place for place, _ in found)
    with ExitStack() as stack:
        for place in sorted(places):
            stack.enter_context(state.partition_lock(place).writing())
        state.unfinished = True
        out = removal.expunge(state.gallery, **asked, order=order, authority=authority)
        crash_point("expunge.committed")
    # No search sees the records from here on; what is left to do makes none of them wait.
    return pending.finish_removals(state, own=out.id)[out.id]


def seal(
    state: State, name: str, *, sealed: bool, order: str, authority: str, partition: str | None
) -> int:
    """See `Engine.seal` and `Engine.unseal`.

    Parameters
    ----------
    state : State
        The open engine.
    name : str
        Its name.
    sealed : bool
        Hide it, or show it again.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    """
    state.writable()
    _ordered(order, authority)
    _named(name, partition)
    pending.catch_up(state)
    try:
        ((place, _),) = removal.targets(state.gallery, name, "record", partition)
    except RefusedError:
        what = "seal" if sealed else "unseal"
        state.audit.event(Kind.AUTH_FAILED, {"what": what, "order": order, "authority": authority})
        raise
    with state.partition_lock(place).writing():
        journal = removal.seal(
            state.gallery, name, sealed=sealed, order=order, authority=authority, partition=place
        )
        return state.log(journal)


def _ordered(order: str, authority: str) -> None:
    check_text("order", order, longest=1024)
    check_text("authority", authority, longest=255)
    if not order or not authority:
        raise InputError("name the order and the authority that gives it; both go into the log")


def _named(name: str, partition: str | None) -> None:
    check_text("record", name, longest=255)
    if partition is not None:
        check_text("partition", partition, longest=200)
