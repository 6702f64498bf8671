"""What the parts of the engine share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fpmatch.audit import AuditLog
from fpmatch.encryption import Chest
from fpmatch.errors import ReadOnlyError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.index import PartitionIndex
from fpmatch.ledger import Ledger
from fpmatch.policy import Policy
from fpmatch.search.compare import LocalPartition
from fpmatch.search.crash_points import crash_point
from fpmatch.search.limits import Limits
from fpmatch.search.living import Living
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.search.shards import Shards
from fpmatch.search.timer import Timer


class Vault(Protocol):
    """Seals what is kept at rest for somebody else; supplied by the deployment."""

    def seal(self, owner: str, content: bytes) -> bytes:
        """Encrypt for an owner."""
        ...

    def open(self, owner: str, content: bytes) -> bytes:
        """Decrypt what was sealed for an owner (needed for kept probes only)."""
        ...


_TURNS = 64
"""Acts under different keys that seldom wait for one another."""
_REMEMBERED = 10_000
"""Numbers of moved journal entries that are kept for who wrote them."""


@dataclass(slots=True)
class State:
    """One open engine.

    Parameters
    ----------
    chest : Chest or None
        The keys of an encrypted gallery.
    envelopes : dict of (str, bytes)
        By message, its partition and the owner's list, where no vault keeps them.
    shards : Shards or None
        Hosts that hold the rows of all partitions; without, this process has an index of each.
    ending : threading.Event
        Set when the engine closes and waits no longer: searches and enrolments are to end.
    unscrubbed : bool
        Set while the gallery's write-ahead log may hold the note of a removal that is over.
    behind : set of str
        Partitions whose index may lack what was committed: they are not searched.
    stale : set of str
        Partitions in which another process may have committed something since they were followed.
    logged : dict of int
        Journal entries that the log has, and under which number; whose they are takes them out.
    """

    folder: Path
    mode: str
    gallery: Gallery
    ledger: Ledger
    audit: AuditLog
    clock: Callable[[], datetime]
    opaque_key: bytes
    living: Living
    chest: Chest | None = None
    threads: int = 1
    hit_score: float = 0.0
    withheld_ms: float = 0.0
    timer: Timer = field(default_factory=Timer)
    limits: Limits = field(default_factory=Limits)
    ending: threading.Event = field(default_factory=threading.Event)
    routes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    vault: Vault | None = None
    policy: Policy | None = None
    indexes: dict[str, PartitionIndex] = field(default_factory=dict)
    partition_locks: dict[str, ReadWriteLock] = field(default_factory=dict)
    envelopes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    logging: threading.RLock = field(default_factory=threading.RLock)
    finishing: threading.RLock = field(default_factory=threading.RLock)
    rekeying: threading.RLock = field(default_factory=threading.RLock)
    following: threading.RLock = field(default_factory=threading.RLock)
    recovering: bool = False
    unlogged: bool = False
    unfinished: bool = False
    unscrubbed: bool = False
    behind: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    relevel: Callable[[str], None] = lambda _: None
    shards: Shards | None = None
    turns: tuple[threading.RLock, ...] = field(
        default_factory=lambda: tuple(threading.RLock() for _ in range(_TURNS))
    )
    _numbers: dict[str, int] = field(default_factory=dict)

    def writable(self) -> None:
        """ReadOnlyError unless the engine may change the gallery."""
        if self.mode != "rw":
            raise ReadOnlyError("this engine is open for reading only; open it with mode='rw'")

    def searchable(self, partition: str) -> bool:
        """Whether there is somebody to search a partition, if it is granted."""
        if self.shards is not None:
            return any(info.name == partition for info in self.gallery.partitions)
        return partition in self.indexes

    def hosts_follow(self, partition: str) -> None:
        """Have hosts, if any hold rows, show a change before the next search meets them."""
        if self.shards is not None:
            self.shards.level(partition)

    def searcher(self, partition: str) -> PartitionSearcher:
        """The capability to search one partition.

        Raises
        ------
        StorageError
            If its index lacks records that are stored: they would be missed without a word.
        """
        if self.shards is not None:
            # Hosts that are not complete yet say so themselves.
            return self.shards.searcher(partition, self.partition_lock(partition))
        if partition in self.behind:
            raise StorageError(f"the index of partition {partition!r} is not complete yet")
        return LocalPartition(
            partition,
            self.indexes[partition],
            lambda: self.gallery.columns(partition),
            lambda: self.gallery.root(partition),
            self.partition_lock(partition),
        )

    def partition_lock(self, partition: str) -> ReadWriteLock:
        """The partition's readers-and-writer lock."""
        return self.partition_locks.setdefault(partition, ReadWriteLock())

    def log(self, wanted: str = "") -> int:
        """Move journal entries to the audit log, each once whoever else does so.

        Parameters
        ----------
        wanted : str
            A journal entry whose number is asked for, moved now or before.

        Returns
        -------
        int
            Number of that record, 0 where the log has none; without `wanted` of the last one that
            was moved now.

        Raises
        ------
        AuditError
            If the log cannot be written; the entries stay for the next call.
        """
        last = 0
        with self.logging:
            self.unlogged = True
            waiting = self.gallery.unlogged()
            if waiting:
                self._append(waiting)
                crash_point("log.appended")
                self.gallery.logged({name: self._numbers[name] for name, _, _ in waiting})
                last = self._numbers[waiting[-1][0]]
            self.unlogged = False
            number = self._numbers.get(wanted, 0) if wanted else last
            if wanted and not number:
                # Moved by a process that ended before it said so, or too long ago.
                number = self._in_log({wanted}, {None}).get(wanted, 0)
            while len(self._numbers) > _REMEMBERED:
                del self._numbers[next(iter(self._numbers))]
            return number

    def numbers(self, wanted: Collection[str], kinds: Collection[str]) -> dict[str, int]:
        """Move journal entries to the log, and tell under which numbers it has some of them.

        Parameters
        ----------
        wanted : collection of str
            Entries, moved now or before.
        kinds : collection of str
            Theirs.

        Raises
        ------
        AuditError
            As `log`.
        """
        with self.logging:
            self.log()
            found = {name: self._numbers[name] for name in wanted if name in self._numbers}
        if len(found) < len(wanted):
            # Moved by a process that ended then, or too long ago to be remembered.
            found |= self._in_log(set(wanted) - set(found), set(kinds))
        return found

    def _append(self, waiting: list[tuple[str, str, dict[str, Any]]]) -> None:
        """Have the log take what it does not have yet, with one sync."""
        new = {name: (kind, fields) for name, kind, fields in waiting if name not in self._numbers}
        if new and self.recovering:
            # A process may have ended between the record and forgetting the entry.
            self._numbers |= self._in_log(set(new), {kind for kind, _ in new.values()})
        left = {name: one for name, one in new.items() if name not in self._numbers}
        events = [(kind, {**fields, "journal": name}) for name, (kind, fields) in left.items()]
        seqs = self.audit.events(events) if events else []
        self._numbers |= dict(zip(left, seqs, strict=True))

    def _in_log(self, names: set[str], kinds: Collection[str | None]) -> dict[str, int]:
        """Of some journal entries, under which numbers the log has them; None is every kind."""
        return {
            r.fields["journal"]: r.seq
            for kind in kinds
            for r in self.audit.records(kind=kind)
            if r.fields.get("journal") in names
        }
