"""The seam between the engine and whoever searches a partition, in this process or elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fpmatch.index import Cancel
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores


class PartitionSearcher(Protocol):
    """The capability to search one partition.

    The engine makes one for each partition that a search was granted; for the others there is no
    object to call. What goes in and comes out are plain values, so that an implementation may
    write them as bytes and have another process do the work.
    """

    @property
    def partition(self) -> str:
        """The partition's name."""
        ...

    def search(self, request: PartitionRequest, cancel: Cancel | None = None) -> PartitionScores:
        """Search the partition.

        Parameters
        ----------
        request : PartitionRequest
            For this partition.
        cancel : object with ``is_set``, optional
            Whether the caller gave up; asked while the search goes on.

        Raises
        ------
        SearchCancelled
            If `cancel` is set.
        InputError
            If the request is for another partition.
        """
        ...

    def search_many(self, requests: Sequence[PartitionRequest]) -> list[PartitionScores]:
        """`search` for several requests; each result is as if searched alone.

        Raises
        ------
        InputError
            If a request is for another partition.
        """
        ...
