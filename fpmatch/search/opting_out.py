"""Requests to opt out, their answers, and whether what was asked for is so."""

from __future__ import annotations

import secrets
from dataclasses import replace

from fpmatch.audit import Kind
from fpmatch.audit.records import time_text
from fpmatch.audit.reports import OptOut
from fpmatch.checks import check_choice, check_text, quoted
from fpmatch.errors import InputError, PolicyError, RefusedError
from fpmatch.gallery import opt_outs
from fpmatch.policy import Policy
from fpmatch.policy.report import reaches
from fpmatch.search import pending
from fpmatch.search.state import State
from fpmatch.types import OptOutReceipt, Ori

ANSWERS = (opt_outs.ACCEPTED, opt_outs.REFUSED)
STATUS = (opt_outs.OPEN, *ANSWERS)
WORDS = 4096
"""Most characters of a reason or an answer."""


def request(state: State, who: str, partition: str, reason: str, name: str) -> OptOutReceipt:
    """See `Engine.request_opt_out`.

    Parameters
    ----------
    state : State
        The open engine.
    who : str
        Who opts out.
    partition : str
        Its name.
    reason : str
        In words.
    name : str
        Its name.
    """
    state.writable()
    _known(state, who, partition)
    check_text("reason", reason, longest=WORDS, printable=False)
    check_text("request", name, longest=255)
    pending.catch_up(state)
    asked = OptOutReceipt(
        request=name or f"OPT-{secrets.token_hex(8)}",
        who=who,
        partition=partition,
        status=opt_outs.OPEN,
        asked=time_text(state.clock()),
        reason=reason,
    )
    return _receipt(state, asked, state.log(opt_outs.add(state.gallery, asked)))


def answer(state: State, name: str, status: str, authority: str, words: str) -> OptOutReceipt:
    """See `Engine.answer_opt_out`.

    Parameters
    ----------
    state : State
        The open engine.
    name : str
        Its name.
    status : str
        What became of it.
    authority : str
        Who ordered it.
    words : str
        The answer in words.
    """
    state.writable()
    check_text("request", name, longest=255, empty=False)
    check_choice("status", status, ANSWERS)
    check_text("authority", authority, longest=255, empty=False)
    check_text("answer", words, longest=WORDS, printable=False)
    pending.catch_up(state)
    found = _named(state, name)
    _entitled(state, found, authority)
    journal = opt_outs.close(
        state.gallery,
        name,
        status=status,
        decided=time_text(state.clock()),
        authority=authority,
        answer=words,
    )
    return _receipt(state, _named(state, name), state.log(journal))


def listed(state: State, status: str | None) -> list[OptOutReceipt]:
    """See `Engine.opt_outs`."""
    if status is not None:
        check_choice("status", status, STATUS)
    found = opt_outs.listed(state.gallery)
    return [_receipt(state, one, 0) for one in found if status in (None, one.status)]


def ineffective(state: State) -> list[OptOut]:
    """See `Engine.ineffective_opt_outs`."""
    policy = state.policy
    if policy is None:
        return state.audit.ineffective_opt_outs()
    registry = policy.registry
    return state.audit.ineffective_opt_outs(
        lambda ori: registry.path(ori) if ori in registry.agencies else (ori,)
    )


def take_over(state: State) -> None:
    """Store what the policy in force declares as asked or answered and the gallery lacks.

    A request that was answered here stays answered, and one that a document no longer names
    stays what it is. Done at publication and at opening, so that it does not matter where it is
    cut off.
    """
    policy = state.policy
    if policy is None or state.mode != "rw":
        return
    here = {one.request: one for one in opt_outs.listed(state.gallery)}
    for said in policy.requests():
        known = here.get(said.id)
        if known is None:
            known = OptOutReceipt(
                said.id, said.who, said.partition, opt_outs.OPEN, time_text(said.requested)
            )
            opt_outs.add(state.gallery, known)
        if known.status == opt_outs.OPEN and said.status.value != opt_outs.OPEN:
            opt_outs.close(
                state.gallery,
                said.id,
                status=said.status.value,
                decided=time_text(said.decided or said.requested),
                authority="",
                answer=said.answer,
            )
    state.log()


def check_declared(state: State, policy: Policy) -> None:
    """InputError if a policy calls something else by the name of a request that is known here."""
    here = {one.request: (one.who, one.partition) for one in opt_outs.listed(state.gallery)}
    for said in policy.requests():
        if here.get(said.id, (said.who, said.partition)) != (said.who, said.partition):
            raise InputError(f"the opt-out {quoted(said.id)} is on record for another or elsewhere")


def _known(state: State, who: str, partition: str) -> None:
    check_text("who", who, longest=255, empty=False)
    check_text("partition", partition, longest=200, empty=False)
    policy = state.policy
    names = {info.name for info in state.gallery.partitions}
    if policy is None:
        Ori(who)
    else:
        names |= {info.name for info in policy.partitions}
        if who not in policy.registry.parent:
            raise InputError(f"{quoted(who)} is no registered agency or jurisdiction")
    if partition not in names:
        raise InputError(f"there is no partition {quoted(partition)}")


def _named(state: State, name: str) -> OptOutReceipt:
    for one in opt_outs.listed(state.gallery):
        if one.request == name:
            return one
    raise InputError("there is no open request of that name to answer")


def _entitled(state: State, asked: OptOutReceipt, authority: str) -> None:
    """PolicyError unless it may decide about that agency and partition; failures are logged."""
    policy = state.policy
    if policy is None:
        raise RefusedError("no policy has been published: nobody has the authority to answer")
    scope = policy.registry.scope
    standing = scope.infer(authority, (asked.partition,))
    problem = f"{quoted(authority)} is no agency, no jurisdiction and does not own the partition"
    if standing is not None:
        problem = scope.may_set(authority, standing, asked.who, (asked.partition,))
    if problem:
        fields = {"what": "answer opt-out", "request": asked.request, "authority": authority}
        state.audit.event(Kind.AUTH_FAILED, fields)
        raise PolicyError(f"it may not answer this request: {problem}")


def _receipt(state: State, one: OptOutReceipt, seq: int) -> OptOutReceipt:
    policy = state.policy
    searched = policy is not None and reaches(
        policy.registry, one.who, one.partition, state.clock()
    )
    return replace(
        one,
        policy_version=policy.version if policy else 0,
        in_effect=not searched,
        audit_seq=seq,
    )
