"""The only room that joins policy, audit, gallery and index: `Engine`."""

from fpmatch.gallery.results import (
    EnrolError,
    EnrolFlag,
    EnrolNote,
    EnrolReport,
    Receipt,
    UpdateReceipt,
)
from fpmatch.ledger import Notification
from fpmatch.search.engine import Engine
from fpmatch.search.limits import Limits
from fpmatch.search.transact import Transacted

__all__ = [
    "Engine",
    "EnrolError",
    "EnrolFlag",
    "EnrolNote",
    "EnrolReport",
    "Limits",
    "Notification",
    "Receipt",
    "Transacted",
    "UpdateReceipt",
]
