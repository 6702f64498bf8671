"""What is asked of the policy, and what it answers."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fpmatch.types.agency import Ori


class Permission(enum.Flag):
    """The five independent permissions of an agency chain on a partition."""

    NONE = 0
    ACCEPT = enum.auto()
    PROBE = enum.auto()
    VIEW = enum.auto()
    NOTIFY = enum.auto()
    RETAIN = enum.auto()


class Outcome(enum.StrEnum):
    """What happened to one partition in one search. Closed."""

    SEARCHED_DISCLOSED = "SEARCHED_DISCLOSED"
    SEARCHED_WITHHELD = "SEARCHED_WITHHELD"
    NOT_SEARCHED = "NOT_SEARCHED"
    DEFERRED = "DEFERRED"
    DEFERRED_CANCELLED = "DEFERRED_CANCELLED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class Reason(enum.StrEnum):
    """Why a partition was, or was not, searched. Closed; one per partition and search."""

    GRANTED = "GRANTED"
    RESULTS_WITHHELD = "RESULTS_WITHHELD"
    ORI_DEACTIVATED = "ORI_DEACTIVATED"
    NOT_ACTIVATED = "NOT_ACTIVATED"
    NO_GRANT = "NO_GRANT"
    NO_AGREEMENT = "NO_AGREEMENT"
    NO_CONSENT = "NO_CONSENT"
    FORBIDDEN = "FORBIDDEN"
    OWNER_FORBIDS = "OWNER_FORBIDS"
    CONFLICT = "CONFLICT"
    CONDITION_NOT_MET = "CONDITION_NOT_MET"
    CONDITION_UNKNOWN = "CONDITION_UNKNOWN"
    PROTECTED = "PROTECTED"
    NO_FEDERAL_SUBMISSION = "NO_FEDERAL_SUBMISSION"
    NOT_REQUESTED = "NOT_REQUESTED"
    AWAITING_EVENT = "AWAITING_EVENT"
    MISSING_LINK = "MISSING_LINK"
    UNKNOWN_AGENCY = "UNKNOWN_AGENCY"
    UNKNOWN_TRANSACTION = "UNKNOWN_TRANSACTION"
    UNKNOWN_PARTITION = "UNKNOWN_PARTITION"
    PARTITION_MISMATCH = "PARTITION_MISMATCH"
    NO_POLICY = "NO_POLICY"
    RELEASE_DENIED = "RELEASE_DENIED"
    NOT_DISCLOSED = "NOT_DISCLOSED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """A gallery with one owner. ``ndr`` is its EBTS 2.098 repository number."""

    name: str
    ndr: int
    owner: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision may depend on. An attribute left ``None`` is unknown, and unknown denies.

    ``chain`` starts with the booking agency (EBTS 2.073 CRI) and lists every agency that the
    submission passed. ``requested`` is None for "all that is granted", else partition names.
    """

    chain: tuple[Ori, ...]
    transaction: str
    purpose: str = "C"
    role: str = ""
    charge: str | None = None
    disposition: str | None = None
    protected: bool | None = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    requested: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PartitionDecision:
    """The decision for one partition, with everything the audit needs to justify it."""

    partition: str
    permissions: Permission
    reason: Reason
    rules: tuple[str, ...] = ()
    authority: str = ""
    agreement: str = ""
    legal_basis: str = ""
    consent_overridden: bool = False
    acknowledged: bool = False
    defer_until: str = ""
    defer_expires: datetime | None = None
    sees_protected: bool = False
    sees_minutiae: bool = False
    opaque: bool = False

    @property
    def probe(self) -> bool:
        """Whether the partition may be searched now."""
        return Permission.PROBE in self.permissions

    @property
    def view(self) -> bool:
        """Whether the submitter sees the result."""
        return Permission.VIEW in self.permissions

    @property
    def notify(self) -> bool:
        """Whether the partition's owner is told of a hit."""
        return Permission.NOTIFY in self.permissions

    @property
    def retain(self) -> bool:
        """Whether the probe may be kept and searched later in this partition."""
        return Permission.RETAIN in self.permissions

    @property
    def deferred(self) -> bool:
        """Whether the search waits for an event."""
        return self.reason is Reason.AWAITING_EVENT


@dataclass(frozen=True, slots=True)
class Mask:
    """The set of partitions that may be searched now, as one integer of up to 64 bits.

    Bit ``i`` stands for the ``i``-th partition of the policy's own order.
    """

    bits: int
    partitions: tuple[str, ...]

    def __contains__(self, partition: str) -> bool:
        return partition in self.partitions and bool(
            self.bits >> self.partitions.index(partition) & 1
        )

    def names(self) -> tuple[str, ...]:
        """The granted partitions, in the policy's order."""
        return tuple(p for i, p in enumerate(self.partitions) if self.bits >> i & 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """One policy decision: made once, before anything is compared.

    ``refused`` means that no partition at all may be searched and the submission is turned
    away (an unknown agency in the chain, an unlisted transaction); ``partitions`` then still
    has an entry for every partition, with that reason.
    """

    policy_version: int
    policy_digest: str
    at: datetime
    refused: bool
    reason: Reason
    partitions: tuple[PartitionDecision, ...]

    def __getitem__(self, partition: str) -> PartitionDecision:
        for decision in self.partitions:
            if decision.partition == partition:
                return decision
        raise KeyError(partition)

    @property
    def mask(self) -> Mask:
        """The partitions that may be searched now."""
        names = tuple(d.partition for d in self.partitions)
        return Mask(sum(d.probe << i for i, d in enumerate(self.partitions)), names)
