"""Hosts that hold a gallery's rows, as the engine knows them: nothing but what it asks of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from fpmatch.gallery import Gallery
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.search.searcher import PartitionSearcher

Locks = Callable[[str], ReadWriteLock]
"""The lock of a partition."""


@runtime_checkable
class Shards(Protocol):
    """Whoever holds the rows of partitions instead of this process; `fpmatch.cluster.Cluster` does.

    It follows the system of record: it is told that a partition has changed, never how.
    """

    def attach(self, gallery: Gallery, locks: Locks) -> None:
        """Take a gallery to follow.

        Raises
        ------
        StorageError
            If another engine has it open, or it holds another gallery.
        """
        ...

    def detach(self, gallery: Gallery) -> None:
        """Follow a gallery no more, if it is the one; it is being closed."""
        ...

    def searcher(self, partition: str, lock: ReadWriteLock) -> PartitionSearcher:
        """The capability to search one partition, and no other."""
        ...

    def level(self, partition: str, *, held: bool = True) -> None:
        """Bring all hosts level that can be reached; whoever calls holds the partition's lock."""
        ...

    def purge(self, partition: str) -> None:
        """See that no host keeps a byte of what was removed.

        Raises
        ------
        ClusterError
            If one cannot be reached.
        """
        ...
