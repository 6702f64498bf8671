"""Whole sources into a gallery, and whole partitions out of it: `enrol` and `export`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpmatch.bulk.enrolment import enrol as enrol
    from fpmatch.bulk.exporting import ExportReport as ExportReport
    from fpmatch.bulk.exporting import export as export
    from fpmatch.bulk.items import Item as Item
    from fpmatch.bulk.items import Part as Part
    from fpmatch.bulk.report import BulkReport as BulkReport
    from fpmatch.bulk.report import ItemError as ItemError
    from fpmatch.bulk.report import Progress as Progress
    from fpmatch.bulk.sources import files as files
    from fpmatch.bulk.sources import table as table
    from fpmatch.bulk.sources import transactions as transactions

_PUBLIC = {
    "BulkReport": "report",
    "ExportReport": "exporting",
    "Item": "items",
    "ItemError": "report",
    "Part": "items",
    "Progress": "report",
    "enrol": "enrolment",
    "export": "exporting",
    "files": "sources",
    "table": "sources",
    "transactions": "sources",
}

__all__ = [
    "BulkReport",
    "ExportReport",
    "Item",
    "ItemError",
    "Part",
    "Progress",
    "enrol",
    "export",
    "files",
    "table",
    "transactions",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # When it is asked for: the processes that read need none of what writes.
        if name in _PUBLIC:
            value = getattr(importlib.import_module(f"fpmatch.bulk.{_PUBLIC[name]}"), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module 'fpmatch.bulk' has no attribute {name!r}")
