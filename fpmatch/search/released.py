"""What leaves the engine, and what the log gets of it."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.ledger import Notification
from fpmatch.types import Candidate, Decision, PartitionDecision, PartitionResult, Reason


@dataclass(frozen=True, slots=True)
class ReleasedPartition:
    """One partition at release.

    Parameters
    ----------
    section : PartitionResult
        What the submitter gets.
    truth : PartitionResult
        What the audit log gets: the same, except where the policy is opaque to the submitter.
    found : tuple of Candidate
        The ranked list whether disclosed or not; goes into the audit as a digest, with the
        records' own ids.
    hits : tuple of Candidate
        What the owner is told of.
    granted : PartitionDecision
        What both decisions, at the start and at release, allow.
    """

    section: PartitionResult
    truth: PartitionResult
    granted: PartitionDecision
    found: tuple[Candidate, ...] = ()
    hits: tuple[Candidate, ...] = ()
    notifications: tuple[Notification, ...] = ()
    recipients: tuple[str, ...] = ()

    @property
    def hidden(self) -> bool:
        """Whether the submitter may not even know if this was searched."""
        return self.section.reason is Reason.NOT_DISCLOSED


@dataclass(slots=True)
class Released:
    """All partitions, and the decision that was current at release."""

    decision: Decision
    partitions: list[ReleasedPartition]
