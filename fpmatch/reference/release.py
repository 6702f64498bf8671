"""The second decision, when an answer is to leave: what either of the two denies is denied."""

from __future__ import annotations

from dataclasses import replace

from fpmatch.types import Outcome, PartitionDecision, PartitionResult, Permission, Reason


def both(first: PartitionDecision, then: PartitionDecision | None) -> PartitionDecision:
    """What a decision before the search and one after it grant together.

    Parameters
    ----------
    first : PartitionDecision
        Before the search.
    then : PartitionDecision or None
        After it; None if the partition is not known any more.
    """
    if then is None:
        return replace(first, permissions=Permission.NONE, reason=Reason.RELEASE_DENIED)
    opaque = first.opaque or then.opaque
    if not then.probe:
        lost = Reason.RELEASE_DENIED
        return replace(first, permissions=Permission.NONE, reason=lost, opaque=opaque)
    hides_now = first.view and not then.view
    return replace(
        first,
        permissions=first.permissions & then.permissions,
        reason=then.reason if hides_now else first.reason,
        sees_protected=first.sees_protected and then.sees_protected,
        sees_minutiae=first.sees_minutiae and then.sees_minutiae,
        opaque=opaque,
    )


def ended(section: PartitionResult) -> PartitionResult:
    """The section of a partition that was waited for, after the event."""
    if section.outcome is Outcome.NOT_SEARCHED and section.reason is not Reason.UNKNOWN_PARTITION:
        return replace(section, outcome=Outcome.DEFERRED_CANCELLED)
    return section
