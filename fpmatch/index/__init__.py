"""Codes of one partition -> shortlist, under a mask of rows."""

from fpmatch.index.partition import UNVERIFIED, PartitionIndex
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.shortlist import Shortlist
from fpmatch.index.subject import Subjects

__all__ = ["EFFORTS", "UNVERIFIED", "PartitionIndex", "Shortlist", "Subjects"]
