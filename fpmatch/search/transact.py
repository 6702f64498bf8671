"""The whole round of a transaction: read, decide, search, log, and answer in the same format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from fpmatch.audit.records import Kind
from fpmatch.checks import check_choice, check_flag, quoted
from fpmatch.errors import ExtractionError, FormatError, FpmatchError, InputError
from fpmatch.formats import Transaction, ebts, ebts_answers, format_of, itl_read, read
from fpmatch.formats.ebts_address import Address, address_of
from fpmatch.formats.ebts_answering import Answering
from fpmatch.formats.ebts_answers import Answer
from fpmatch.parameters import EXTRACTOR_NAMES
from fpmatch.search import handing_out, probe, run
from fpmatch.search.state import State
from fpmatch.types import Ori, SearchRequest, SearchResponse

FACTS = frozenset(
    {
        "purpose",
        "role",
        "charge",
        "disposition",
        "protected",
        "attributes",
        "threshold",
        "effort",
        "rotation",
        "scale",
        "positions",
    }
)
"""Fields of a request that no transaction says and its submitter does not decide."""
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Transacted:
    """What came of a transaction. It holds nothing that the submitter may not see.

    Parameters
    ----------
    answers : tuple of Answer
        To the submitter: one for each partition whose results it may see, or one error.
    copies : mapping of str to tuple of Answer
        To each agency of 2.007 that may see something, under its own mask.
    submission : Submission or None
        What was read; None if it could not be.
    response : SearchResponse or None
        What was searched and with which outcome; None if nothing was.
    error : Exception or None
        Why nothing was searched (the answer says so), or what the caller's own functions raised
        while the answers were made: then there are none, and `answer` makes them again.
    """

    address: Address
    day: date
    answers: tuple[Answer, ...] = ()
    copies: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    submission: ebts.Submission | None = field(default=None, repr=False)
    response: SearchResponse | None = field(default=None, repr=False)
    copied: Mapping[str, SearchResponse] = field(default_factory=dict, repr=False)
    error: Exception | None = None

    def answer(self, answering: Answering) -> Transacted:
        """Make the answers again, for instance once an examiner has looked; nothing is searched.

        Raises
        ------
        InputError
            If nothing was searched, or what the caller gives cannot be written.
        """
        if self.response is None:
            raise InputError("nothing was searched: there is no other answer")
        findings = ebts_answers.findings_of(self.address, self.response, answering)
        made = ebts_answers.results(self.address, self.response, answering, self.day, findings)
        further = {}
        for ori, response in self.copied.items():
            if all(section.candidates is None for section in response):
                continue
            address = replace(self.address, recipient=ori)
            further[ori] = ebts_answers.results(address, response, answering, self.day, findings)
        return replace(self, answers=made, copies=further, error=None)


def transact(
    state: State,
    data: bytes,
    answering: Answering | None,
    stand_in: str | None,
    extractor: str | None,
    facts: Mapping[str, Any],
    *,
    isolated: bool = False,
) -> Transacted:
    """See `Engine.transact`.

    Parameters
    ----------
    state : State
        The open engine.
    data : bytes
        The submission.
    answering : Answering or None
        What answers are filled with.
    stand_in : str or None
        Who stands in for an absent booking agency.
    extractor : str or None
        A name in `fpmatch.minutiae.EXTRACTORS`.
    facts : Mapping[str, Any]
        What the policy is asked about.
    isolated : bool
        Decode pictures in a process of its own.
    """
    check_flag("isolated", isolated)
    answering = Answering() if answering is None else answering
    _check(data, answering, stand_in, extractor, facts)
    address, content = _read(bytes(data), answering)
    ebts_answers.check_names(address, answering)
    day = state.clock().date()
    known = (*state.gallery.partitions, *(state.policy.partitions if state.policy else ()))
    try:
        if isinstance(content, FormatError):
            raise content
        address.check()
        asked = ebts.submission(content, stand_in=stand_in, extractor=extractor, isolated=isolated)
        probe.check(asked.request, known)
    except (InputError, ExtractionError) as error:
        return _refused(state, address, answering, day, error)
    request = replace(asked.request, **facts)
    probe.check(request, known)
    try:
        response = run.search(state, request)
    except InputError as error:
        return _refused(state, address, answering, day, error)
    done = Transacted(
        address,
        day,
        submission=asked,
        response=response,
        copied=_copies(state, address, request),
    )
    try:
        return done.answer(answering)
    except Exception as error:
        return replace(done, error=error)


def _check(
    data: bytes,
    answering: Answering,
    stand_in: str | None,
    extractor: str | None,
    facts: Mapping[str, Any],
) -> None:
    """Refuse what the caller got wrong; what the submitter got wrong is answered."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"a transaction is bytes, not {quoted(data)}")
    if not isinstance(answering, Answering):
        raise InputError(f"answering must be Answering, not {quoted(answering)}")
    if stand_in is not None:
        Ori(stand_in)
    if extractor is not None:
        check_choice("extractor", extractor, EXTRACTOR_NAMES)
    unknown = sorted(set(facts) - FACTS)
    if unknown:
        raise InputError(f"{quoted(unknown[0])} is no fact of a transaction: {sorted(FACTS)}")


def _read(data: bytes, answering: Answering) -> tuple[Address, Transaction | FormatError]:
    """The envelope, and either what it holds or why that cannot be read."""
    content: Transaction | FormatError
    try:
        content = whole = read(data)
        if not isinstance(whole, Transaction):
            raise FormatError(f"{len(data)} bytes of {format_of(whole)}, which is no transaction")
    except FormatError as error:
        if not itl_read.begins(data):
            raise
        # Who sent it may be readable although a picture in it is cut.
        content, whole = error, itl_read.beginning(data)
    return address_of(whole, sender=answering.sender), content


def _refused(
    state: State, address: Address, answering: Answering, day: date, error: FpmatchError
) -> Transacted:
    """Log a submission that was not searched, and answer it with the reason."""
    said = str(error)
    state.audit.event(
        Kind.AUTH_FAILED,
        {
            "what": "transaction",
            "transaction": quoted(address.kind),
            "ori": address.recipient,
            "tcn": address.control.decode("utf-8", "replace"),
            "reason": said[:_LONGEST_REASON],
        },
    )
    made = ebts_answers.refusal(address, [said], answering, day)
    return Transacted(address, day, answers=(made,), error=error)


def _copies(state: State, address: Address, request: SearchRequest) -> dict[str, SearchResponse]:
    """The copies that agencies of 2.007 get, where there is an answer to copy."""
    if not address.answer:
        return {}
    oris = dict.fromkeys(request.copies_to)
    return {ori: handing_out.take(state, request.tcn, ori, request.booking_ori) for ori in oris}
