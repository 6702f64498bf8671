"""One probe against one partition: shortlist, verification, calibration, fusion, ranking.

What searches is given the handles of granted partitions and nothing else: it cannot name, open or
count any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.gallery import Columns
from fpmatch.index import UNVERIFIED, PartitionIndex
from fpmatch.matcher import calibrate, fuse
from fpmatch.search.gate import Gate
from fpmatch.search.probe import Probe
from fpmatch.types import Candidate, FingerPosition, FingerScore, SearchCost


@dataclass(frozen=True, slots=True)
class Handle:
    """The capability to search one partition."""

    partition: str
    index: PartitionIndex
    columns: Columns
    root: Callable[[], str]
    gate: Gate


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a search."""

    effort: str
    deadline: float | None = None
    cancel: object | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Scored records of one partition, before anything is cut or released.

    Parameters
    ----------
    records : (K,) int64
        Ordinals in the partition's columns.
    scores : (K,) float64
        Fused values, multiples of 0.01.
    fingers : sequence of (position, (K,) float64)
        Best value of each probe finger; NaN where the record has no such finger.
    """

    partition: str
    columns: Columns
    records: NDArray[np.int64]
    scores: NDArray[np.float64]
    fingers: tuple[tuple[FingerPosition, NDArray[np.float64]], ...]
    cost: SearchCost
    root: str

    def top(
        self, count: int, threshold: float, barred: NDArray[np.bool_] | None = None
    ) -> tuple[Candidate, ...]:
        """The best records at or above a threshold, ties by record id."""
        keep = self.scores >= threshold
        if barred is not None:
            known = self.records < len(barred)
            keep &= known & ~barred[np.where(known, self.records, 0)] if len(barred) else False
        at = np.flatnonzero(keep)
        if not len(at) or not count:
            return ()
        if len(at) > count:
            least = np.partition(self.scores[at], len(at) - count)[len(at) - count]
            at = at[self.scores[at] >= least]
        names = self.columns.names
        ranked = sorted(at.tolist(), key=lambda i: (-self.scores[i], names[self.records[i]]))
        return tuple(self._candidate(i) for i in ranked[:count])

    def _candidate(self, i: int) -> Candidate:
        score = float(self.scores[i])
        return Candidate(
            self.columns.names[self.records[i]],
            score,
            fmr_of(score),
            tuple(
                FingerScore(position, float(values[i]))
                for position, values in self.fingers
                if not np.isnan(values[i])
            ),
        )


def fmr_of(score: float) -> float:
    """False match rate of a value, to six significant digits."""
    return float(f"{10 ** (-score / 10):.5e}")


def compare(
    handle: Handle, probe: Probe, *, sees_protected: bool, uses: frozenset[str], limits: Limits
) -> Hits:
    """Search one partition.

    Parameters
    ----------
    sees_protected : bool
        Whether protected records may be seen.
    uses : frozenset of str
        The uses that this search makes of records; those whose contributor bans one are not seen.

    Notes
    -----
    Barred records are masked before anything is ranked. Where the index shortens the list, a
    record that any finger put on it is compared with all probe fingers.
    """
    with handle.gate.shared():
        return _compare(handle, probe, sees_protected, uses, limits)


def _compare(
    handle: Handle, probe: Probe, sees_protected: bool, uses: frozenset[str], limits: Limits
) -> Hits:
    root = handle.root()
    columns = handle.columns
    allowed = columns.allowed(sees_protected=sees_protected, uses=uses)
    lists = [
        [
            handle.index.shortlist(
                impression,
                allowed=allowed,
                position=int(position),
                effort=limits.effort,
                deadline=limits.deadline,
                cancel=limits.cancel,  # type: ignore[arg-type]
            )
            for impression in impressions
        ]
        for position, impressions in probe.fingers
    ]
    every = [s for group in lists for s in group]
    owners = columns.row_record
    listed = np.unique(
        np.concatenate([np.zeros(0, np.int32), *(owners[s.row_ids] for s in every)])
    ).astype(np.int64)
    listed = listed[listed >= 0]
    rows_all = None if all(s.exhaustive for s in every) else columns.rows_of(listed)
    best: list[tuple[FingerPosition, NDArray[np.float64]]] = []
    tries: list[NDArray[np.int64]] = []
    verified = 0
    complete = all(s.cost.complete for s in every)
    for (position, impressions), group in zip(probe.fingers, lists, strict=True):
        raw = np.full(len(listed), UNVERIFIED, np.int64)
        count = np.zeros(len(listed), np.int64)
        for impression, short in zip(impressions, group, strict=True):
            rows = short.row_ids if rows_all is None else _fitting(columns, rows_all, position)
            rows = rows[owners[rows] >= 0]
            got = handle.index.verify(
                impression,
                rows,
                deadline=limits.deadline,
                cancel=limits.cancel,  # type: ignore[arg-type]
            )
            done = got != UNVERIFIED
            complete &= bool(done.all())
            verified += int(done.sum())
            place = np.searchsorted(listed, owners[rows[done]])
            np.maximum.at(raw, place, got[done])
            np.add.at(count, place, 1)
        value = np.where(count > 0, calibrate(np.maximum(raw, 0)), np.nan)
        best.append((position, value))
        tries.append(count)
    seen = np.zeros(len(listed), np.bool_)
    for count in tries:
        seen |= count > 0
    cost = SearchCost(
        live_fingers=sum(s.cost.live_fingers for s in every),
        codes_scanned=sum(s.cost.codes_scanned for s in every),
        fingers_scanned=sum(s.cost.fingers_scanned for s in every),
        fingers_verified=verified,
        complete=complete,
    )
    scores = _fused([v[seen] for _, v in best], [c[seen] for c in tries])
    fingers = tuple((p, v[seen]) for p, v in best)
    return Hits(handle.partition, columns, listed[seen], scores, fingers, cost, root)


def _fitting(
    columns: Columns, rows: NDArray[np.int64], position: FingerPosition
) -> NDArray[np.int64]:
    if position is FingerPosition.UNKNOWN:
        return rows
    of_row = columns.row_position[rows]
    return rows[(of_row == int(position)) | (of_row == int(FingerPosition.UNKNOWN))]


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
