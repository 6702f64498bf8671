"""One ABIS message: read, served by the engine under a fixed configuration, answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fpmatch.audit.records import Kind
from fpmatch.checks import check_integer, quoted
from fpmatch.errors import (
    AuditError,
    InputError,
    RefusedError,
    StorageError,
)
from fpmatch.formats import abis_messages
from fpmatch.formats.abis import Adapter, Fetch
from fpmatch.formats.abis_messages import Failure, FailureReason, Message, Operation
from fpmatch.formats.abis_share import Refused, fetched, fingers_of
from fpmatch.gallery import facts
from fpmatch.search import enrolment, looking, removal
from fpmatch.search.identification import Identified, identify
from fpmatch.search.running import StoredProbe
from fpmatch.search.state import State
from fpmatch.template import Template
from fpmatch.types import Candidate, Record, RecordInfo, RecordsRequest, SearchRequest
from fpmatch.types.checked import MOST_FINGERS

log = logging.getLogger(__name__)

MODALITY = "FIR"
"""How the interface calls fingers."""


@dataclass(frozen=True, slots=True)
class _Serving:
    """What every operation works with."""

    state: State
    adapter: Adapter
    fetch: Fetch
    pending: int


def serve(state: State, data: bytes, adapter: Adapter, fetch: Fetch, pending: int) -> bytes:
    """See `Engine.abis`.

    Parameters
    ----------
    state : State
        The open engine.
    data : bytes
        The message.
    adapter : Adapter
        As whom it is served.
    fetch : callable
        Gives the file behind a referenceURL.
    pending : int
        Messages that wait.

    Raises
    ------
    InputError
        If another argument than the message is malformed.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"a message is bytes, not {quoted(data)}")
    if not isinstance(adapter, Adapter):
        raise InputError(f"adapter must be an Adapter, not {quoted(adapter)}")
    if not callable(fetch):
        raise InputError(f"fetch must be a function, not {quoted(fetch)}")
    check_integer("pending", pending, 0, 2**63 - 1)
    state.gallery.key_of(adapter.partition)
    asked = abis_messages.parse(bytes(data), tuple(adapter.versions))
    if isinstance(asked, Failure):
        log.info("an ABIS message was refused: %s", asked.why)
        return abis_messages.failed(asked, state.clock())
    serving = _Serving(state, adapter, fetch, pending)
    try:
        more = _SERVED[asked.operation](serving, asked)
    except Refused as refused:
        reason, why = refused.reason, str(refused)
    except (StorageError, AuditError) as error:
        # Nothing was done or told that is not in the log; who sent it may send it again.
        reason, why = FailureReason.INTERNAL, str(error)
    else:
        return abis_messages.succeeded(asked, state.clock(), more)
    log.info("%s was refused (%d): %s", asked.operation.value, reason, why)
    failure = Failure(asked.operation.value, asked.request, reason, why)
    return abis_messages.failed(failure, state.clock())


# -- operations ---------------------------------------------------------------------------------


def _insert(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    state, adapter = serving.state, serving.adapter
    state.writable()
    exists = Refused(FailureReason.EXISTS, "the reference exists")
    there: list[str] = []

    def unknown(record: Record) -> Record:
        # Asked again where it is stored: another call may have been quicker.
        if facts.find(state.gallery, adapter.partition, record.record) is not None:
            there.append(record.record)
            raise InputError("the reference exists")
        return record

    key = facts.find(state.gallery, adapter.partition, asked.reference)
    if key is not None:
        if not _delivered_before(serving, asked, key):
            raise exists
        return {}
    fingers = fingers_of(adapter, fetched(serving.fetch, asked.url))
    record = Record(asked.reference, fingers, event=asked.request, contributor=adapter.booking_ori)
    report = enrolment.enrol(state, adapter.partition, [record], accept=unknown)
    if there:
        raise exists
    if report.errors:
        raise Refused(FailureReason.UNEXPECTED, report.errors[0].message)
    return {}


def _delivered_before(serving: _Serving, asked: Message, key: int) -> bool:
    """Whether a record is what this very request inserted: a queue may deliver a message twice."""
    known = facts.facts(serving.state.gallery, key)
    own = known.contributor == serving.adapter.booking_ori and not known.sealed
    return own and known.events == (asked.request,)


def _identify(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    state, adapter = serving.state, serving.adapter
    most = min(asked.max_results or adapter.max_results, adapter.most_results)
    if asked.max_results == 0:
        raise Refused(FailureReason.INVALID_REQUEST, "maxResults 0 asks for nothing")
    target = adapter.target_fpir if asked.target_fpir is None else asked.target_fpir
    apart, protected = None, adapter.protected
    if asked.reference:
        apart, fingers, known = _stored(serving, asked)
        protected = True if known.protected else protected
    else:
        fingers = fingers_of(adapter, fetched(serving.fetch, asked.url))
    request = SearchRequest(
        fingers,
        booking_ori=adapter.booking_ori,
        chain=tuple(adapter.chain),
        transaction=adapter.transaction,
        purpose=adapter.purpose,
        role=adapter.role,
        protected=protected,
        attributes=adapter.attributes,
        max_candidates=most,
        threshold=adapter.threshold,
        effort=adapter.effort,
    )
    found = identify(state, request, within=asked.gallery, apart=apart, target_fpir=target)
    return {"candidateList": _listed(found, most, target)}


def _delete(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    state, adapter = serving.state, serving.adapter
    order = f"{asked.operation.value} {asked.request}"
    if not adapter.authority:
        _note(serving, asked, "no authority is configured")
        raise Refused(FailureReason.ABORTED, "no authority is configured")
    _own(serving, asked)
    try:
        removal.expunge(
            state,
            asked.reference,
            level="record",
            event="",
            order=order,
            authority=adapter.authority,
            partition=adapter.partition,
        )
    except RefusedError:
        raise Refused(FailureReason.NOT_FOUND, "no such reference") from None
    return {}


def _ping(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    return {}


def _pending(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    return {"jobscount": str(serving.pending)}


def _count(serving: _Serving, asked: Message) -> Mapping[str, Any]:
    adapter = serving.adapter
    asker = RecordsRequest(
        adapter.booking_ori,
        chain=tuple(adapter.chain),
        purpose=adapter.purpose,
        role=adapter.role,
        attributes=adapter.attributes,
    )
    try:
        found = looking.count(serving.state, adapter.partition, asker)
    except RefusedError as error:
        raise Refused(FailureReason.ABORTED, str(error)) from None
    return {"count": str(found.records)}


_SERVED: Mapping[Operation, Callable[[_Serving, Message], Mapping[str, Any]]] = {
    Operation.INSERT: _insert,
    Operation.IDENTIFY: _identify,
    Operation.DELETE: _delete,
    Operation.PING: _ping,
    Operation.PENDING: _pending,
    Operation.COUNT: _count,
}


# -- references ---------------------------------------------------------------------------------


def _note(serving: _Serving, asked: Message, why: str) -> None:
    """Log what was not served because nothing entitles to it."""
    serving.state.audit.event(
        Kind.AUTH_FAILED,
        {
            "what": asked.operation.value,
            "order": asked.request,
            "authority": serving.adapter.authority,
            "ori": serving.adapter.booking_ori,
            "reason": why,
        },
    )


def _own(serving: _Serving, asked: Message) -> tuple[int, RecordInfo]:
    """The record of a reference that this agency inserted and that is not sealed.

    Others are as if they were not there: a message names records and must open none.
    """
    state, adapter = serving.state, serving.adapter
    key = facts.find(state.gallery, adapter.partition, asked.reference)
    known = None if key is None else facts.facts(state.gallery, key)
    if key is None or known is None or known.sealed or known.contributor != adapter.booking_ori:
        _note(serving, asked, "no such reference")
        raise Refused(FailureReason.NOT_FOUND, "no such reference")
    return key, known


def _stored(
    serving: _Serving, asked: Message
) -> tuple[StoredProbe, tuple[Template, ...], RecordInfo]:
    """The fingers of a reference, as a probe."""
    state, adapter = serving.state, serving.adapter
    with state.partition_lock(adapter.partition).settled():
        key, known = _own(serving, asked)
        rows = [row for row, _ in facts.rows(state.gallery, key)]
        templates = state.gallery.templates(adapter.partition, rows[:MOST_FINGERS])
        fingers = tuple(template for _, template in templates)
    made = {adapter.transaction, f"purpose:{adapter.purpose}", f"role:{adapter.role}"}
    if not fingers or known.banned_uses & made:
        _note(serving, asked, "no such reference")
        raise Refused(FailureReason.NOT_FOUND, "no such reference")
    return StoredProbe(adapter.partition, asked.reference, key), fingers, known


# -- the answer ---------------------------------------------------------------------------------


def _listed(found: Identified, most: int, target: float | None) -> dict[str, Any]:
    """The candidates of all partitions whose results the agency sees, best first.

    Where it sees those of none an empty list would say that there is no duplicate.
    """
    sections = [s for s in found.response if s.candidates is not None]
    if not sections:
        raise Refused(FailureReason.ABORTED, "nothing may be searched and shown")
    if not all(section.complete for section in sections):
        raise Refused(FailureReason.ABORTED, "the search was not completed")
    both = [(c, s.partition) for s in sections for c in s.candidates or ()]
    both.sort(key=lambda one: (-one[0].score, one[1], one[0].record))
    candidates = [_candidate(c, partition) for c, partition in both[:most]]
    listed: dict[str, Any] = {"count": str(len(candidates)), "candidates": candidates}
    if target is not None:
        evidenced = "true" if found.evidenced else "false"
        listed["analytics"] = {"targetFPIR": f"{target:g}", "targetFPIREvidenced": evidenced}
    return listed


def _candidate(candidate: Candidate, partition: str) -> dict[str, Any]:
    claim = candidate.claim
    whole = {
        "internalScore": f"{candidate.score:.2f}",
        "fmr": f"{claim.fmr:.1e}",
        "fmrBelow": "true" if claim.below else "false",
    }
    fingers = {str(int(f.position)): f"{f.score:.2f}" for f in candidate.fingers}
    return {
        "referenceId": candidate.record,
        "analytics": {**whole, "partition": partition},
        "modalities": [
            {"biometricType": MODALITY, "analytics": {**whole, "fingers": fingers}},
        ],
    }
