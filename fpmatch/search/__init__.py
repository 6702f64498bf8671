"""The only room that joins policy, audit, gallery and index: `Engine`."""

from fpmatch.gallery.results import EnrolError, EnrolFlag, EnrolReport, EnrolRetake, Receipt
from fpmatch.ledger import Notification
from fpmatch.search.engine import Engine
from fpmatch.search.transact import Transacted

__all__ = [
    "Engine",
    "EnrolError",
    "EnrolFlag",
    "EnrolReport",
    "EnrolRetake",
    "Notification",
    "Receipt",
    "Transacted",
]
