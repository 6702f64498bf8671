"""One probe against one partition whose index this process has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.gallery import Columns
from fpmatch.index import Cancel, PartitionIndex, PartitionSearch
from fpmatch.search.comparison import (
    ToVerify,
    compared,
    impressions,
    nothing,
    rows_to_verify,
    seen_under,
    with_others,
)
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.read_write_lock import ReadWriteLock


@dataclass(frozen=True, slots=True)
class LocalPartition:
    """A partition that this process searches: a `PartitionSearcher`.

    Parameters
    ----------
    partition : str
    index : PartitionIndex
    columns_now : callable
        Who owns a row, and what bars it, as it is when called.
    root : callable
        The partition's root as it is when called.
    lock : ReadWriteLock
        Held while it is searched.
    """

    partition: str
    index: PartitionIndex
    columns_now: Callable[[], Columns]
    root: Callable[[], str]
    lock: ReadWriteLock

    @property
    def columns(self) -> Columns:
        """The columns of now; the same ones for as long as the lock is held."""
        return self.columns_now()

    def search(self, request: PartitionRequest, cancel: Cancel | None = None) -> PartitionScores:
        """See `PartitionSearcher.search`.

        Barred records are masked before anything is ranked. Where the index shortens the list, a
        record that any finger put on it is compared with all probe fingers.
        """
        self._check(request)
        deadline = None
        if request.seconds_left is not None:
            deadline = time.monotonic() + request.seconds_left
        with self.lock.reading(deadline) as held:
            if not held:
                return nothing(request)
            allowed = self._allowed(request)
            search = self._begin(request, allowed, deadline, cancel)
            return self._compare(
                request, search, rows_to_verify(request, self.columns, search, allowed)
            )

    def search_many(self, requests: Sequence[PartitionRequest]) -> list[PartitionScores]:
        """See `PartitionSearcher.search_many`.

        Requests of one impression at one scale that may see the same records share the passes over
        the codes.
        """
        found: dict[int, PartitionScores] = {}
        groups: dict[object, list[int]] = {}
        for n, request in enumerate(requests):
            r = request
            key: object = (r.sees_protected, r.uses, r.effort, r.rotation, r.limit)
            if not _shares(request):
                key = n
            groups.setdefault(key, []).append(n)
        for group in groups.values():
            those = [requests[n] for n in group]
            together = [self.search(those[0])] if len(those) == 1 else self._together(those)
            found.update(zip(group, together, strict=True))
        return [found[n] for n in range(len(requests))]

    def _together(self, requests: Sequence[PartitionRequest]) -> list[PartitionScores]:
        for request in requests:
            self._check(request)
        first = requests[0]
        flat = [forms[0] for request in requests for _, forms in impressions(request)]
        with self.lock.reading():
            allowed = self._allowed(first)
            search = self._begin(first, allowed)
            shorts = search.shortlist_many(
                flat,
                [position for request in requests for position in seen_under(request)],
            )
            return [
                self._compare(request, search, with_others(request, self.columns, short))
                for request, short in zip(requests, shorts, strict=True)
            ]

    def _check(self, request: PartitionRequest) -> None:
        if request.partition != self.partition:
            raise InputError(f"this request is for partition {quoted(request.partition)}")

    def _allowed(self, request: PartitionRequest) -> NDArray[np.bool_] | None:
        return self.columns.allowed(sees_protected=request.sees_protected, uses=request.uses)

    def _begin(
        self,
        request: PartitionRequest,
        allowed: NDArray[np.bool_] | None,
        deadline: float | None = None,
        cancel: Cancel | None = None,
    ) -> PartitionSearch:
        return self.index.begin(
            allowed=allowed,
            effort=request.effort,
            rotation=request.rotation,
            limit=request.limit,
            deadline=deadline,
            cancel=cancel,
        )

    def _compare(
        self, request: PartitionRequest, search: PartitionSearch, to_verify: ToVerify
    ) -> PartitionScores:
        return compared(request, self.columns, self.root(), search, to_verify)


def _shares(request: PartitionRequest) -> bool:
    """Whether it may share passes over the codes: one form, no deadline, all records."""
    one = [len(forms) for _, forms in impressions(request)] == [1]
    return one and request.seconds_left is None and request.only is None
