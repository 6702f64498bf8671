"""What a gallery owes to others: notifications to owners, copies, and probes kept for later."""

from fpmatch.ledger.copies import KeptCopy
from fpmatch.ledger.ledger import FILE, Ledger
from fpmatch.ledger.values import (
    DEFERRED,
    RETAINED,
    SETTLED,
    DamagedProbe,
    KeptProbe,
    Notification,
)

__all__ = [
    "DEFERRED",
    "FILE",
    "RETAINED",
    "SETTLED",
    "DamagedProbe",
    "KeptCopy",
    "KeptProbe",
    "Ledger",
    "Notification",
]
