"""Codes of one partition -> shortlist, under a mask of rows."""

from fpmatch.index.partition import PartitionIndex
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.search import REMOVED, UNVERIFIED, PartitionSearch
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.subject import Subjects
from fpmatch.index.work import Cancel

__all__ = [
    "EFFORTS",
    "REMOVED",
    "UNVERIFIED",
    "Cancel",
    "PartitionIndex",
    "PartitionSearch",
    "Shortlist",
    "Subjects",
]
