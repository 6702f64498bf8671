"""One probe against one partition: shortlist, verification, calibration, fusion."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.descriptor import SearchTemplate
from fpmatch.errors import InputError
from fpmatch.gallery import Columns
from fpmatch.index import REMOVED, UNVERIFIED, Cancel, PartitionIndex, PartitionSearch, Shortlist
from fpmatch.matcher import calibrate, fuse
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.types import FingerPosition, SearchCost

ToVerify = tuple[list[NDArray[np.int64]], SearchCost]
"""For each impression the rows to verify, and what it took to find them."""


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
                return _nothing(request)
            allowed = self._allowed(request)
            search = self._begin(request, allowed, deadline, cancel)
            return self._compare(request, search, self._rows(request, search, allowed))

    def search_many(self, requests: Sequence[PartitionRequest]) -> list[PartitionScores]:
        """See `PartitionSearcher.search_many`.

        Requests of one impression that may see the same records share the passes over the codes.
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
        flat = [impression for request in requests for impression in _impressions(request)]
        with self.lock.reading():
            allowed = self._allowed(first)
            search = self._begin(first, allowed)
            shorts = search.shortlist_many(
                [impression for _, impression in flat],
                [position for request in requests for position in _seen(request)],
            )
            return [
                self._compare(request, search, self._with_others(request, short))
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
        root = self.root()
        flat = _impressions(request)
        rows, looked = to_verify
        owners = self.columns.row_record
        listed = np.unique(np.concatenate([np.zeros(0, np.int32), *(owners[r] for r in rows)]))
        best = {p: np.full(len(listed), UNVERIFIED, np.int64) for p, _ in flat}
        tries = {p: np.zeros(len(listed), np.int64) for p, _ in flat}
        verified, complete = 0, looked.complete
        for (position, impression), mine in zip(flat, rows, strict=True):
            got = search.verify(impression, mine)
            complete &= not (got == UNVERIFIED).any()
            done = (got != UNVERIFIED) & (got != REMOVED)
            verified += int(done.sum())
            place = np.searchsorted(listed, owners[mine[done]])
            np.maximum.at(best[position], place, got[done])
            np.add.at(tries[position], place, 1)
        seen = np.zeros(len(listed), np.bool_)
        for count in tries.values():
            seen |= count > 0
        values = {p: calibrate(np.maximum(raw, 0), request.rotation) for p, raw in best.items()}
        fingers = tuple((p, np.where(tries[p] > 0, values[p], np.nan)[seen]) for p in best)
        scores = _fused([v for _, v in fingers], [tries[p][seen] for p in best])
        cost = replace(looked, fingers_verified=verified, complete=complete)
        records = self.columns.names.keys_of(listed[seen].astype(np.int64))
        return PartitionScores(self.partition, records, scores, fingers, cost, root)

    def _rows(
        self,
        request: PartitionRequest,
        search: PartitionSearch,
        allowed: NDArray[np.bool_] | None,
    ) -> ToVerify:
        columns = self.columns
        forms = [impression for _, impression in _impressions(request)]
        positions = _seen(request)
        if request.only is not None:
            only = columns.rows_of(columns.names.ordinals_of(np.array(request.only, np.int64)))
            rows = only if allowed is None else only[allowed[only]]
            found = [_with_finger(columns, rows, position) for position in positions]
            return found, SearchCost(live_fingers=len(rows))
        if len(forms) > 1:
            record_of_row = np.maximum(columns.row_record, 0).astype(np.int64)
            subjects = search.shortlist_subject(forms, record_of_row, positions)
            return list(subjects.row_ids), subjects.cost
        return self._with_others(request, search.shortlist(forms[0], positions[0]))

    def _with_others(self, request: PartitionRequest, short: Shortlist) -> ToVerify:
        """The rows of a shortlist, and the others of its records.

        A record is compared with all its impressions, whichever of them put it on the list.
        """
        if short.exhaustive:
            return [short.row_ids], short.cost
        columns = self.columns
        rows = columns.rows_of(np.unique(columns.row_record[short.row_ids]).astype(np.int64))
        (position,) = _seen(request)
        return [_with_finger(columns, rows, position)], short.cost


def _impressions(request: PartitionRequest) -> list[tuple[FingerPosition, SearchTemplate]]:
    """Every impression, and the finger of the probe that it is of."""
    return [(p, impression) for p, several in request.probe.fingers for impression in several]


def _seen(request: PartitionRequest) -> list[int]:
    """The position that every impression is searched under."""
    return [int(request.probe.seen(p)) for p, _ in _impressions(request)]


def _shares(request: PartitionRequest) -> bool:
    """Whether it may share passes over the codes: one impression, no deadline, all records."""
    one = len(_impressions(request)) == 1
    return one and request.seconds_left is None and request.only is None


def _with_finger(columns: Columns, rows: NDArray[np.int64], position: int) -> NDArray[np.int64]:
    """Rows of a position and of unknown ones; all of them for a probe of unknown position."""
    if position == FingerPosition.UNKNOWN:
        return rows
    of_row = columns.row_position[rows]
    return rows[(of_row == position) | (of_row == int(FingerPosition.UNKNOWN))]


def _nothing(request: PartitionRequest) -> PartitionScores:
    """The outcome of a search whose deadline came while the partition was being changed."""
    none = np.zeros(0, np.int64)
    fingers = tuple((position, np.zeros(0)) for position, _ in request.probe.fingers)
    cost = SearchCost(complete=False)
    return PartitionScores(request.partition, none, np.zeros(0), fingers, cost, "")


def _fused(
    values: list[NDArray[np.float64]], tries: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """(K,) fused value per record; equal evidence is computed once."""
    stacked = np.stack([np.stack(values), np.stack(tries).astype(np.float64)], axis=-1)
    known: dict[bytes, float] = {}
    out = np.zeros(stacked.shape[1])
    for i in range(stacked.shape[1]):
        one = np.ascontiguousarray(stacked[:, i])
        key = one.tobytes()
        if key not in known:
            there = one[one[:, 1] > 0]
            known[key] = fuse([float(v) for v in there[:, 0]], [int(n) for n in there[:, 1]])
        out[i] = known[key]
    return out
