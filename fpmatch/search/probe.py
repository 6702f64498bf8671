"""A request, checked and brought into the forms that policy and index work with."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from fpmatch.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_pairs,
    check_several,
    check_text,
    quoted,
)
from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.errors import InputError
from fpmatch.index import EFFORTS
from fpmatch.matcher import ROTATIONS
from fpmatch.search import sequence
from fpmatch.template import Template
from fpmatch.types import Facts, FingerPosition, Note, Ori, PartitionInfo, SearchRequest


@dataclass(frozen=True, slots=True)
class Probe:
    """The search form of a submission: impressions by finger, in order of position.

    Impressions of unknown position count as one finger: nothing says that they are several, and
    counting one finger twice would make a chance resemblance look like two.

    Parameters
    ----------
    fingers : tuple of (position, tuple of SearchTemplate)
    anywhere : bool
        Whether a finger is compared with those of every position.
    notes : tuple of Note
        On the fingers among themselves.
    """

    fingers: tuple[tuple[FingerPosition, tuple[SearchTemplate, ...]], ...]
    anywhere: bool = False
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(
        cls,
        templates: Iterable[Template],
        *,
        positions: str = "labelled",
        rotation: str = "upright",
    ) -> Probe:
        """Encode, compare with each other, and group: by label, and where labels are disregarded
        those together that are of one finger.

        Parameters
        ----------
        templates : Iterable[Template]
            Of the submission.
        positions : str
            Whether labels count.
        rotation : str
            How the prints may lie.
        """
        templates = tuple(templates)
        labels = [template.position for template in templates]
        forms = [encode(template) for template in templates]
        values = sequence.resemblances(forms, rotation)
        anywhere = positions == "any"
        under = sequence.merged(labels, values) if anywhere else {p: p for p in labels}
        groups: dict[FingerPosition, list[SearchTemplate]] = {}
        for label, form in zip(labels, forms, strict=True):
            groups.setdefault(under[label], []).append(form)
        fingers = tuple((p, tuple(groups[p])) for p in sorted(groups))
        notes = sequence.notes(labels, values) + sequence.retakes(templates)
        return cls(fingers, anywhere, notes)

    @classmethod
    def of_request(cls, request: SearchRequest) -> Probe:
        """The probe of a checked request."""
        return cls.of(request.fingers, positions=request.positions, rotation=request.rotation)

    def seen(self, position: FingerPosition) -> FingerPosition:
        """The position that a finger is searched under: unknown sees all."""
        return FingerPosition.UNKNOWN if self.anywhere else position


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that passed its checks."""

    request: SearchRequest
    facts: Facts
    tcn: str
    requested: tuple[str, ...] | None


POSITIONS = ("labelled", "any")
"""Which record fingers a probe finger is compared with."""

MOST_FINGERS = 100
MOST_AGENCIES = 64
MOST_PARTITIONS = 256
MOST_CANDIDATES = 100_000
LONGEST_DEADLINE = 1e9
"""Limits of a submission; beyond them it is refused before any of it is looked at."""


def check(request: SearchRequest, known: Iterable[PartitionInfo]) -> Submission:
    """Check a request at the border, and take a copy that nobody can change meanwhile.

    Raises
    ------
    InputError
        If a value cannot be used; says which and why.
    """
    if not isinstance(request, SearchRequest):
        raise InputError(f"expected a SearchRequest, not {quoted(request)}")
    request = _checked(request)
    requested = _names(request, known)
    facts = request.facts(requested)
    return Submission(request, facts, request.tcn or f"FPM{secrets.token_hex(12)}", requested)


def _checked(request: SearchRequest) -> SearchRequest:
    r = request
    deadline = r.deadline_ms
    if deadline is not None:
        deadline = check_number("deadline_ms", deadline, 1e-6, LONGEST_DEADLINE)
    return SearchRequest(
        fingers=_fingers(r.fingers),
        booking_ori=Ori(r.booking_ori),
        chain=tuple(Ori(o) for o in check_several("chain", r.chain, most=MOST_AGENCIES)),
        transaction=check_text("transaction", r.transaction),
        partitions=_partitions(r.partitions),
        purpose=check_text("purpose", r.purpose),
        role=check_text("role", r.role),
        charge=None if r.charge is None else check_text("charge", r.charge),
        disposition=None if r.disposition is None else check_text("disposition", r.disposition),
        protected=check_flag("protected", r.protected, unknown=True),
        attributes=check_pairs("attributes", r.attributes),
        retain=bool(check_flag("retain", r.retain)),
        copies_to=tuple(
            Ori(o) for o in check_several("copies_to", r.copies_to, most=MOST_AGENCIES)
        ),
        tcn=check_text("tcn", r.tcn),
        tcr=check_text("tcr", r.tcr),
        max_candidates=check_integer("max_candidates", r.max_candidates, 0, MOST_CANDIDATES),
        threshold=check_number("threshold", r.threshold, -1e6, 1e6),
        effort=check_choice("effort", r.effort, EFFORTS),
        rotation=check_choice("rotation", r.rotation, ROTATIONS),
        positions=check_choice("positions", r.positions, POSITIONS),
        deadline_ms=deadline,
    )


def _fingers(value: object) -> tuple[Template, ...]:
    fingers = check_several("fingers", value, most=MOST_FINGERS)
    if not fingers:
        raise InputError("a search needs at least one finger")
    for finger in fingers:
        if not isinstance(finger, Template):
            raise InputError(f"fingers must be templates, not {quoted(finger)}")
    return fingers


def _partitions(value: object) -> tuple[str | int, ...] | None:
    if value is None:
        return None
    return tuple(
        check_text("a partition", p, longest=200, empty=False)
        if isinstance(p, str)
        else check_integer("a partition's number", p, 0, 2**31 - 1)
        for p in check_several("partitions", value, most=MOST_PARTITIONS)
    )


def _names(request: SearchRequest, known: Iterable[PartitionInfo]) -> tuple[str, ...] | None:
    if request.partitions is None:
        return None
    known = tuple(known)
    by_number = {info.ndr: info.name for info in known}
    names = {info.name for info in known}
    for p in request.partitions:
        if isinstance(p, str) and p.isdecimal() and p not in names:
            raise InputError(f"a repository number is a number, not text: {quoted(p)}")
    return tuple(
        dict.fromkeys(
            by_number.get(p, f"repository {p}") if isinstance(p, int) else str(p)
            for p in request.partitions
        )
    )


def uses(facts: Facts) -> frozenset[str]:
    """The uses that a contributor may have banned, as this search makes them."""
    out = {facts.transaction, f"purpose:{facts.purpose}"}
    if facts.role:
        out.add(f"role:{facts.role}")
    return frozenset(out)
