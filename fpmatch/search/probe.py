"""A request, checked and brought into the forms that policy and index work with."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from fpmatch.checks import quoted
from fpmatch.descriptor import encode, encode_scales
from fpmatch.descriptor.scales import Forms
from fpmatch.errors import InputError
from fpmatch.search import sequence
from fpmatch.template import Template
from fpmatch.types import Facts, FingerPosition, Note, PartitionInfo, SearchRequest
from fpmatch.types.checked import checked


@dataclass(frozen=True, slots=True)
class Probe:
    """The search form of a submission: impressions by finger, in order of position.

    Impressions of unknown position count as one finger: nothing says that they are several, and
    counting one finger twice would make a chance resemblance look like two.

    Parameters
    ----------
    fingers : tuple of (position, tuple of (tuple of SearchTemplate))
        Of each impression the form at its stated resolution, or those of every scale.
    anywhere : bool
        Whether a finger is compared with those of every position.
    notes : tuple of Note
        On the fingers among themselves.
    places : tuple of tuple of int
        For each finger where in the submission its impressions are; empty if that is not known.
    """

    fingers: tuple[tuple[FingerPosition, tuple[Forms, ...]], ...]
    anywhere: bool = False
    notes: tuple[Note, ...] = ()
    places: tuple[tuple[int, ...], ...] = field(default=(), compare=False)

    @classmethod
    def of(
        cls,
        templates: Iterable[Template],
        *,
        positions: str = "labelled",
        rotation: str = "upright",
        scale: str = "stated",
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
        scale : str
            Whether their stated resolutions are believed.
        """
        templates = tuple(templates)
        labels = [template.position for template in templates]
        stated = [encode(template) for template in templates]
        forms: list[Forms] = [(form,) for form in stated]
        if scale == "any":
            forms = [encode_scales(template) for template in templates]
        values = sequence.resemblances(forms, stated, rotation)
        anywhere = positions == "any"
        under = sequence.merged(labels, values) if anywhere else {p: p for p in labels}
        groups: dict[FingerPosition, list[int]] = {}
        for place, label in enumerate(labels):
            groups.setdefault(under[label], []).append(place)
        fingers = tuple((p, tuple(forms[i] for i in groups[p])) for p in sorted(groups))
        notes = sequence.notes(labels, values) + sequence.retakes(templates)
        return cls(fingers, anywhere, notes, tuple(tuple(groups[p]) for p in sorted(groups)))

    @classmethod
    def of_request(cls, request: SearchRequest) -> Probe:
        """The probe of a checked request."""
        return cls.of(
            request.fingers,
            positions=request.positions,
            rotation=request.rotation,
            scale=request.scale,
        )

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


def check(request: SearchRequest, known: Iterable[PartitionInfo]) -> Submission:
    """Check a request at the border, and take a copy that nobody can change meanwhile.

    Raises
    ------
    InputError
        If a value cannot be used; says which and why.
    """
    request = checked(request)
    requested = _names(request, known)
    facts = request.facts(requested)
    return Submission(request, facts, request.tcn or f"FPM{secrets.token_hex(12)}", requested)


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
