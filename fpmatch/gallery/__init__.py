"""The system of record: partitions, records, templates, policies, and what is owed to others."""

from fpmatch.gallery.columns import Columns
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.results import (
    EnrolError,
    EnrolFlag,
    EnrolNote,
    EnrolReport,
    NewRow,
    Receipt,
    UpdateReceipt,
)

__all__ = [
    "Columns",
    "EnrolError",
    "EnrolFlag",
    "EnrolNote",
    "EnrolReport",
    "Gallery",
    "NewRow",
    "Receipt",
    "UpdateReceipt",
]
