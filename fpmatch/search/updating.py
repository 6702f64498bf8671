"""A record changed: in the gallery, the log and the index; what it replaces is destroyed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fpmatch.audit import Kind
from fpmatch.checks import check_flag, check_text, check_uses, quoted
from fpmatch.errors import ConflictError, InputError, RefusedError
from fpmatch.gallery import UpdateReceipt, updating
from fpmatch.gallery.answers import Once
from fpmatch.gallery.batch_answers import LONGEST
from fpmatch.gallery.digest import VERSION_DIGITS
from fpmatch.gallery.records import check_contributor, check_fingers
from fpmatch.gallery.updating import Updated, Wanted
from fpmatch.search import pending
from fpmatch.search.crash_points import crash_point
from fpmatch.search.enrolment import known_uses
from fpmatch.search.indexing import index_rows
from fpmatch.search.once import check_key, digest, turn
from fpmatch.search.removal import check_order
from fpmatch.search.state import State
from fpmatch.types import Record


def update(
    state: State,
    partition: str,
    name: str,
    wanted: Wanted,
    *,
    order: str,
    authority: str,
    key: str = "",
) -> UpdateReceipt:
    """See `Engine.update`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    name : str
        The record's id.
    wanted : Wanted
        As it was handed in.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    key : str
        The caller's.
    """
    state.writable()
    check_order(order, authority)
    check_key(key)
    check_text("record", name, longest=LONGEST, empty=False)
    wanted = check(name, wanted)
    state.gallery.key_of(partition)
    pending.catch_up(state)
    crash_point("update.checked")
    with turn(state, key, _said(partition, name, wanted, order, authority)) as act, state.finishing:
        pending.finish_removals(state)
        if act.answer is not None:
            return _receipt(partition, name, act.answer.fields, act.seq)
        out, seq = _update(state, partition, name, wanted, (order, authority), act.once)
        return _receipt(partition, name, out.fields, seq)


def check(name: str, wanted: Wanted) -> Wanted:
    """What is asked, every value of it as it can be stored.

    Parameters
    ----------
    name : str
        The record's id.
    wanted : Wanted
        As it was handed in.

    Raises
    ------
    InputError
        If a value cannot be used, or nothing is asked for.
    """
    facts = ("identity", "contributor", "protected", "banned_uses", "fingers")
    given = {field: getattr(wanted, field) for field in facts}
    if all(value is None for value in given.values()):
        raise InputError(f"nothing to change: give one of {', '.join(facts)}")
    if wanted.version is not None:
        check_text("version", wanted.version, longest=VERSION_DIGITS, empty=False)
    if wanted.event is not None:
        check_text("event", wanted.event, longest=LONGEST)
        if wanted.fingers is None:
            raise InputError(f"event {quoted(wanted.event)} goes with fingers= alone")
    checks: dict[str, Any] = {
        "identity": lambda value: check_text("identity", value, longest=LONGEST),
        "contributor": check_contributor,
        "protected": lambda value: check_flag("protected", value),
        "banned_uses": lambda value: check_uses("banned_uses", value),
        "fingers": lambda value: check_fingers(name, value),
    }
    said = {f: None if given[f] is None else checks[f](given[f]) for f in facts}
    return replace(wanted, **said)


def _update(
    state: State,
    partition: str,
    name: str,
    wanted: Wanted,
    ordered: tuple[str, str],
    once: Once | None,
) -> tuple[Updated, int]:
    """What was done, and the log's number of it."""
    order, authority = ordered
    out = None
    try:
        with state.partition_lock(partition).writing():
            out = updating.update(
                state.gallery,
                partition,
                name,
                wanted,
                order=order,
                authority=authority,
                record_digest=state.audit.records_digest(partition, [name]),
                accept=lambda uses: known_uses(state, Record(name, (), banned_uses=uses)),
                once=once,
            )
            state.unfinished = state.unfinished or bool(out.id)
            crash_point("update.committed")
            try:
                seq = state.log(out.journal)
                crash_point("update.logged")
            finally:
                index_rows(state, partition, out.added)
            crash_point("update.indexed")
    except BaseException as error:
        if isinstance(error, RefusedError):
            fields = {"what": "update", "order": order, "authority": authority}
            state.audit.event(Kind.AUTH_FAILED, fields)
        if out is not None or not isinstance(error, InputError | RefusedError | ConflictError):
            # It may be committed: the next call brings log, index and files level with it.
            state.behind.add(partition)
            state.unlogged = state.unfinished = True
        raise
    if out.id:
        # No search sees what was replaced; what is left to do makes none of them wait.
        pending.finish_removals(state, own=(out.id,))
    return out, seq


def _said(partition: str, name: str, wanted: Wanted, order: str, authority: str) -> list[Any]:
    banned = None if wanted.banned_uses is None else sorted(wanted.banned_uses)
    fingers = None if wanted.fingers is None else [digest(f) for f in wanted.fingers]
    facts = [wanted.identity, wanted.contributor, wanted.protected, banned, fingers, wanted.event]
    return ["update", partition, name, wanted.version, facts, order, authority]


def _receipt(partition: str, name: str, fields: dict[str, Any], seq: int) -> UpdateReceipt:
    before, after = fields["roots"]
    return UpdateReceipt(
        partition=partition,
        record=name,
        order=fields["order"],
        authority=fields["authority"],
        version=fields["version"],
        changed=tuple(fields["changed"]),
        lifted=tuple(fields["lifted"]),
        added=fields["added"],
        removed=tuple(fields["removed"]),
        kept=fields["kept"],
        roots=(before, after),
        audit_seq=seq,
    )
