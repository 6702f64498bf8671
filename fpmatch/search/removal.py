"""Expungement and seals: from the gallery, the log, every index, and what was kept for later."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from fpmatch.audit import Kind
from fpmatch.checks import check_choice, check_text
from fpmatch.errors import InputError, RefusedError
from fpmatch.gallery import Receipt, removal
from fpmatch.gallery.answers import Once
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.once import check_key, turn
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
    key: str = "",
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
    key : str
        The caller's.
    """
    state.writable()
    check_order(order, authority)
    check_key(key)
    check_choice("level", level, removal.LEVELS)
    _named(name, partition)
    check_text("event", event, longest=255)
    asked = {"level": level, "name": name, "event": event, "partition": partition}
    said = ["expunge", *asked.values(), order, authority]
    with turn(state, key, said) as act, state.finishing:
        pending.finish_removals(state)
        if act.answer is not None:
            return pending.receipt({**act.answer.fields, "seq": act.seq})
        try:
            return _expunge(state, asked, act.once, order=order, authority=authority)
        except RefusedError:
            # Or is there nothing of that name because this very call has removed it before?
            found = state.gallery.unanswered(pending.call_of(state, asked))
            if found is not None:
                return pending.receipt(found)
            state.audit.event(
                Kind.AUTH_FAILED, {"what": "expunge", "order": order, "authority": authority}
            )
            raise


def _expunge(
    state: State, asked: Mapping[str, Any], once: Once | None, *, order: str, authority: str
) -> Receipt:
    found = removal.targets(state.gallery, asked["name"], asked["level"], asked["partition"])
    places = frozenset(place for place, _ in found)
    with ExitStack() as stack:
        for place in sorted(places):
            stack.enter_context(state.partition_lock(place).writing())
        state.unfinished = True
        out = removal.expunge(state.gallery, **asked, order=order, authority=authority, once=once)
        crash_point("expunge.committed")
        for place in sorted(places):
            state.hosts_follow(place)
    # No search sees the records from here on; what is left to do makes none of them wait.
    return pending.finish_removals(state, own=out.id)[out.id]


def seal(
    state: State,
    name: str,
    *,
    sealed: bool,
    order: str,
    authority: str,
    partition: str | None,
    key: str = "",
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
    key : str
        The caller's.
    """
    state.writable()
    check_order(order, authority)
    check_key(key)
    _named(name, partition)
    pending.catch_up(state)
    what = "seal" if sealed else "unseal"
    with turn(state, key, [what, name, partition, order, authority]) as act:
        if act.answer is not None:
            return act.seq
        return _seal(state, name, partition, act.once, sealed=sealed, ordered=(order, authority))


def _seal(
    state: State,
    name: str,
    partition: str | None,
    once: Once | None,
    *,
    sealed: bool,
    ordered: tuple[str, str],
) -> int:
    order, authority = ordered
    try:
        ((place, _),) = removal.targets(state.gallery, name, "record", partition)
    except RefusedError:
        what = "seal" if sealed else "unseal"
        state.audit.event(Kind.AUTH_FAILED, {"what": what, "order": order, "authority": authority})
        raise
    with state.partition_lock(place).writing():
        journal = removal.seal(
            state.gallery,
            name,
            sealed=sealed,
            order=order,
            authority=authority,
            partition=place,
            once=once,
        )
        state.unlogged = True
        crash_point("seal.committed")
        state.hosts_follow(place)
        seq = state.log(journal)
        crash_point("seal.logged")
        return seq


def check_order(order: str, authority: str) -> None:
    """InputError unless both say something: what they say goes into the log.

    Parameters
    ----------
    order : str
        By which an act was ordered.
    authority : str
        Who ordered it.
    """
    check_text("order", order, longest=1024)
    check_text("authority", authority, longest=255)
    if not order or not authority:
        raise InputError("name the order and the authority that gives it; both go into the log")


def _named(name: str, partition: str | None) -> None:
    check_text("record", name, longest=255)
    if partition is not None:
        check_text("partition", partition, longest=200)
