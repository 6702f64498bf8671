"""Expungement and seals: from the gallery, the log, every index, and what was kept for later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from fpmatch.audit import Kind
from fpmatch.checks import check_choice, check_several, check_text, quoted
from fpmatch.errors import CorruptError, InputError, RefusedError
from fpmatch.gallery import Receipt, answers, removal, sealing
from fpmatch.gallery.answers import Once
from fpmatch.gallery.removing import UNIFORM, Wanted
from fpmatch.parameters import SEARCH
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.once import Turn, check_key, turn
from fpmatch.search.state import State

Progress = Callable[[int, int], None]


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
    said = ["expunge", level, name, event, partition, order, authority]
    wanted = [Wanted(level, name, event, partition)]
    (receipt,) = expunge_together(state, wanted, (order, authority), (key, said))
    return receipt


def expunge_many(
    state: State,
    names: Sequence[str],
    *,
    level: str,
    order: str,
    authority: str,
    partition: str | None,
    progress: Progress | None = None,
    key: str = "",
) -> tuple[Receipt, ...]:
    """See `Engine.expunge_many`.

    Parameters
    ----------
    state : State
        The open engine.
    names : sequence of str
        Of records or identities.
    level : str
        How much goes: records, or all records of identities.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    progress : callable or None
        Called with those that are done, and all.
    key : str
        The caller's.

    Raises
    ------
    InputError
        If a name is there twice, or an argument cannot be used.
    """
    state.writable()
    check_order(order, authority)
    check_key(key)
    check_choice("level", level, ("record", "identity"))
    if progress is not None and not callable(progress):
        raise InputError(f"progress must be callable, not {quoted(progress)}")
    several = check_several("records", names, most=SEARCH.most_expunged)
    for name in several:
        _named(name, partition)
    if len(set(several)) < len(several):
        raise InputError("records: a name is there twice; name each once")
    said = ["expunge_many", level, list(several), partition, order, authority]
    wanted = [Wanted(level, name, "", partition) for name in several]
    return expunge_together(state, wanted, (order, authority), (key, said), progress)


def expunge_together(
    state: State,
    wanted: Sequence[Wanted],
    ordered: tuple[str, str],
    act: tuple[str, list[Any]] = ("", []),
    progress: Progress | None = None,
) -> tuple[Receipt, ...]:
    """Take out all that is wanted, or nothing; a receipt of each.

    Parameters
    ----------
    state : State
        The open engine, for writing.
    wanted : sequence of Wanted
        Checked.
    ordered : (str, str)
        Order and authority.
    act : (str, list)
        The caller's key, and all that is asked, as JSON can write it.
    progress : callable or None
        Called with those that are done, and all.

    Raises
    ------
    RefusedError
        If there is nothing of one of the names.
    """
    if not wanted:
        return ()
    key, said = act
    with turn(state, key, said) as first, state.finishing:
        pending.finish_removals(state)
        if first.answer is not None:
            return _answered(state, first, _parts(state, first, act, len(wanted)))
        parts = _parts(state, first, act, len(wanted))
        wanted = [replace(one, once=once) for one, once in zip(wanted, parts, strict=True)]
        told = _cut_off(state, wanted, ordered)
        new = [one for n, one in enumerate(wanted) if n not in told]
        done = iter(_expunge(state, new, ordered, list(told.values()), progress))
        return tuple(
            pending.receipt(told[n].fields) if n in told else next(done) for n in range(len(wanted))
        )


def _parts(state: State, first: Turn, act: tuple[str, list[Any]], count: int) -> list[Once | None]:
    """The keys under which the answers to the parts of a call are kept."""
    if first.once is None:
        return [None] * count
    key, said = act
    short = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    rest = (answers.once(state.gallery, key, n, short, first.once.at) for n in range(1, count))
    return [first.once, *rest]


def _answered(state: State, first: Turn, parts: list[Once | None]) -> tuple[Receipt, ...]:
    """What the call was answered when it was made before."""
    found = [first.answer, *(answers.find(state.gallery, one) for one in parts[1:] if one)]
    turns = [Turn(state, answer=answer) for answer in found]
    return tuple(pending.receipt({**t.answer.fields, "seq": t.seq}) for t in turns if t.answer)


def _cut_off(
    state: State, wanted: Sequence[Wanted], ordered: tuple[str, str]
) -> dict[int, removal.Told]:
    """Which of the names this very call has removed before, and was cut off."""
    missing: dict[int, str] = {}
    for n, one in enumerate(wanted):
        try:
            removal.check_there(state.gallery, one)
        except RefusedError:
            asked = {"level": one.level, "name": one.name, "event": one.event}
            missing[n] = pending.call_of(state, {**asked, "partition": one.partition})
        except InputError as error:
            raise error if len(wanted) == 1 else InputError(f"number {n + 1}: {error}") from error
    found = state.gallery.unanswered(list(missing.values())) if missing else {}
    strange = [n for n, call in missing.items() if call not in found]
    if strange:
        order, authority = ordered
        said = {"what": "expunge", "order": order, "authority": authority}
        state.audit.event(Kind.AUTH_FAILED, said)
        more = f" and {len(strange) - 1} others" if len(strange) > 1 else ""
        which = f" (number {strange[0] + 1}{more} of {len(wanted)}); nothing was expunged"
        raise RefusedError(UNIFORM + (which if len(wanted) > 1 else ""))
    return {n: removal.Told(*found[call], wanted[n].once) for n, call in missing.items()}


def _expunge(
    state: State,
    wanted: Sequence[Wanted],
    ordered: tuple[str, str],
    told: Sequence[removal.Told],
    progress: Progress | None,
) -> list[Receipt]:
    order, authority = ordered
    places = {one.partition for one in wanted if one.partition is not None}
    if any(one.partition is None for one in wanted):
        # Whoever enrols meanwhile could give an identity a record where it has none yet.
        places = {info.name for info in state.gallery.partitions}
    done = None
    with ExitStack() as stack:
        for place in sorted(places):
            stack.enter_context(state.partition_lock(place).changing())
        state.unfinished = True
        try:
            done = removal.expunge(
                state.gallery,
                wanted,
                order=order,
                authority=authority,
                told=told,
                progress=lambda n: None if progress is None else progress(n, len(wanted)),
            )
            crash_point("expunge.committed")
            # Searches wait for this alone.
            for place in sorted(done.totals):
                stack.enter_context(state.partition_lock(place).writing())
            removal.show(state.gallery, done)
            for place in sorted(done.totals):
                state.hosts_follow(place)
        except BaseException as error:
            if done is not None or not isinstance(error, RefusedError | InputError | CorruptError):
                # It may be committed: the next call reads the columns anew.
                state.behind |= places
            raise
    # No search sees the records from here on; what is left to do makes none of them wait.
    own = [out.id for out in done.removals]
    receipts = pending.finish_removals(state, own=frozenset(own))
    return [receipts[name] for name in own]


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
        journal = sealing.seal(
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
