"""What goes into a search and what comes out."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.finger import FingerPosition
from fpmatch.parameters import SEARCH
from fpmatch.types.access import Facts, Outcome, Reason
from fpmatch.types.agency import Ori
from fpmatch.types.claim import Claim, claim_of
from fpmatch.types.coverage import Coverage
from fpmatch.types.pairing import Pairing

if TYPE_CHECKING:
    from fpmatch.template import Template

STATED = tuple(f.name for f in fields(Facts) if f.name not in ("chain", "requested"))
"""Facts that a submission states under the same name. The chain begins with its booking agency,
and what it requests is said by name or number. All that makes, stores or keys facts goes by these
definitions, so that a new fact is nowhere forgotten."""


@dataclass(frozen=True, slots=True)
class Record:
    """One enrolment: the fingers of one person taken at one event, held by one partition.

    Parameters
    ----------
    record : str
        Record id, unique in its partition. Enrolling the same id again adds another event.
    fingers : sequence of Template
        Any number of fingers and impressions; a template's own position says which finger.
    identity : str
        The person the record belongs to, where the owner knows it; a record's own id if empty.
    event : str
        The arrest, booking or encounter that gave the prints; "" is the record's first event.
    contributor : str
        ORI of the agency that gave the record; may ban uses of it.
    protected : bool
        Protected person: excluded before ranking for all but the roles the policy names.
    banned_uses : frozenset of str
        Uses the contributor forbids: transaction names, ``purpose:X`` or ``role:X``.
    """

    record: str
    fingers: Sequence[Template]
    identity: str = ""
    event: str = ""
    contributor: str = ""
    protected: bool = False
    banned_uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FingerScore:
    """The best comparison of one probe finger with one finger of a record.

    Parameters
    ----------
    position : FingerPosition
        The probe's.
    score : float
        -10*log10 of the calibrated false match rate, rounded to 0.01.
    pairing : Pairing or None
        What it rests on, where it was asked for and the policy shows it to the submitter's role.
    """

    position: FingerPosition
    score: float
    pairing: Pairing | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; no pairing is named where there is none."""
        out: dict[str, Any] = {"position": int(self.position), "score": self.score}
        if self.pairing is not None:
            out["pairing"] = self.pairing.to_dict()
        return out


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record worth a person's look; never an identification.

    Parameters
    ----------
    record : str
    score : float
        -10*log10 of the calibrated false match rate, rounded to 0.01; beyond what the calibration
        rests on it ranks and claims no more.
    fmr : float
        False match rate of the score; where `claim` says "below", at most this.
    """

    record: str
    score: float
    fmr: float
    fingers: tuple[FingerScore, ...] = ()

    @property
    def claim(self) -> Claim:
        """The false match rate, and whether it is one or a limit: where evidence ends."""
        return claim_of(self.score)


@dataclass(frozen=True, slots=True)
class SearchCost:
    """What a search did in one partition: the comparison counters that the audit stores.

    Parameters
    ----------
    coverage : Coverage or None
        How much of it answered, where hosts hold it.
    """

    live_fingers: int = 0
    codes_scanned: int = 0
    fingers_scanned: int = 0
    fingers_verified: int = 0
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    complete: bool = True
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One submission.

    Parameters
    ----------
    fingers : sequence of Template
        The probe, one or more fingers of one person.
    booking_ori : str
        The controlling agency (EBTS 2.073): the primary key of the mask.
    chain : sequence of str
        The further agencies that the submission passed, in order.
    transaction : str
        Type of transaction (EBTS 1.004), e.g. ``CAR``.
    partitions : sequence of str, int or None
        Partitions asked for, by name or repository number (EBTS 2.098). None means all that
        is granted, never everything.
    charge, disposition : str or None
        Coded by the caller, e.g. ``felony``, ``misdemeanor``; None or a generic code is unknown.
    protected : bool or None
        Whether the person falls under a protection flag; None (malformed) denies.
    copies_to : sequence of str
        Further ORIs to receive a copy (EBTS 2.007), each under its own mask.
    threshold : float or None
        Lowest score listed, -10*log10(FMR). None is that of `parameters.SEARCH.threshold`: less is
        reached by chance. A verification has none unless it is given.
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    rotation : str
        ``upright``, the default: prints turned by up to a quarter turn are found. ``any``: at every
        angle, for four times the comparisons, and three points less for the same resemblance.
    scale : str
        ``stated``, the default: resolutions are believed. ``any``: the probe's are in doubt (it is
        a photograph): each finger is tried at 0.82 to 1.22 of its size, for seven points less.
    positions : str
        ``labelled``, the default: a finger is compared with those of its own and of unknown
        position. ``any``: with all, each score being the best of so many; for wrong labels.
    minutiae : bool
        Whether candidates shall bring the paired minutiae that their scores rest on. They do where
        the partition's policy shows them to the role (``minutiae_roles``), and nowhere else.
    deadline_ms : float or None
        Give up after this long, waiting for others included; the response then says
        ``complete=False``. Where the log could not be written by then, nothing is searched and
        `AuditError` is raised; the answer itself is always logged first, however long that takes.
    """

    fingers: Sequence[Template]
    booking_ori: str
    chain: Sequence[str] = ()
    transaction: str = "CAR"
    partitions: Sequence[str | int] | None = None
    purpose: str = "C"
    role: str = ""
    charge: str | None = None
    disposition: str | None = None
    protected: bool | None = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    retain: bool = False
    copies_to: Sequence[str] = ()
    tcn: str = ""
    tcr: str = ""
    max_candidates: int = 20
    threshold: float | None = None
    effort: str = "balanced"
    rotation: str = "upright"
    scale: str = "stated"
    positions: str = "labelled"
    minutiae: bool = False
    deadline_ms: float | None = None

    @property
    def lowest(self) -> float:
        """The lowest score listed, whether or not one was asked for."""
        return SEARCH.threshold if self.threshold is None else self.threshold

    def facts(self, requested: tuple[str, ...] | None) -> Facts:
        """What the policy is asked about this submission.

        Parameters
        ----------
        requested : tuple of str or None
            Names of the partitions asked for; None for all that is granted.

        Returns
        -------
        Facts

        Raises
        ------
        InputError
            If an agency is no ORI.
        """
        chain = tuple(Ori(o) for o in (self.booking_ori, *self.chain))
        said = {name: getattr(self, name) for name in STATED}
        return Facts(chain=chain, requested=requested, **said)

    @classmethod
    @takes(facts=Facts)
    def of(cls, facts: Facts, fingers: Sequence[Template], **more: Any) -> Self:
        """The submission of which these are the facts.

        Parameters
        ----------
        facts : Facts
        fingers : sequence of Template
        **more
            Fields that no decision depends on.

        Raises
        ------
        InputError
            If the facts name no agency.
        """
        said = {name: getattr(facts, name) for name in STATED}
        if not facts.chain:
            raise InputError("a submission has a booking agency: the first of the chain")
        first, *others = facts.chain
        return cls(fingers, first, tuple(others), partitions=facts.requested, **{**said, **more})


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """The submitter's section for one partition. ``candidates`` is None unless disclosed.

    For a withheld partition every field is a constant: the same bytes with no hit and with ten.

    Parameters
    ----------
    coverage : Coverage or None
        How much of it was searched, where hosts hold it and its results are disclosed. Of a
        partition that was searched whole nothing of it is written.
    """

    partition: str
    outcome: Outcome
    reason: Reason
    candidates: tuple[Candidate, ...] | None = None
    complete: bool = True
    token: str = ""
    coverage: Coverage | None = None
    cost: SearchCost | None = field(default=None, compare=False, repr=False)

    @property
    def paired(self) -> int:
        """How many candidates bring paired minutiae."""
        listed = self.candidates or ()
        return sum(any(f.pairing is not None for f in c.fingers) for c in listed)


class NoteKind(enum.StrEnum):
    """What a submission's own fingers may be remarked on for."""

    SAME_FINGER = "same_finger"
    OTHER_FINGER = "other_finger"
    RETAKE = "retake"


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on one or two prints of the submission itself: nothing else has a part in it.

    Parameters
    ----------
    kind : NoteKind
        ``same_finger``: two labels are on prints of one finger. ``other_finger``: one label is on
        prints that do not resemble each other, of two fingers or too poor to tell. ``retake``: a
        print so poor that it should be captured again.
    positions : tuple of FingerPosition
        Its label, or those of the two.
    fingers : tuple of int
        Their places in the request's ``fingers``, from 0.
    score : float
        Of the one compared with the other, -10*log10(FMR); of ``retake`` the image quality.
    """

    kind: NoteKind
    positions: tuple[FingerPosition, ...]
    fingers: tuple[int, ...]
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "kind": self.kind.value,
            "positions": [int(p) for p in self.positions],
            "fingers": list(self.fingers),
            "score": self.score,
        }

    @property
    def text(self) -> str:
        """In words."""
        one, *more = (p.name.lower().replace("_", " ") for p in self.positions)
        if self.kind is NoteKind.RETAKE:
            return f"retake: the print labelled {one} has a quality of {self.score:.0f} only"
        said = f"score {self.score:.2f}, FMR {claim_of(self.score)}"
        if self.kind is NoteKind.SAME_FINGER:
            return f"the prints labelled {one} and {more[0]} look like one finger: {said}"
        return (
            f"two prints labelled {one} do not resemble each other: other fingers, or poor; {said}"
        )


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """A section per known partition, also for those that were not searched.

    Parameters
    ----------
    audit_seq : int
        Number of the search in the log: for who runs the engine, and in none of the forms below.
        What is logged for others moves it on, deliveries of hits among it.
    notes : tuple of Note
        Remarks on the submission's own fingers; they depend on nothing else.
    """

    tcn: str
    policy_version: int
    sections: tuple[PartitionResult, ...]
    audit_seq: int = field(default=0, compare=False)
    notes: tuple[Note, ...] = ()

    def __getitem__(self, partition: str) -> PartitionResult:
        for section in self.sections:
            if section.partition == partition:
                return section
        raise KeyError(partition)

    def __iter__(self) -> Iterator[PartitionResult]:
        return iter(self.sections)

    def to_dict(self) -> dict[str, Any]:
        """Plain types only; costs and the audit position are left out, for they are no result."""
        out: dict[str, Any] = {
            "tcn": self.tcn,
            "policy_version": self.policy_version,
            "partitions": [_section(s) for s in self.sections],
        }
        if self.notes:
            out["notes"] = [note.to_dict() for note in self.notes]
        return out

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal responses give equal bytes."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")).encode()


def _section(section: PartitionResult) -> dict[str, Any]:
    out: dict[str, Any] = {
        "partition": section.partition,
        "outcome": section.outcome.value,
        "reason": section.reason.value,
        "complete": section.complete,
    }
    if section.token:
        out["token"] = section.token
    if section.coverage is not None and not section.coverage.whole:
        out["coverage"] = section.coverage.to_dict()
    if section.candidates is not None:
        out["candidates"] = [
            {
                "record": c.record,
                "score": c.score,
                "fmr": c.fmr,
                "fmr_below": c.claim.below,
                "fingers": [f.to_dict() for f in c.fingers],
            }
            for c in section.candidates
        ]
    return out
