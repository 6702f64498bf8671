"""Messages and kept probes, as the ledger holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFERRED, RETAINED = "deferred", "retained"
"""Kinds of kept probes: until an event, and for later arrivals."""
SETTLED = "settled"
"""Owner of a probe whose search is known to have been answered."""
PENDING, READY, DELIVERING, DELIVERED = "pending", "ready", "delivering", "delivered"
DECOY = "decoy"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a partition's owner about one search: exactly one for each hit.

    It holds no record id and no score; those are in the owner's envelope.

    Parameters
    ----------
    id : str
        Names the message; receiving the same id twice is receiving it once.
    office : str
        Where the policy routes it, or ``UNROUTED``.
    intent : int
        The audit log's record of the search.
    """

    id: str
    partition: str
    owner: str
    office: str
    tcn: str
    booking_ori: str
    transaction: str
    reason: str
    consent_overridden: bool
    intent: int
    time: str


@dataclass(frozen=True, slots=True)
class DamagedProbe:
    """A kept probe that cannot be read: never searched, and good for nothing but to be destroyed.

    Parameters
    ----------
    token : object
        As it is stored.
    partition : str
        "" where it cannot be read.
    identity : str or None
        None where it cannot be read.
    """

    token: Any
    partition: str
    identity: str | None


@dataclass(frozen=True, slots=True)
class KeptProbe:
    """A probe that waits, with the facts that it came with.

    Parameters
    ----------
    kind : str
        ``deferred`` (waits for an event) or ``retained`` (searched against what comes later).
    partition : str
        The one partition that it is kept for.
    event, expires : str
        What it waits for, and until when (ISO time in UTC).
    identity : str
        Whom an expungement must name to destroy it too; may be empty.
    request : mapping
        The facts of the submission, as plain types.
    owner : str
        The opening of the gallery whose search kept it.
    claimed : str
        Who is taking it up at the moment, and under which control number: ``OWNER|TCN``, or "".
    """

    token: str
    kind: str
    partition: str
    event: str
    expires: str
    identity: str
    request: dict[str, Any]
    owner: str = ""
    claimed: str = ""
