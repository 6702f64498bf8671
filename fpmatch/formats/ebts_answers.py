"""EBTS 9.1 answers: SRE, SRT, SRL, RPISR, and ERRT and ERRL where there is nothing to tell.

Each partition whose results the submitter may see has an answer of its own, under the control
number of the submission (1.010). So the answer of one is the same bytes whatever another holds,
and waits for none. Nobody is named and nobody identified but by the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.formats import itl_write
from fpmatch.formats.ebts import KINDS
from fpmatch.formats.ebts_address import NAME, REPEATED, Address
from fpmatch.formats.ebts_answering import Adjudication, Answering, Person
from fpmatch.formats.ebts_fields import (
    ANSWERED,
    CHARACTERS,
    CONTROL,
    DATE,
    DESTINATION,
    KIND,
    LONGEST_CONTROL,
    ORIGIN,
    PRIORITY,
    SCANNED,
    TRANSMITTED,
    VERSION,
)
from fpmatch.formats.itl_values import RS, US, Transaction, tagged
from fpmatch.types import Candidate, FingerPosition, PartitionResult, SearchResponse

Findings = Mapping[str, int | None]
"""Of each adjudicated partition the rank of the candidate who was identified, or None."""

_IDC, _FBI, _FINDING, _MESSAGE, _CANDIDATES, _FINGERS = 2, 14, 59, 60, 64, 74
_IMAGES, _NOTE, _SCORES = 79, 88, 89
_MOST_MESSAGES, _LONGEST_MESSAGE = 11, 300
_MOST_NUMBERS = 2
_LEAST_CONTROL = 10
_LEADING = 12
_MOST_SCORE = 999_999
_SCORE_UNITS = 100
_LIGHTS = {
    "R": "HIGHLY PROBABLE CANDIDATE, NOT AN IDENTIFICATION",
    "Y": "POSSIBLE CANDIDATE, NOT AN IDENTIFICATION",
    "G": "NO CANDIDATE",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A transaction that answers a submission.

    Parameters
    ----------
    kind : str
        Its type (1.004).
    partition : str
        Whose results it gives; "" if it is about the submission as a whole.
    control : str
        Its own number (1.009).
    data : bytes
        The file.
    unnamed : tuple of str
        Records of candidates that are left out because the caller named nobody.
    adjudicated : bool
        Whether an examiner's finding is in it. An SRE without says that no identification was
        made (N), for nobody looked.
    """

    kind: str
    partition: str
    control: str
    data: bytes = field(repr=False)
    unnamed: tuple[str, ...] = ()
    adjudicated: bool = False


def findings_of(address: Address, response: SearchResponse, answering: Answering) -> Findings:
    """Ask the caller what was found, once for each partition whose answer can say it.

    Parameters
    ----------
    address : Address
        Of the submission.
    response : SearchResponse
        What was searched.
    answering : Answering
        Holds the caller's function; without one nothing was found.

    Raises
    ------
    InputError
        If the caller identifies a record that is no candidate in that partition's section: an
        answer must not tell of one that was not disclosed.
    """
    out: dict[str, int | None] = {}
    if answering.adjudicate is None or address.answer != "SRE":
        return out
    for section in response:
        if section.candidates is None:
            continue
        found = answering.adjudicate(section)
        if found is None:
            continue
        if not isinstance(found, Adjudication):
            raise InputError(f"adjudicate must return an Adjudication, not {quoted(found)}")
        records = [candidate.record for candidate in section.candidates]
        if found.record is not None and found.record not in records:
            raise InputError(f"{quoted(found.record)} is no candidate of {section.partition}")
        out[section.partition] = None if found.record is None else records.index(found.record)
    return out


def results(
    address: Address,
    response: SearchResponse,
    answering: Answering,
    day: date,
    findings: Findings | None = None,
) -> tuple[Answer, ...]:
    """Answer a search: one transaction for each partition whose results may be seen.

    Parameters
    ----------
    address : Address
    response : SearchResponse
        Of the search that the submission asked for, or a copy of it.
    answering : Answering
    day : date
        Of the answers (1.005).
    findings : mapping, optional
        See `findings_of`.

    Returns
    -------
    tuple of Answer
        In the response's order. One error (ERRT, ERRL) that gives the outcomes if no results may
        be seen; an error in the place of a partition that was not searched to its end, for a list
        cut short must not pass for "no candidate". None where the sender wants no answer (CNA).

    Raises
    ------
    InputError
        If the caller's functions give what cannot be written.
    """
    seen = [section for section in response if section.candidates is not None]
    if not seen:
        outcomes = [f"{s.partition}: {s.outcome.value} {s.reason.value}" for s in response]
        return (refusal(address, outcomes, answering, day),)
    out = []
    for section in seen:
        if not section.complete:
            text = f"{section.partition}: the search was not completed"
            out.append(refusal(address, [text], answering, day, section.partition))
        elif address.answer:
            out.append(_result(address, section, answering, day, findings or {}))
    return tuple(out)


def refusal(
    address: Address,
    messages: Sequence[str],
    answering: Answering,
    day: date,
    partition: str = "",
) -> Answer:
    """An answer that says why there are no results: ERRT, or ERRL to a latent submission.

    Parameters
    ----------
    address : Address
        Of the submission.
    messages : sequence of str
        Written as ASCII of up to 300 characters each; of more than 11 the last says how many more
        there are.
    answering : Answering
        Who sends it.
    day : date
        Of the answer.
    partition : str
        Whose results it stands for; "" where nothing was searched at all.
    """
    shown = list(messages)
    if len(shown) > _MOST_MESSAGES:
        rest = len(shown) - _MOST_MESSAGES + 1
        shown = [*shown[: _MOST_MESSAGES - 1], f"and {rest} more"]
    fields = {_MESSAGE: RS.join(_plain(text) for text in shown)}
    return _write(address, address.error, fields, answering, day, partition)


def _result(
    address: Address,
    section: PartitionResult,
    answering: Answering,
    day: date,
    findings: Findings,
) -> Answer:
    """The answer for one partition that was searched to its end."""
    candidates = section.candidates or ()
    name = section.partition
    unnamed: list[str] = []
    fields: dict[int, bytes] = {}
    if address.answer == "SRE":
        fields = _identification(name, candidates, answering, findings)
    elif address.answer == "RPISR":
        fields = _light(name, candidates, answering)
    else:
        people = _people(name, candidates, address, answering, unnamed)
        fields = _list(people, scored=address.answer == "SRL")
    return _write(
        address,
        address.answer,
        fields,
        answering,
        day,
        name,
        unnamed=tuple(unnamed),
        adjudicated=name in findings,
    )


def _identification(
    partition: str, candidates: Sequence[Candidate], answering: Answering, findings: Findings
) -> dict[int, bytes]:
    """SRE: I only from an adjudication; N says that no identification was made."""
    rank = findings.get(partition)
    if rank is None:
        return {_FINDING: b"N"}
    fields = {_FINDING: b"I"}
    person = _person(partition, candidates[rank], answering)
    if person is not None:
        fields |= {_FBI: person.ucn.encode(), NAME: person.name.encode()}
    return fields


def _light(
    partition: str, candidates: Sequence[Candidate], answering: Answering
) -> dict[int, bytes]:
    """RPISR: the best score decides the colour; up to two numbers, and the name of the first."""
    lights = answering.lights
    shown = [c for c in candidates if c.score >= lights.yellow]
    colour = "R" if any(c.score >= lights.red for c in shown) else "Y" if shown else "G"
    fields = {
        _FINDING: colour.encode(),
        _NOTE: _plain(f"REPOSITORY {partition}: {_LIGHTS[colour]}"),
    }
    people = [_person(partition, c, answering) for c in shown[:_MOST_NUMBERS]]
    named = [person for person in people if person is not None]
    if named:
        fields[_FBI] = RS.join(person.ucn.encode() for person in named)
        fields[NAME] = named[0].name.encode()
    return fields


def _people(
    partition: str,
    candidates: Sequence[Candidate],
    address: Address,
    answering: Answering,
    unnamed: list[str],
) -> list[tuple[Candidate, Person]]:
    out = []
    for candidate in candidates[: KINDS[address.kind].candidates]:
        person = _person(partition, candidate, answering)
        if person is None:
            unnamed.append(candidate.record)
        else:
            out.append((candidate, person))
    return out


def _list(people: Sequence[tuple[Candidate, Person]], *, scored: bool) -> dict[int, bytes]:
    """SRT and SRL; the latter with each candidate's finger and score, and no images."""
    fields = {_IMAGES: b"0"} if scored else {}
    if not people:
        return fields
    fields[_CANDIDATES] = RS.join(
        US.join((person.ucn.encode(), person.name.encode())) for _, person in people
    )
    if scored:
        fields[_FINGERS] = RS.join(b"%02d" % _finger(candidate) for candidate, _ in people)
        fields[_SCORES] = RS.join(b"%d" % _score(candidate) for candidate, _ in people)
    return fields


def _finger(candidate: Candidate) -> int:
    best = max(candidate.fingers, key=lambda f: f.score, default=None)
    return int(best.position if best is not None else FingerPosition.UNKNOWN)


def _score(candidate: Candidate) -> int:
    return min(max(round(candidate.score * _SCORE_UNITS), 0), _MOST_SCORE)


def _person(partition: str, candidate: Candidate, answering: Answering) -> Person | None:
    person = None if answering.who is None else answering.who(partition, candidate)
    if person is not None and not isinstance(person, Person):
        raise InputError(f"who must return a Person or None, not {quoted(person)}")
    return person


def _plain(text: str) -> bytes:
    """Text as one message: printable ASCII, cut."""
    shown = "".join(c if " " <= c <= "~" else "?" for c in text[:_LONGEST_MESSAGE])
    return shown.encode("ascii") or b"?"


def _write(
    address: Address,
    kind: str,
    fields: Mapping[int, bytes],
    answering: Answering,
    day: date,
    partition: str,
    *,
    unnamed: tuple[str, ...] = (),
    adjudicated: bool = False,
) -> Answer:
    header: dict[int, bytes] = {
        VERSION: b"0400",
        KIND: kind.encode(),
        DATE: f"{day:%Y%m%d}".encode(),
        PRIORITY: address.priority,
        DESTINATION: address.recipient.encode(),
        ORIGIN: address.sender.encode(),
        ANSWERED: address.control,
        SCANNED: b"00.00",
        TRANSMITTED: b"00.00",
        CHARACTERS: address.characters,
    }
    repeated = {n: address.repeated[n] for n in REPEATED[kind] if n in address.repeated}
    second = {_IDC: b"00", **repeated, **fields}
    control = _control(header, second, kind, partition, answering)
    header[CONTROL] = control.encode()
    data = itl_write.write(_transaction(header, second))
    return Answer(kind, partition, control, data, unnamed, adjudicated)


def _transaction(header: Mapping[int, bytes], second: Mapping[int, bytes]) -> Transaction:
    first = {number: header[number] for number in sorted(header) if header[number]}
    rest = {number: second[number] for number in sorted(second)}
    return Transaction((tagged(1, first), tagged(2, rest)))


def _control(
    header: Mapping[int, bytes],
    second: Mapping[int, bytes],
    kind: str,
    partition: str,
    answering: Answering,
) -> str:
    """The caller's number, or one that follows from the content and begins with the partition."""
    if answering.control is not None:
        given = answering.control(kind, partition)
        if (
            not isinstance(given, str)
            or not _LEAST_CONTROL <= len(given) <= LONGEST_CONTROL
            or not (given.isascii() and given.isprintable())
        ):
            raise InputError(
                f"a control number has {_LEAST_CONTROL} to {LONGEST_CONTROL} printable ASCII "
                f"characters, not {quoted(given)}"
            )
        return given
    content = partition.encode() + b"\0" + itl_write.write(_transaction(header, second))
    leading = "".join(c if c.isascii() and c.isalnum() else "-" for c in partition[:_LEADING])
    digest = hashlib.sha256(content).hexdigest().upper()
    return f"{leading or 'FPM'}-{digest}"[:LONGEST_CONTROL]


def check_names(address: Address, answering: Answering) -> None:
    """Refuse a list of people from a caller who names none, before anything is searched.

    Raises
    ------
    InputError
    """
    if address.answer in ("SRT", "SRL") and answering.who is None:
        raise InputError(
            f"an {address.answer} lists people: say who candidates are (who=, or --people)"
        )
