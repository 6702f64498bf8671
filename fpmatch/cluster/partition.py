"""One partition, searched at hosts: what the engine holds where it was granted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.cluster.asking import Asking, Diverged
from fpmatch.cluster.grants import SEARCH, Granter, mask_digest
from fpmatch.cluster.layout import Layout
from fpmatch.cluster.panel import Asked, HostPanel, NothingCovered
from fpmatch.cluster.source import Source
from fpmatch.descriptor import SearchTemplate
from fpmatch.errors import ClusterError, InputError
from fpmatch.gallery import Columns
from fpmatch.index import REMOVED, UNVERIFIED, Cancel, Shortlist, Subjects
from fpmatch.index.rounds import Panel, Question, Step
from fpmatch.index.scales import AtScale
from fpmatch.index.shortlist import shortlist_across
from fpmatch.index.subject import shortlist_subject_across
from fpmatch.index.verifying import ABSENT
from fpmatch.search.comparison import (
    at_scales,
    compared,
    nothing,
    rows_to_verify,
    seen_under,
)
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.types import Coverage

TRIES = 3
"""How often a search begins again when what hosts hold changes under it."""


class Meeting(Protocol):
    """What a cluster gives a search: who is where, and how they are reached."""

    @property
    def layout(self) -> Layout:
        """Which host holds which bucket, now."""
        ...

    @property
    def source(self) -> Source:
        """What hosts follow."""
        ...

    @property
    def asking(self) -> Asking:
        """Asks them."""
        ...

    def catch_up(
        self, host: str, partition: str, buckets: Sequence[int], until: float | None
    ) -> None:
        """Bring a host level that is behind.

        Parameters
        ----------
        host, partition : str
        buckets : sequence of int
        until : float or None
            How long it is waited for, in `time.monotonic`; None: not at all.
        """
        ...

    def tell(self, host: str, call: bytes) -> None:
        """Send a call whose answer nobody waits for."""
        ...

    def travelled(self, sent: int, received: int) -> None:
        """Count bytes."""
        ...


@dataclass(frozen=True, slots=True)
class ClusterPartition:
    """A partition whose rows are at hosts: a `PartitionSearcher`.

    Parameters
    ----------
    partition : str
    granter : Granter
        For this partition alone.
    meeting : Meeting
    columns_now : callable
        Who owns a row, and what bars it, as it is when called.
    root : callable
        The partition's root as it is when called.
    lock : ReadWriteLock
        Held while it is searched, so that no round meets another state than the one before.
    """

    partition: str
    granter: Granter
    meeting: Meeting
    columns_now: Callable[[], Columns]
    root: Callable[[], str]
    lock: ReadWriteLock

    def search(self, request: PartitionRequest, cancel: Cancel | None = None) -> PartitionScores:
        """See `PartitionSearcher.search`.

        Byte for byte what a `LocalPartition` with all rows answers, but for the time and for
        what was covered.

        Raises
        ------
        InputError
            If the request is for another partition.
        ClusterError
            If hosts disagree time and again.
        """
        if request.partition != self.partition:
            raise InputError(f"this request is for partition {quoted(request.partition)}")
        deadline = None
        if request.seconds_left is not None:
            deadline = time.monotonic() + request.seconds_left
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            with self.lock.reading(deadline) as held:
                if not held:
                    return self._covered(nothing(request), set(range(self._buckets)), request)
                layout = self.meeting.layout
                try:
                    scores = self._search(request, deadline, cancel)
                except Diverged:
                    if last:
                        raise
                    continue
                coverage = scores.cost.coverage
                whole = coverage is not None and coverage.whole
                # Who had moved away what was asked for is no host that is lost.
                if whole or last or layout is self.meeting.layout:
                    return scores
        raise ClusterError("hosts disagree about what they hold")

    def search_many(self, requests: Sequence[PartitionRequest]) -> list[PartitionScores]:
        """See `PartitionSearcher.search_many`; one after the other."""
        return [self.search(request) for request in requests]

    @property
    def _buckets(self) -> int:
        return self.meeting.layout.buckets

    def _search(
        self, request: PartitionRequest, deadline: float | None, cancel: Cancel | None
    ) -> PartitionScores:
        columns = self.columns_now()
        panel = self._panel(request, deadline, cancel)
        search = HostSearch(panel, request, columns)
        try:
            allowed = None
            if request.only is not None:
                allowed = columns.allowed(sees_protected=request.sees_protected, uses=request.uses)
            found = rows_to_verify(request, columns, search, allowed)
            scores = compared(request, columns, self.root(), search, found)
        except NothingCovered:
            scores = replace(nothing(request), root=self.root())
        finally:
            panel.end(self.meeting.tell)
            self.meeting.travelled(panel.sent, panel.received)
        return self._covered(scores, panel.lost, request)

    def _panel(
        self, request: PartitionRequest, deadline: float | None, cancel: Cancel | None
    ) -> HostPanel:
        meeting, source = self.meeting, self.meeting.source
        below = source.below(self.partition)
        mask = mask_digest(sees_protected=request.sees_protected, uses=request.uses, below=below)
        longer = 0.0 if request.seconds_left is None else max(0.0, request.seconds_left)
        grant = self.granter.grant(SEARCH, source.level(self.partition), mask, seconds=longer)
        exact = source.gallery.mode == "rw"
        asked = Asked(grant, replace(request, only=None), below, exact, deadline, cancel)

        def catch_up(host: str, wait: bool) -> None:
            until = (math.inf if deadline is None else deadline) if wait else None
            meeting.catch_up(host, self.partition, meeting.layout.of(host), until)

        return HostPanel(meeting.asking, self.granter, asked, meeting.layout.sets(), catch_up)

    def _covered(
        self, scores: PartitionScores, lost: set[int], request: PartitionRequest
    ) -> PartitionScores:
        """The scores, with how much of the partition they are of."""
        seen = scores.cost.live_fingers
        rows = seen
        if lost:
            here, away = self._visible(request, lost)
            rows, seen = here, here + away
        shards = self._buckets - len(lost)
        coverage = Coverage(shards, self._buckets, rows, seen)
        complete = scores.cost.complete and not lost
        return replace(scores, cost=replace(scores.cost, complete=complete, coverage=coverage))

    def _visible(self, request: PartitionRequest, lost: set[int]) -> tuple[int, int]:
        """Rows that the fingers may see in buckets that answered, and in those that did not."""
        columns = self.columns_now()
        size = min(len(columns.row_record), len(columns.row_position))
        owner = columns.row_record[:size]
        seen = owner >= 0
        allowed = columns.allowed(sees_protected=request.sees_protected, uses=request.uses)
        if allowed is not None:
            seen &= allowed[:size]
        if request.only is not None:
            ordinals = columns.names.ordinals_of(np.array(request.only, np.int64))
            seen &= np.isin(owner, ordinals)
        bucket = np.append(self.meeting.source.bucket_of_record(self.partition), -1)[owner]
        away = np.isin(bucket, np.array(sorted(lost), np.int64))
        position = columns.row_position[:size]
        here = there = 0
        # Of named records each row counts once; else each finger's rows, as the counter does.
        for place in [0] if request.only is not None else seen_under(request):
            mine = seen if not place else seen & ((position == place) | (position == 0))
            here += int((mine & ~away).sum())
            there += int((mine & away).sum())
        return here, there


class HostSearch:
    """One search at hosts, as `fpmatch.search.comparison` asks for it.

    Parameters
    ----------
    panel : HostPanel
    request : PartitionRequest
    columns : Columns
        Of the partition, as they are while it is searched.
    """

    def __init__(self, panel: HostPanel, request: PartitionRequest, columns: Columns) -> None:
        self._panel = panel
        self._request = request
        self._columns = columns
        self._scales = at_scales(request)

    def shortlist(self, probe: SearchTemplate, position: int = 0) -> Shortlist:
        """See `Searching`."""
        panel, _ = self._asked(probe)
        return shortlist_across(panel, probe, self._request.effort, self._request.limit)

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.integer],
        positions: Sequence[int] | None = None,
    ) -> Subjects:
        """See `Searching`.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) integers
            Which rows belong together is known where they are, by the keys of records.
        positions : sequence of int, optional
        """
        places = [0] * len(probes) if positions is None else list(positions)
        fingers = list(zip(probes, places, strict=True))
        request = self._request
        panel, _ = self._asked(*probes)
        found = shortlist_subject_across(panel, fingers, request.effort, request.limit)
        return replace(found, groups=self._columns.names.ordinals_of(found.groups))

    def verify(self, probe: SearchTemplate, row_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """See `Searching`.

        Parameters
        ----------
        probe : SearchTemplate
            One of the request's.
        row_ids : (K,) int64

        Raises
        ------
        InputError
            If a row is at no host although all answered.
        """
        panel, finger = self._asked(probe)
        scores = np.full(len(row_ids), ABSENT, np.int32)
        if len(row_ids):
            for answer in panel.ask(Question(Step.VERIFY, finger, rows=row_ids)):
                np.maximum(scores, answer.scores, out=scores)
        absent = scores == ABSENT
        if absent.any():
            if not (self._panel.lost or self._panel.ahead):
                raise InputError(f"{int(absent.sum())} of the rows are at no host")
            # Not compared where nobody answered; gone where a host knows more than this search.
            scores[absent] = UNVERIFIED if self._panel.lost else REMOVED
        return scores

    def _asked(self, *probes: SearchTemplate) -> tuple[Panel, int]:
        """The hosts' search at the scale of some of the request's forms; which the first is."""
        for scale, forms in enumerate(self._scales):
            fingers = [n for n, form in enumerate(forms) if form is probes[0]]
            if fingers and all(any(form is probe for form in forms) for probe in probes):
                return AtScale(self._panel, scale), fingers[0]
        raise InputError("hosts were not given this probe")
