"""Codes of one partition -> shortlist, under a mask of rows."""

from fpmatch.index.partition import UNVERIFIED, PartitionIndex
from fpmatch.index.shortlist import EFFORTS, Shortlist

__all__ = ["EFFORTS", "UNVERIFIED", "PartitionIndex", "Shortlist"]
