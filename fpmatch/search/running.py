"""One search on its way: what was asked, decided and found so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from fpmatch.ledger import RETAINED, KeptProbe
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.probe import Probe, Submission, uses
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.types import Decision, PartitionResult


@dataclass(frozen=True, slots=True)
class StoredProbe:
    """The record that a probe was taken from: it is no candidate of its own.

    Parameters
    ----------
    partition, record : str
    key : int
        In the system of record.
    """

    partition: str
    record: str
    key: int


@dataclass(slots=True)
class Running:
    """One search on its way.

    Parameters
    ----------
    opaque, withheld : bool
        Whether the answer hides if a partition was searched, or what was found in one.
    failed : dict of str
        Partitions whose search went wrong where that may not be told, and the kind of error.
    truth : dict of PartitionResult
        What became of each partition, once it is decided what leaves.
    records : tuple of str, or None
        The records that the probe is compared with, as the submitter names them: one in a
        verification. None for all.
    only : dict of tuple of int, or None
        The keys of those in each partition where they were found.
    apart : StoredProbe or None
        Where the probe is from, if it is from the gallery itself.
    once : bool
        Whether nothing follows: a partition that waits for an event is not searched later.
    """

    submission: Submission
    decision: Decision
    probe: Probe
    searchers: tuple[PartitionSearcher, ...] = ()
    kept: KeptProbe | None = None
    opaque: bool = False
    withheld: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    truth: dict[str, PartitionResult] = field(default_factory=dict)
    intent: int = 0
    started: float = 0.0
    scores: dict[str, PartitionScores] = field(default_factory=dict)
    records: tuple[str, ...] | None = None
    only: dict[str, tuple[int, ...]] | None = None
    apart: StoredProbe | None = None
    once: bool = False

    @property
    def retained(self) -> bool:
        """Whether a retained probe is taken up again."""
        return self.kept is not None and self.kept.kind == RETAINED

    @property
    def deadline(self) -> float | None:
        """`time.monotonic` until which this search waits and works."""
        limit = self.submission.request.deadline_ms
        return None if limit is None else self.started + limit / 1000

    @property
    def uses(self) -> frozenset[str]:
        """The uses that this search makes of records, for their contributors' bans."""
        made = uses(self.submission.facts)
        return made | {"retained"} if self.retained else made

    def ask(self, partition: str) -> PartitionRequest:
        """What this search asks of a partition that it was granted.

        The notes on the fingers are the submitter's and stay here, and so do their places.
        """
        left = None if self.deadline is None else self.deadline - time.monotonic()
        only = None
        if self.records is not None:
            only = (self.only or {}).get(partition, ())
        granted = self.decision[partition]
        request = self.submission.request
        return PartitionRequest(
            partition,
            replace(self.probe, notes=(), places=()),
            sees_protected=granted.sees_protected,
            uses=self.uses,
            effort=request.effort,
            rotation=request.rotation,
            seconds_left=left,
            only=only,
        )
