"""What a search asks of one partition: a plain value, also as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fpmatch.checks import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_several,
    check_text,
)
from fpmatch.descriptor import COLUMNS, SearchTemplate, check_form
from fpmatch.descriptor.scales import Forms
from fpmatch.errors import InputError
from fpmatch.parameters import DESCRIPTOR, SCALE
from fpmatch.search.frame import Frame, Kind, write
from fpmatch.search.probe import Probe
from fpmatch.types import FingerPosition
from fpmatch.types.checked import EFFORTS, LONGEST_DEADLINE, MOST_FINGERS, ROTATIONS

VERSION = 2
MOST_ROWS = 2**31 - 1
MOST_USES = 64
LONGEST_USE = 256
FIELDS = (
    "partition", "fingers", "anywhere", "sees_protected", "uses", "effort", "rotation",
    "seconds_left", "limit", "only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartitionRequest:
    """A probe for one partition, with all that decides what it may see there and how hard to look.

    Parameters
    ----------
    partition : str
        The partition that it is meant for; whoever searches another refuses it.
    probe : Probe
        Search forms of the impressions, by finger, of one scale or of several; without notes.
    sees_protected : bool
        Whether protected records may be seen.
    uses : frozenset of str
        The uses that this search makes of records; those whose contributor bans one are not seen.
    effort : str
        ``fast``, ``balanced``, ``scan`` or ``exhaustive``.
    rotation : str
        ``upright`` or ``any``: how prints may lie.
    seconds_left : float, optional
        Time until the search gives up, from when it is received; negative if that is past.
    limit : int, optional
        Length of the shortlist, instead of the effort's own: rows of one impression, records of
        several.
    only : tuple of int, optional
        Keys of records: compare with these and no others, each that may be seen and has the
        finger. Nothing is searched then.
    """

    partition: str
    probe: Probe
    sees_protected: bool
    uses: frozenset[str]
    effort: str = "balanced"
    rotation: str = "upright"
    seconds_left: float | None = None
    limit: int | None = None
    only: tuple[int, ...] | None = None

    def to_bytes(self) -> bytes:
        """The request as bytes; equal requests give equal bytes. Cost linear in the minutiae."""
        fingers = self.probe.fingers
        fields = {
            "partition": self.partition,
            "anywhere": self.probe.anywhere,
            "sees_protected": self.sees_protected,
            "uses": sorted(self.uses),
            "effort": self.effort,
            "rotation": self.rotation,
            "seconds_left": self.seconds_left,
            "limit": self.limit,
            "only": self.only,
            "fingers": [
                [int(p), [[len(form) for form in forms] for forms in several]]
                for p, several in fingers
            ],
        }
        columns = [
            getattr(form, name)
            for _, several in fingers
            for forms in several
            for form in forms
            for name in COLUMNS
        ]
        return write(Kind.REQUEST, VERSION, fields, columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> PartitionRequest:
        """Read what `to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            Of foreign origin: everything that a search relies on is checked.

        Raises
        ------
        InputError
            On anything else.
        """
        frame = Frame(Kind.REQUEST, VERSION, data, FIELDS)
        f = frame.fields
        seconds, limit = f["seconds_left"], f["limit"]
        if seconds is not None:
            seconds = check_number("seconds_left", seconds, -LONGEST_DEADLINE, LONGEST_DEADLINE)
        if limit is not None:
            limit = check_integer("limit", limit, 0, MOST_ROWS)
        request = cls(
            partition=check_text("partition", f["partition"], empty=False),
            probe=Probe(_fingers(frame, f["fingers"]), bool(check_flag("anywhere", f["anywhere"]))),
            sees_protected=bool(check_flag("sees_protected", f["sees_protected"])),
            uses=frozenset(
                check_text("a use", use, longest=LONGEST_USE)
                for use in check_several("uses", f["uses"], most=MOST_USES)
            ),
            effort=check_choice("effort", f["effort"], EFFORTS),
            rotation=check_choice("rotation", f["rotation"], ROTATIONS),
            seconds_left=seconds,
            limit=limit,
            only=_only(f["only"]),
        )
        frame.end()
        return request


def _fingers(frame: Frame, said: Any) -> tuple[tuple[FingerPosition, tuple[Forms, ...]], ...]:
    out = []
    impressions = 0
    for entry in check_several("fingers", said, most=MOST_FINGERS):
        position, sizes = position_and(entry)
        several = check_several("impressions of a finger", sizes, most=MOST_FINGERS)
        impressions += len(several)
        if not several or impressions > MOST_FINGERS:
            raise InputError(f"a probe has 1 to {MOST_FINGERS} impressions")
        out.append((position, tuple(_forms(frame, sizes) for sizes in several)))
    positions = [position for position, _ in out]
    if not out or positions != sorted(set(positions)):
        raise InputError("the fingers of a probe must be there, each once, in order of position")
    return tuple(out)


def _only(said: Any) -> tuple[int, ...] | None:
    if said is None:
        return None
    keys = check_several("only", said, most=MOST_ROWS)
    return tuple(check_integer("a record's key", key, 0, 2**63 - 1) for key in keys)


def position_and(entry: Any) -> tuple[FingerPosition, Any]:
    """A pair whose first is the number of a finger position.

    Raises
    ------
    InputError
        If it is none.
    """
    pair = check_several("a finger", entry, most=2)
    if len(pair) != 2:
        raise InputError("a finger must be a pair of its position and its sizes")
    most = max(FingerPosition)
    return FingerPosition(check_integer("position", pair[0], 0, int(most))), pair[1]


def _forms(frame: Frame, said: Any) -> Forms:
    sizes = check_several("forms of an impression", said, most=len(SCALE.factors))
    if not sizes:
        raise InputError("an impression has one form at least")
    return tuple(_form(frame, size) for size in sizes)


def _form(frame: Frame, size: Any) -> SearchTemplate:
    m = check_integer("minutiae", size, 0, DESCRIPTOR.max_minutiae)
    columns = {name: frame.column(dtype, (m, *entry)) for name, (dtype, entry) in COLUMNS.items()}
    return check_form(SearchTemplate(**columns))
