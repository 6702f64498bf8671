"""Codes of one partition -> shortlist, under a mask of rows."""

from fpmatch.index.partition import PartitionIndex
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.search import PartitionSearch
from fpmatch.index.segment import Part
from fpmatch.index.sharded import begin_across
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.subject import Subjects
from fpmatch.index.tail import Batch
from fpmatch.index.verifying import REMOVED, UNVERIFIED
from fpmatch.index.work import Cancel, Workers

__all__ = [
    "EFFORTS",
    "REMOVED",
    "UNVERIFIED",
    "Batch",
    "Cancel",
    "Part",
    "PartitionIndex",
    "PartitionSearch",
    "Shortlist",
    "Subjects",
    "Workers",
    "begin_across",
]
