"""Looking at records: decided, logged, read, decided again, and logged before it leaves.

An agency sees what a search of its own could show it: nothing that is sealed, protected (unless
its role may see that) or banned by the contributor for this use. The owner of a partition sees its
own partition, seals and protection included; a contributor's ban holds towards owners too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.audit import Kind
from fpmatch.audit.records import permission_names
from fpmatch.checks import check_integer, check_pairs, check_several, check_text, quoted
from fpmatch.errors import InputError, RefusedError
from fpmatch.gallery import Columns, facts
from fpmatch.gallery.columns import NO_RECORD
from fpmatch.gallery.removing import UNIFORM
from fpmatch.search import pending, probe
from fpmatch.search.crash_points import crash_point
from fpmatch.search.decision import decide, mismatches
from fpmatch.search.hold import Hold
from fpmatch.search.naming import key_of, shown
from fpmatch.search.state import State
from fpmatch.types import (
    Facts,
    Ori,
    PartitionDecision,
    Permission,
    Reason,
    RecordCount,
    RecordInfo,
    RecordPage,
    RecordsRequest,
)
from fpmatch.types.checked import MOST_AGENCIES

RECORDS, RECORD, COUNT, EXPORT = "RECORDS", "RECORD", "COUNT", "EXPORT"
"""The ways of looking, as types of transaction of the policy."""
KINDS = {EXPORT: (Kind.TEMPLATES_ASKED, Kind.TEMPLATES_GIVEN)}
"""What the log calls the two halves of a way of looking; `LOOK` and `SHOWN` where not said."""

MOST_RECORDS = 10_000
OWNER = "partition-owner"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who looks; ``owner`` is empty for an agency."""

    facts: Facts
    owner: str


@dataclass(frozen=True, slots=True)
class Look:
    """What was granted, and which records that opens.

    Parameters
    ----------
    recipient : str or None
        To whom the partition is opaque, if it is.
    visible : (N,) bool
        By ordinal in the columns.
    """

    state: State
    partition: str
    columns: Columns
    visible: NDArray[np.bool_]
    recipient: str | None
    owner: bool

    def sees(self, key: int | None) -> bool:
        """Whether a record is there and open to the asker."""
        ordinal = None if key is None else self.columns.names.ordinal(key)
        return ordinal is not None and bool(self.visible[ordinal])

    def info(self, key: int, name: str) -> RecordInfo:
        """The facts of a visible record that the asker may have."""
        found = facts.facts(self.state.gallery, key)
        return found if self.owner else RecordInfo(name, found.positions)


def records(
    state: State, partition: str, request: RecordsRequest, after: str, limit: int
) -> RecordPage:
    """See `Engine.records`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    request : RecordsRequest
        What was asked.
    after : str
        The last name of the page before.
    limit : int
        Records of a page.
    """
    check_text("after", after, longest=255)
    check_integer("limit", limit, 1, MOST_RECORDS)

    def read(look: Look) -> tuple[RecordPage, list[str]]:
        every = shown(state, partition, look.recipient, after)
        found = list(islice(((k, n) for k, n in every if look.sees(k)), limit + 1))
        page = tuple(look.info(key, name) for key, name in found[:limit])
        more = found[limit - 1][1] if len(found) > limit else ""
        return RecordPage(partition, page, more), [r.record for r in page]

    return look(state, partition, request, RECORDS, read)


def record(state: State, partition: str, name: str, request: RecordsRequest) -> RecordInfo:
    """See `Engine.record`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    name : str
        The record's id, or the name that it has for who asks.
    request : RecordsRequest
        What was asked.

    Raises
    ------
    RefusedError
        If it is not there, or not open to who asks: in the same words.
    """
    check_text("record", name, longest=255, empty=False)

    def read(look: Look) -> tuple[RecordInfo | None, list[str]]:
        key = key_of(state, partition, name, look.recipient)
        if key is None or not look.sees(key):
            return None, []
        return look.info(key, name), [name]

    found = look(state, partition, request, RECORD, read, name)
    if found is None:
        raise RefusedError(UNIFORM)
    return found


def count(state: State, partition: str, request: RecordsRequest) -> RecordCount:
    """See `Engine.count`.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    request : RecordsRequest
        What was asked.
    """

    def read(look: Look) -> tuple[RecordCount, list[str]]:
        owners = look.columns.row_record
        fingers = np.append(look.visible, False)[owners[owners != NO_RECORD]]
        return RecordCount(partition, int(look.visible.sum()), int(fingers.sum())), []

    return look(state, partition, request, COUNT, read)


def look(
    state: State,
    partition: str,
    request: RecordsRequest,
    what: str,
    read: Callable[[Look], tuple[T, list[str]]],
    sought: str | None = None,
) -> T:
    """Everything that all ways of looking have in common.

    As many records in the log, whatever comes of it.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    request : RecordsRequest
        Who asks.
    what : str
        The way, as a type of transaction.
    read : callable
        Gives the result for what is open to the asker, and the names in it.
    sought : str, optional
        The one record that is asked for.

    Raises
    ------
    RefusedError
        If it is not granted, or no more by the time that it was read.
    """
    check_text("partition", partition, longest=200, empty=False)
    asker = asker_of(request, what, partition)
    pending.catch_up(state)
    with Hold(state) as hold:
        first = _decide(state, partition, asker)
        hold.looks += first.opaque and not first.view
        asked, given = KINDS.get(what, (Kind.LOOK, Kind.SHOWN))
        seq = state.audit.event(asked, _asked(state, partition, asker, first, sought))
        said = partial(_said, state, partition, given, seq)
        crash_point("look.logged")
        try:
            if not first.view:
                said(result="refused", reason=first.reason)
                raise RefusedError(_why(partition, first))
            with state.partition_lock(partition).settled():
                found, names = read(_opened(state, partition, asker, first))
                crash_point("look.read")
                second = _decide(state, partition, asker)
                if not second.view or _terms(second) != _terms(first):
                    hold.looks += second.opaque
                    said(result="refused", reason=Reason.RELEASE_DENIED)
                    raise RefusedError(_why(partition, second, Reason.RELEASE_DENIED))
                said(result="shown", reason=second.reason, found=found, names=names)
        except RefusedError:
            raise
        except BaseException as error:
            said(result="error", reason=Reason.ERROR, error=type(error).__name__)
            raise
    return found


def asker_of(request: RecordsRequest, what: str, partition: str) -> Asker:
    """Who asks, and the facts that the policy is asked about.

    Parameters
    ----------
    request : RecordsRequest
        As it was handed in.
    what : str
        Type of transaction.
    partition : str
        Its name.

    Raises
    ------
    InputError
        If a value cannot be used, or nobody or two ask.
    """
    if not isinstance(request, RecordsRequest):
        raise InputError(f"expected a RecordsRequest, not {quoted(request)}")
    owner = check_text("owner", request.owner, longest=255)
    booking = check_text("booking_ori", request.booking_ori)
    if bool(owner) == bool(booking):
        raise InputError("say who asks: either booking_ori= or owner=")
    chain = check_several("chain", request.chain, most=MOST_AGENCIES)
    if owner and chain:
        raise InputError("an owner asks for itself: a chain belongs to booking_ori=")
    said = Facts(
        chain=() if owner else tuple(Ori(o) for o in (booking, *chain)),
        transaction=what,
        purpose=check_text("purpose", request.purpose),
        role=check_text("role", request.role),
        attributes=check_pairs("attributes", request.attributes),
        requested=(partition,),
    )
    return Asker(said, owner)


def _decide(state: State, partition: str, asker: Asker) -> PartitionDecision:
    """What the policy of now says; of a partition that is not in the gallery nothing is open."""
    here = {info.name: info for info in state.gallery.partitions}
    if asker.owner:
        policy = state.policy
        odd = mismatches(here.values(), policy.partitions if policy else ())
        info = here.get(partition)
        if info is None or info.owner != asker.owner or partition in odd:
            return PartitionDecision(partition, Permission.NONE, Reason.NO_GRANT, opaque=True)
        own = Permission.ACCEPT | Permission.PROBE | Permission.VIEW
        return PartitionDecision(
            partition, own, Reason.GRANTED, authority=OWNER, sees_protected=True
        )
    decided = decide(state, asker.facts, state.policy)[partition]
    if asker.facts.transaction == EXPORT and decided.opaque:
        # Names made for one agency hide nothing where the templates themselves are handed over.
        return PartitionDecision(partition, Permission.NONE, Reason.NO_GRANT, opaque=True)
    if decided.view and partition not in here:
        return PartitionDecision(
            partition, Permission.NONE, Reason.UNKNOWN_PARTITION, opaque=decided.opaque
        )
    return decided


def _opened(state: State, partition: str, asker: Asker, granted: PartitionDecision) -> Look:
    columns = state.gallery.columns(partition)
    uses = probe.uses(asker.facts)
    leaving = asker.facts.transaction == EXPORT
    if asker.owner and not leaving:
        barred = columns.banned(uses=uses)
    else:
        barred = columns.barred(sees_protected=granted.sees_protected, uses=uses)
    if leaving and not asker.owner:
        # An agency is not told of bans: what it takes away would be free of them.
        barred |= columns.banned_at_all()
    recipient = asker.facts.chain[0] if granted.opaque else None
    return Look(state, partition, columns, ~barred, recipient, bool(asker.owner))


def _terms(granted: PartitionDecision) -> tuple[bool, bool, bool]:
    """What the content of an answer depends on; if it changes meanwhile nothing is shown."""
    return granted.view, granted.sees_protected, granted.opaque


def _why(partition: str, denied: PartitionDecision, reason: Reason | None = None) -> str:
    """The refusal: the reason, except where the policy keeps it from the asker."""
    if denied.opaque:
        return UNIFORM
    return (
        f"records of partition {quoted(partition)} are not open to you: {reason or denied.reason}"
    )


def _asked(
    state: State,
    partition: str,
    asker: Asker,
    granted: PartitionDecision,
    sought: str | None,
) -> dict[str, Any]:
    policy = state.policy
    return {
        "what": asker.facts.transaction,
        "partition": partition,
        "cri": asker.facts.chain[0] if asker.facts.chain else "",
        "chain": list(asker.facts.chain),
        "owner": asker.owner,
        "purpose": asker.facts.purpose,
        "role": asker.facts.role,
        "permissions": permission_names(granted.permissions),
        "reason": granted.reason.value,
        "rules": list(granted.rules),
        "authority": granted.authority,
        "policy_version": policy.version if policy else 0,
        "policy_digest": policy.digest if policy else "",
        "record_digest": "" if sought is None else state.audit.records_digest(partition, [sought]),
    }


def _said(
    state: State,
    partition: str,
    kind: Kind,
    seq: int,
    *,
    result: str,
    reason: Reason,
    found: object = None,
    names: Sequence[str] = (),
    error: str = "",
) -> None:
    """Log what leaves, before it does."""
    number = found.records if isinstance(found, RecordCount) else len(names)
    state.audit.event(
        kind,
        {
            "look_seq": seq,
            "partition": partition,
            "result": result,
            "reason": reason.value,
            "records": number,
            "records_digest": state.audit.records_digest(partition, names),
            "error": error,
        },
    )
