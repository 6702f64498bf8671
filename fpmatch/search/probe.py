"""A request, checked and brought into the forms that policy and index work with."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.errors import InputError
from fpmatch.index import EFFORTS
from fpmatch.template import Template
from fpmatch.types import Facts, FingerPosition, Ori, PartitionInfo, SearchRequest


@dataclass(frozen=True, slots=True)
class Probe:
    """The search form of a submission: impressions by finger, in order of position.

    Impressions of unknown position count as one finger: nothing says that they are several, and
    counting one finger twice would make a chance resemblance look like two.
    """

    fingers: tuple[tuple[FingerPosition, tuple[SearchTemplate, ...]], ...]

    @classmethod
    def of(cls, templates: Iterable[Template]) -> Probe:
        """Group and encode."""
        groups: dict[FingerPosition, list[SearchTemplate]] = {}
        for template in templates:
            groups.setdefault(template.position, []).append(encode(template))
        return cls(tuple((p, tuple(groups[p])) for p in sorted(groups)))


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that passed its checks."""

    request: SearchRequest
    facts: Facts
    tcn: str
    requested: tuple[str, ...] | None


def check(request: SearchRequest, known: Iterable[PartitionInfo]) -> Submission:
    """Check a request at the border.

    Raises
    ------
    InputError
        If a value cannot be used; says which and why.
    """
    if not isinstance(request, SearchRequest):
        raise InputError(f"expected a SearchRequest, not {type(request).__name__}")
    if not len(request.fingers):
        raise InputError("a search needs at least one finger")
    for finger in request.fingers:
        if not isinstance(finger, Template):
            raise InputError(f"fingers must be templates, not {type(finger).__name__}")
    if request.effort not in EFFORTS:
        raise InputError(f"effort must be one of {', '.join(EFFORTS)}, not {request.effort!r}")
    if not isinstance(request.max_candidates, int) or request.max_candidates < 0:
        raise InputError(f"max_candidates must be 0 or more, not {request.max_candidates!r}")
    if not math.isfinite(request.threshold):
        raise InputError(f"threshold must be a finite number, not {request.threshold!r}")
    if request.deadline_ms is not None and not request.deadline_ms > 0:
        raise InputError(f"deadline_ms must be positive, not {request.deadline_ms!r}")
    for name in ("tcn", "tcr", "transaction", "purpose", "role"):
        text = getattr(request, name)
        if not isinstance(text, str) or len(text) > 128:
            raise InputError(f"{name} must be text of up to 128 characters")
    for ori in request.copies_to:
        Ori(ori)
    requested = _names(request, known)
    facts = Facts(
        chain=tuple(Ori(o) for o in (request.booking_ori, *request.chain)),
        transaction=request.transaction,
        purpose=request.purpose,
        role=request.role,
        charge=request.charge,
        disposition=request.disposition,
        protected=request.protected,
        attributes=request.attributes,
        requested=requested,
    )
    return Submission(request, facts, request.tcn or f"FPM{secrets.token_hex(12)}", requested)


def _names(request: SearchRequest, known: Iterable[PartitionInfo]) -> tuple[str, ...] | None:
    if request.partitions is None:
        return None
    by_number = {info.ndr: info.name for info in known}
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
