"""What the gallery says of what it did."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.types import FingerPosition


@dataclass(frozen=True, slots=True)
class EnrolError:
    """One item of a batch that was not taken, and why."""

    item: int
    record: str
    message: str


@dataclass(frozen=True, slots=True)
class EnrolReport:
    """What became of a batch: everything counted here is on disk.

    Parameters
    ----------
    accepted : int
        Records taken, those that were there already included.
    fingers : int
        Fingers added; 0 for a batch that was enrolled before.
    errors : tuple of EnrolError
        One for each record that was refused; the others are not affected.
    """

    accepted: int = 0
    fingers: int = 0
    errors: tuple[EnrolError, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every item was taken."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class NewRow:
    """A finger that the gallery has just stored."""

    row: int
    position: FingerPosition
    record: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of an expungement, without the data: digests only.

    Parameters
    ----------
    level : str
        ``event``, ``record`` or ``identity``.
    records, events, fingers : int
        How many of each are gone.
    kept : int
        Fingers that stay because another event of the record holds the same impression.
    removed : tuple of str
        SHA-256 of every template that was destroyed.
    probes : int
        Deferred and retained probes of the same identity that were destroyed.
    roots : tuple of (str, str, str)
        Partition, gallery root before and after.
    audit_seq : int
        The log's record of it.
    """

    level: str
    order: str
    authority: str
    records: int
    events: int
    fingers: int
    kept: int
    removed: tuple[str, ...]
    probes: int
    roots: tuple[tuple[str, str, str], ...]
    audit_seq: int = 0
