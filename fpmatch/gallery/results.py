"""What the gallery says of what it did."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.types import FingerPosition, Note


@dataclass(frozen=True, slots=True)
class EnrolError:
    """One item of a batch that was not taken, and why."""

    item: int
    record: str
    message: str


@dataclass(frozen=True, slots=True)
class EnrolFlag:
    """An item that was taken although its fingers resemble nothing that its record held.

    Parameters
    ----------
    item : int
        Number of the item, from 0.
    record : str
    event : str
    score : float
        -10*log10 of the false match rate, over the fingers that could be compared: of a position
        that the record held, or of unknown position. It is below
        `parameters.SEARCH.same_person_score`.
    """

    item: int
    record: str
    event: str
    score: float


@dataclass(frozen=True, slots=True)
class EnrolNote:
    """A remark on a print of an item that was taken: that it should be captured again.

    Parameters
    ----------
    item : int
        Number of the item, from 0.
    record : str
    note : Note
        As a search tells of its own fingers; places are those in the item's ``fingers``.
    """

    item: int
    record: str
    note: Note


@dataclass(frozen=True, slots=True)
class EnrolReport:
    """What became of a batch: everything counted here is on disk.

    Parameters
    ----------
    accepted : int
        Records taken, those that were there already included; a record that came in several
        items (events) counts once.
    fingers : int
        Fingers added; 0 for a batch that was enrolled before.
    errors : tuple of EnrolError
        One for each item that was refused; the others are not affected.
    flags : tuple of EnrolFlag
        Items that were taken, and that a person should look at: perhaps another person's prints.
    notes : tuple of EnrolNote
        Prints that were taken and should be captured again.
    """

    accepted: int = 0
    fingers: int = 0
    errors: tuple[EnrolError, ...] = ()
    flags: tuple[EnrolFlag, ...] = ()
    notes: tuple[EnrolNote, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every item was taken."""
        return not self.errors


@dataclass(frozen=True, slots=True)
class NewRow:
    """A finger that the gallery has just stored.

    Parameters
    ----------
    row : int
        In its partition.
    position : FingerPosition
    record : int
        Key of its record.
    item : int
        Number of the item that it came with; -1 where it came with none.
    place : int
        Among the fingers of that item; -1 where that is not known.
    sha256 : bytes
        Of its template; empty where that is not known.
    """

    row: int
    position: FingerPosition
    record: int
    item: int = -1
    place: int = -1
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class UpdateReceipt:
    """What a change of a record came to.

    Parameters
    ----------
    partition, record : str
    order, authority : str
        As they were given, and logged.
    version : str
        Of the record as it is now; see `RecordInfo.version`.
    changed : tuple of str
        What is other than it was: ``identity``, ``contributor``, ``protected``, ``banned_uses``,
        ``fingers``; empty where all was so already.
    lifted : tuple of str
        What bars less than it did: ``protected``, ``banned_uses``.
    added : int
        Impressions that the record did not hold.
    removed : tuple of str
        SHA-256 of every template that was destroyed.
    kept : int
        Impressions that stay because another event of the record holds them.
    roots : (str, str)
        Gallery root of the partition before and after.
    audit_seq : int
        The log's record of it.
    """

    partition: str
    record: str
    order: str
    authority: str
    version: str
    changed: tuple[str, ...]
    lifted: tuple[str, ...]
    added: int
    removed: tuple[str, ...]
    kept: int
    roots: tuple[str, str]
    audit_seq: int = 0


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
        SHA-256 of every template that was destroyed; "" of one that is damaged, as its digest is.
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
