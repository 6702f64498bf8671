"""A submission checked at the border, before any of it is looked at."""

from __future__ import annotations

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
from fpmatch.errors import InputError
from fpmatch.template import Template
from fpmatch.types.agency import Ori
from fpmatch.types.search import SearchRequest

EFFORTS = ("fast", "balanced", "scan", "exhaustive")
"""How hard a search looks."""
ROTATIONS = ("upright", "any")
"""How far prints may be turned against each other: a quarter turn, or any angle."""
SCALES = ("stated", "any")
"""Whether the stated resolution is believed, or others are tried as well."""
POSITIONS = ("labelled", "any")
"""Which record fingers a probe finger is compared with."""

MOST_FINGERS = 100
MOST_AGENCIES = 64
MOST_PARTITIONS = 256
MOST_CANDIDATES = 100_000
LONGEST_DEADLINE = 1e9
"""Limits of a submission; beyond them it is refused before any of it is looked at."""


def checked(request: SearchRequest) -> SearchRequest:
    """A copy of a request that nobody can change meanwhile, if every value of it can be used.

    Raises
    ------
    InputError
        Otherwise; says which and why.
    """
    if not isinstance(request, SearchRequest):
        raise InputError(f"expected a SearchRequest, not {quoted(request)}")
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
        threshold=check_number("threshold", r.lowest, -1e6, 1e6),
        effort=check_choice("effort", r.effort, EFFORTS),
        rotation=check_choice("rotation", r.rotation, ROTATIONS),
        scale=check_choice("scale", r.scale, SCALES),
        positions=check_choice("positions", r.positions, POSITIONS),
        minutiae=bool(check_flag("minutiae", r.minutiae)),
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
