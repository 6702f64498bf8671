"""What the parts of the engine share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from fpmatch.audit import AuditLog
from fpmatch.errors import ReadOnlyError
from fpmatch.gallery import Gallery
from fpmatch.gallery.ledger import Ledger
from fpmatch.index import PartitionIndex
from fpmatch.policy import Policy
from fpmatch.search.compare import Handle
from fpmatch.search.gate import Gate
from fpmatch.search.hold import Timer
from fpmatch.search.living import Living
from fpmatch.types import SearchResponse


class Vault(Protocol):
    """Seals what is kept at rest for somebody else; supplied by the deployment."""

    def seal(self, owner: str, content: bytes) -> bytes:
        """Encrypt for an owner."""
        ...

    def open(self, owner: str, content: bytes) -> bytes:
        """Decrypt what was sealed for an owner (needed for kept probes only)."""
        ...


@dataclass(slots=True)
class State:
    """One open engine.

    Parameters
    ----------
    envelopes : dict of (str, bytes)
        By message, its partition and the owner's list, where no vault keeps them.
    logged : dict of int
        Journal entries that the log has, and under which number; whose they are takes them out.
    """

    folder: Path
    mode: str
    gallery: Gallery
    ledger: Ledger
    audit: AuditLog
    clock: Callable[[], datetime]
    handle_key: bytes
    living: Living
    threads: int = 1
    hit_score: float = 0.0
    withheld_ms: float = 0.0
    timer: Timer = field(default_factory=Timer)
    routes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    vault: Vault | None = None
    policy: Policy | None = None
    indexes: dict[str, PartitionIndex] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    envelopes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    copies: dict[tuple[str, str, str], SearchResponse] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    journal: threading.Lock = field(default_factory=threading.Lock)
    logged: dict[str, int] = field(default_factory=dict)

    def writable(self) -> None:
        """ReadOnlyError unless the engine may change the gallery."""
        if self.mode != "rw":
            raise ReadOnlyError("this engine is open for reading only; open it with mode='rw'")

    def handle(self, partition: str) -> Handle:
        """The capability to search one partition."""
        return Handle(
            partition,
            self.indexes[partition],
            self.gallery.columns(partition),
            lambda: self.gallery.root(partition),
            self.gate(partition),
        )

    def gate(self, partition: str) -> Gate:
        """The partition's readers-and-writer lock."""
        return self.gates.setdefault(partition, Gate())

    def log(self, mine: str = "") -> int:
        """Move all journal entries to the audit log, each once; the record's number of one's own.

        Who comes first moves the entries of others too. An entry that the log has already, but
        that could not be taken out of the journal, is only taken out.
        """
        with self.journal:
            for name, kind, fields in self.gallery.unlogged():
                if name not in self.logged:
                    self.logged[name] = self.audit.event(kind, {**fields, "journal": name})
                self.gallery.logged(name)
            return self.logged.pop(mine, 0)
