"""EBTS 9.1: what a transaction asks, as a `SearchRequest`; `ebts_answers` writes what answers it.

The booking station is the first occurrence of 2.073 and nothing else. Where that is absent or no
ORI a booking is refused: the state's own ORI never stands in for an unknown jail, for its mask may
be wider than the jail's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fpmatch.errors import FormatError, FpmatchError
from fpmatch.formats.ebts_fields import (
    ANSWERED,
    BOOKING,
    CONTROL,
    COPIES,
    DESTINATION,
    KIND,
    ORI,
    ORIGIN,
    control_of,
    occurrences,
    oris_of,
    position_of,
    present,
    priority_of,
    second_of,
    single,
    text_of,
)
from fpmatch.formats.itl_minutiae import TYPE_9, record_templates
from fpmatch.formats.itl_pictures import PICTURE_TYPES, picture
from fpmatch.formats.itl_values import ItlRecord, TaggedRecord, Transaction
from fpmatch.formats.slaps import templates_in
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Ori, SearchRequest

_RETAIN, _AMPUTATED, _REPOSITORIES = 5, 84, 98
_RAPID = "RPIS"
_LONGEST_REASON = 160
_MOST_BOOKING, _MOST_COPIES, _MOST_REPOSITORIES = 3, 9, 16


@dataclass(frozen=True, slots=True)
class Kind:
    """What EBTS 9.1 says of one type of transaction.

    Parameters
    ----------
    booking_optional : bool
        Whether 2.073 may be absent.
    retains : bool
        Whether 2.005 may ask for the prints to be kept.
    candidates : int
        Most candidates that its answer lists: 25 in an SRT, 99 in an SRL.
    answer : str
        Type of the transaction that answers it; "" if its sender wants no answer.
    """

    booking_optional: bool = False
    retains: bool = False
    candidates: int = 20
    answer: str = "SRE"


KINDS = {
    "CAR": Kind(retains=True),
    "CNA": Kind(retains=True, answer=""),
    "NFUF": Kind(retains=True),
    "AMN": Kind(retains=True),
    _RAPID: Kind(answer="RPISR"),
    "TPIS": Kind(booking_optional=True, candidates=25, answer="SRT"),
    "LFIS": Kind(booking_optional=True, candidates=99, answer="SRL"),
}
"""The transactions that are turned into searches."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction that asks for a search.

    Parameters
    ----------
    request : SearchRequest
        Complete but for what no transaction says: charge, disposition, purpose and role are at
        their defaults; set them with `dataclasses.replace`.
    destination : str
        Of the transaction (1.007).
    priority : int
        1 (first) to 9 (1.006; 9 if absent).
    amputated : tuple of int
        Positions of fingers that were not taken (2.084).
    passed_over : tuple of str
        Pictures that could not be searched, each with its record's type, number and the reason:
        palms, slaps whose fingers cannot be told for certain, resolutions that are not credible,
        too little ridge pattern.
    """

    request: SearchRequest
    destination: str
    priority: int
    amputated: tuple[int, ...] = ()
    passed_over: tuple[str, ...] = field(default=())


def submission(
    transaction: Transaction,
    *,
    stand_in: str | None = None,
    extractor: str | None = None,
    isolated: bool = False,
) -> Submission:
    """Turn a transaction into a search.

    Parameters
    ----------
    transaction : Transaction
    stand_in : str, optional
        The ORI under whose mask a transaction is searched that leaves out 2.073 where EBTS lets it
        (TPIS, LFIS); what the policy says. It never stands in for a booking station.
    extractor : str, optional
        See `fpmatch.template.extract`.
    isolated : bool
        Decode pictures in a process of its own; see `fpmatch.read_image`.

    Returns
    -------
    Submission
        The chain of its request is the further occurrences of 2.073, then 1.008; it can only
        narrow what the booking station may see.

    Raises
    ------
    FormatError
        With the byte position, if the type of transaction is not one of `KINDS`, a mandatory field
        is absent or malformed, or no finger can be searched.

    Notes
    -----
    All fields are checked before the first picture is decoded. Pictures are extracted, plain slaps
    as the fingers that they are cut into (`Template.slap` says so; 2.084 and 14.018 say which are
    missing). Minutiae of Type-9 are taken where there is no picture with the same number that
    could be.
    """
    header, second = transaction.header, second_of(transaction)
    kind = _kind(header)
    request = _request(header, second, kind, stand_in)
    priority, amputated = priority_of(header), _amputated(second)
    destination = text_of(header, DESTINATION)[:ORI]
    fingers, passed_over = _fingers(transaction, extractor, isolated, amputated)
    if not fingers:
        raise FormatError(f"no finger can be searched: {'; '.join(passed_over) or 'none is in it'}")
    whole = replace(request, fingers=fingers)
    return Submission(whole, destination, priority, amputated, tuple(passed_over))


def fingers_of(
    transaction: Transaction, *, extractor: str | None = None, isolated: bool = False
) -> tuple[list[Template], tuple[str, ...]]:
    """The fingers of any transaction, as a submission's are taken.

    Parameters
    ----------
    transaction : Transaction
    extractor : str, optional
        See `fpmatch.template.extract`.
    isolated : bool
        See `submission`.

    Returns
    -------
    list of Template, tuple of str
        And what was passed over, as in `Submission.passed_over`.
    """
    unclear: tuple[str, ...] = ()
    try:
        missing = amputated_in(transaction)
    except FormatError as error:
        missing, unclear = (), (str(error),)
    fingers, passed_over = _fingers(transaction, extractor, isolated, missing)
    return fingers, (*unclear, *passed_over)


def _kind(header: TaggedRecord) -> Kind:
    name = text_of(header, KIND)
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise FormatError(f"{name[:16]!r} asks for no search: {known}", position_of(header, KIND))
    return KINDS[name]


def _request(
    header: TaggedRecord, second: TaggedRecord, kind: Kind, stand_in: str | None
) -> SearchRequest:
    """All that the fields say; the fingers come later."""
    name = text_of(header, KIND)
    origin = oris_of(header, ORIGIN)[0]
    booking, further = _booking(second, kind, stand_in)
    copied = single(second, COPIES) is not None
    answering = single(header, ANSWERED) is not None
    return SearchRequest(
        fingers=(),
        booking_ori=booking,
        chain=tuple(ori for ori in dict.fromkeys((*further, origin)) if ori != booking),
        transaction=name,
        partitions=_repositories(second, mandatory=name == _RAPID),
        retain=_flag(second, _RETAIN) and kind.retains,
        copies_to=oris_of(second, COPIES, _MOST_COPIES) if copied else (),
        tcn=control_of(header, CONTROL),
        tcr=control_of(header, ANSWERED) if answering else "",
        max_candidates=kind.candidates,
    )


def _booking(second: TaggedRecord, kind: Kind, stand_in: str | None) -> tuple[str, tuple[str, ...]]:
    """The booking station, and the other agencies of 2.073."""
    if single(second, BOOKING) is not None:
        named = oris_of(second, BOOKING, _MOST_BOOKING)
        return named[0], named[1:]
    at = second.fields[0].at
    if not kind.booking_optional:
        raise FormatError("2.073 names no booking station: nothing stands in for it", at)
    if stand_in is None:
        raise FormatError("2.073 is absent: say under whose mask to search, with stand_in=", at)
    return Ori(stand_in), ()


def _flag(second: TaggedRecord, number: int) -> bool:
    found = single(second, number)
    if found is None:
        return False
    if found.value not in (b"Y", b"N"):
        raise FormatError(f"2.{number:03d} must be Y or N", found.at)
    return found.value == b"Y"


def _repositories(second: TaggedRecord, *, mandatory: bool) -> tuple[int, ...] | None:
    """What 2.098 asks for; it limits what is searched and grants nothing."""
    if not mandatory and single(second, _REPOSITORIES) is None:
        return None
    found = present(second, _REPOSITORIES)
    values = occurrences(found)
    if len(values) > _MOST_REPOSITORIES or not all(v.isdigit() and len(v) <= 3 for v in values):
        raise FormatError("2.098 must be numbers of repositories", found.at)
    return tuple(int(value) for value in values)


def amputated_in(transaction: Transaction) -> tuple[FingerPosition, ...]:
    """Fingers of which any transaction says that they were not taken (2.084).

    Parameters
    ----------
    transaction : Transaction

    Raises
    ------
    FormatError
        With the byte position, if the field is malformed.
    """
    seconds = [r for r in transaction.of_type(2) if isinstance(r, TaggedRecord)]
    found = [code for record in seconds for code in _amputated(record)]
    return tuple(FingerPosition(code) for code in found if 1 <= code <= max(FingerPosition))


def _amputated(second: TaggedRecord) -> tuple[int, ...]:
    found = single(second, _AMPUTATED)
    if found is None:
        return ()
    out = []
    for items in found.items:
        if len(items) != 2 or not items[0].isdigit() or items[1] not in (b"XX", b"UP"):
            raise FormatError("2.084 must be pairs of a finger and XX or UP", found.at)
        out.append(int(items[0][:4]))
    return tuple(out)


def _fingers(
    transaction: Transaction,
    extractor: str | None,
    isolated: bool,
    amputated: Sequence[int],
) -> tuple[list[Template], list[str]]:
    """Templates of all fingers, also of slaps, and why the rest was passed over."""
    fingers: list[Template] = []
    passed_over: list[str] = []
    numbers = set()
    missing = [FingerPosition(code) for code in amputated if 1 <= code <= max(FingerPosition)]
    for record in transaction.records:
        if record.type not in PICTURE_TYPES:
            continue
        of = f"Type-{record.type} {_number(record)}"
        try:
            found, left_out = templates_in(
                picture(transaction, record),
                missing=missing,
                extractor=extractor,
                isolated=isolated,
            )
        except FpmatchError as error:
            passed_over.append(f"{of}: {str(error)[:_LONGEST_REASON]}")
        else:
            fingers += found
            numbers.add(_number(record))
            passed_over += (f"{of}: {what[:_LONGEST_REASON]}" for what in left_out)
    for record in transaction.of_type(TYPE_9):
        if _number(record) in numbers or not isinstance(record, TaggedRecord):
            continue
        try:
            fingers += record_templates(transaction, record)
        except FpmatchError as error:
            passed_over.append(f"Type-9 {_number(record)}: {str(error)[:_LONGEST_REASON]}")
    return fingers, passed_over


def _number(record: ItlRecord) -> str:
    return record.idc[:4].decode("latin-1").lstrip("0") or "0"
