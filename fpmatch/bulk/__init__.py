"""Whole sources into a gallery, and whole partitions out of it: `enrol` and `export`."""

from fpmatch.bulk.enrolment import enrol
from fpmatch.bulk.export import ExportReport, export
from fpmatch.bulk.items import Item, Part, Source
from fpmatch.bulk.report import BulkReport, ItemError, Progress
from fpmatch.bulk.sources import files, table, transactions

__all__ = [
    "BulkReport",
    "ExportReport",
    "Item",
    "ItemError",
    "Part",
    "Progress",
    "Source",
    "enrol",
    "export",
    "files",
    "table",
    "transactions",
]
