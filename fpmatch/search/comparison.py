"""What is compared in a partition, and what comes of it, wherever its rows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.descriptor.scales import Forms
from fpmatch.gallery import Columns
from fpmatch.index import REMOVED, UNVERIFIED, Shortlist, Subjects
from fpmatch.index.scales import best_groups, best_rows
from fpmatch.matcher import best_of, calibrate, fuse
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.partition_scores import PartitionScores
from fpmatch.types import FingerPosition, SearchCost

ToVerify = tuple[list[NDArray[np.int64]], SearchCost]
"""For each impression the rows to verify, and what it took to find them."""


class Searching(Protocol):
    """One search of a partition: `PartitionSearch` where an index of this process has its rows."""

    def shortlist(self, probe: SearchTemplate, position: int = 0) -> Shortlist:
        """The rows worth a full comparison."""
        ...

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.integer],
        positions: Sequence[int] | None = None,
    ) -> Subjects:
        """One list for several fingers.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) integers
        positions : sequence of int, optional
        """
        ...

    def verify(self, probe: SearchTemplate, row_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Raw scores of the full matcher.

        Parameters
        ----------
        probe : SearchTemplate
        row_ids : (K,) int64
        """
        ...


def compared(
    request: PartitionRequest,
    columns: Columns,
    root: str,
    search: Searching,
    to_verify: ToVerify,
) -> PartitionScores:
    """Compare the rows that were found, and score their records.

    Parameters
    ----------
    request : PartitionRequest
    columns : Columns
        Of the partition, as they were when the rows were found.
    root : str
        The partition's.
    search : Searching
    to_verify : (list of (K,) int64, SearchCost)
        From `rows_to_verify` or `with_others`.
    """
    flat = impressions(request)
    rows, looked = to_verify
    owners = columns.row_record
    listed = np.unique(np.concatenate([np.zeros(0, np.int32), *(owners[r] for r in rows)]))
    best = {p: np.zeros(len(listed)) for p, _ in flat}
    tries = {p: np.zeros(len(listed), np.int64) for p, _ in flat}
    verified, complete = 0, looked.complete
    for (position, forms), mine in zip(flat, rows, strict=True):
        each = np.stack([search.verify(form, mine) for form in forms])
        complete &= not (each == UNVERIFIED).any()
        reached = (each != UNVERIFIED) & (each != REMOVED)
        verified += int(reached.sum())
        # What was not reached at one scale has no best of all.
        done = reached.all(axis=0)
        values = best_of(calibrate(each.max(axis=0)[done], request.rotation), len(forms))
        place = np.searchsorted(listed, owners[mine[done]])
        np.maximum.at(best[position], place, values)
        np.add.at(tries[position], place, 1)
    seen = np.zeros(len(listed), np.bool_)
    for count in tries.values():
        seen |= count > 0
    fingers = tuple((p, np.where(tries[p] > 0, best[p], np.nan)[seen]) for p in best)
    scores = _fused([v for _, v in fingers], [tries[p][seen] for p in best])
    cost = replace(looked, fingers_verified=verified, complete=complete)
    records = columns.names.keys_of(listed[seen].astype(np.int64))
    return PartitionScores(request.partition, records, scores, fingers, cost, root)


def rows_to_verify(
    request: PartitionRequest,
    columns: Columns,
    search: Searching,
    allowed: NDArray[np.bool_] | None,
) -> ToVerify:
    """The rows worth a full comparison, or those of the records that were named.

    Parameters
    ----------
    request : PartitionRequest
    columns : Columns
    search : Searching
    allowed : (R,) bool or None
        By row id: what the request may see; all if None.
    """
    positions = seen_under(request)
    if request.only is not None:
        only = columns.rows_of(columns.names.ordinals_of(np.array(request.only, np.int64)))
        rows = only if allowed is None else only[allowed[only]]
        found = [_with_finger(columns, rows, position) for position in positions]
        return found, SearchCost(live_fingers=len(rows))
    scales = at_scales(request)
    if len(positions) > 1:
        owner = columns.row_record
        lists = (search.shortlist_subject(forms, owner, positions) for forms in scales)
        subjects = best_groups(lists, owner)
        return list(subjects.row_ids), subjects.cost
    alone = (search.shortlist(forms[0], positions[0]) for forms in scales)
    return with_others(request, columns, best_rows(alone))


def with_others(request: PartitionRequest, columns: Columns, short: Shortlist) -> ToVerify:
    """The rows of a shortlist, and the others of its records.

    A record is compared with all its impressions, whichever of them put it on the list.

    Parameters
    ----------
    request : PartitionRequest
    columns : Columns
    short : Shortlist
    """
    if short.exhaustive:
        return [short.row_ids], short.cost
    rows = columns.rows_of(np.unique(columns.row_record[short.row_ids]).astype(np.int64))
    (position,) = seen_under(request)
    return [_with_finger(columns, rows, position)], short.cost


def impressions(request: PartitionRequest) -> list[tuple[FingerPosition, Forms]]:
    """The forms of every impression, and the finger of the probe that it is of."""
    return [(p, forms) for p, several in request.probe.fingers for forms in several]


def at_scales(request: PartitionRequest) -> list[list[SearchTemplate]]:
    """The forms of all impressions at each scale that is searched: at one where it is believed.

    An impression too large for a scale is searched at its own largest instead.
    """
    each = [forms for _, forms in impressions(request)]
    scales = range(max(map(len, each)))
    return [[forms[min(scale, len(forms) - 1)] for forms in each] for scale in scales]


def seen_under(request: PartitionRequest) -> list[int]:
    """The position that every impression is searched under."""
    return [int(request.probe.seen(p)) for p, _ in impressions(request)]


def _with_finger(columns: Columns, rows: NDArray[np.int64], position: int) -> NDArray[np.int64]:
    """Rows of a position and of unknown ones; all of them for a probe of unknown position."""
    if position == FingerPosition.UNKNOWN:
        return rows
    of_row = columns.row_position[rows]
    return rows[(of_row == position) | (of_row == int(FingerPosition.UNKNOWN))]


def nothing(request: PartitionRequest) -> PartitionScores:
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
