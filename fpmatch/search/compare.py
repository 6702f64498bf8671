"""One probe against one partition: shortlist, verification, calibration, fusion, ranking.

What searches is given the handles of granted partitions and nothing else: it cannot name, open or
count any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.gallery import Columns
from fpmatch.index import UNVERIFIED, PartitionIndex, Shortlist
from fpmatch.matcher import calibrate, fuse
from fpmatch.search.gate import Gate
from fpmatch.search.probe import Probe
from fpmatch.types import Candidate, FingerPosition, FingerScore, SearchCost, SearchRequest


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
    """What bounds a search, and how prints may lie."""

    effort: str
    deadline: float | None = None
    cancel: object | None = None
    rotation: str = "upright"

    @classmethod
    def of(
        cls, request: SearchRequest, deadline: float | None = None, cancel: object | None = None
    ) -> Limits:
        """Of a submission; with its `time.monotonic` limit and what may cancel it."""
        return cls(request.effort, deadline, cancel, request.rotation)


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
    handle: Handle,
    probe: Probe,
    *,
    sees_protected: bool,
    uses: frozenset[str],
    limits: Limits,
    only: NDArray[np.int64] | None = None,
) -> Hits:
    """Search one partition.

    Parameters
    ----------
    sees_protected : bool
        Whether protected records may be seen.
    uses : frozenset of str
        The uses that this search makes of records; those whose contributor bans one are not seen.
    only : (K,) int64, optional
        Compare with these rows and no others, each that may be seen and has the finger.

    Notes
    -----
    Barred records are masked before anything is ranked. Where the index shortens the list, a
    record that any finger put on it is compared with all probe fingers.
    """
    with handle.gate.shared(limits.deadline) as held:
        if not held:
            return _nothing(handle, probe)
        allowed = handle.columns.allowed(sees_protected=sees_protected, uses=uses)
        if only is not None:
            return _compare(handle, probe, limits, _listed(handle, probe, allowed, only))
        return _compare(handle, probe, limits, _rows(handle, probe, allowed, limits))


def _nothing(handle: Handle, probe: Probe) -> Hits:
    """The outcome of a search whose deadline came while the partition was being changed."""
    none = np.zeros(0, np.int64)
    fingers = tuple((position, np.zeros(0)) for position, _ in probe.fingers)
    cost = SearchCost(complete=False)
    return Hits(handle.partition, handle.columns, none, np.zeros(0), fingers, cost, "")


def compare_many(
    handle: Handle,
    probes: Sequence[Probe],
    *,
    sees_protected: bool,
    uses: frozenset[str],
    limits: Limits,
) -> list[Hits]:
    """`compare` for several submissions of one impression each that may see the same records.

    They share the passes over the codes; each result is as if searched alone.
    """
    with handle.gate.shared():
        allowed = handle.columns.allowed(sees_protected=sees_protected, uses=uses)
        flat = [(probe.seen(p), one) for probe in probes for p, (one,) in probe.fingers]
        shorts = handle.index.shortlist_many(
            [impression for _, impression in flat],
            allowed=allowed,
            positions=[int(p) for p, _ in flat],
            effort=limits.effort,
            rotation=limits.rotation,
        )
        return [
            _compare(handle, probe, limits, _rows(handle, probe, allowed, limits, short))
            for probe, short in zip(probes, shorts, strict=True)
        ]


def _compare(
    handle: Handle,
    probe: Probe,
    limits: Limits,
    to_verify: tuple[list[NDArray[np.int64]], SearchCost],
) -> Hits:
    root = handle.root()
    columns = handle.columns
    flat = _flat(probe)
    rows, looked = to_verify
    owners = columns.row_record
    listed = np.unique(np.concatenate([np.zeros(0, np.int32), *(owners[r] for r in rows)]))
    best = {p: np.full(len(listed), UNVERIFIED, np.int64) for p, _ in flat}
    tries = {p: np.zeros(len(listed), np.int64) for p, _ in flat}
    verified, complete = 0, looked.complete
    for (position, impression), mine in zip(flat, rows, strict=True):
        got = handle.index.verify(
            impression,
            mine,
            rotation=limits.rotation,
            deadline=limits.deadline,
            cancel=limits.cancel,  # type: ignore[arg-type]
        )
        done = got != UNVERIFIED
        complete &= bool(done.all())
        verified += int(done.sum())
        place = np.searchsorted(listed, owners[mine[done]])
        np.maximum.at(best[position], place, got[done])
        np.add.at(tries[position], place, 1)
    seen = np.zeros(len(listed), np.bool_)
    for count in tries.values():
        seen |= count > 0
    values = {p: calibrate(np.maximum(raw, 0), limits.rotation) for p, raw in best.items()}
    fingers = tuple((p, np.where(tries[p] > 0, values[p], np.nan)[seen]) for p in best)
    scores = _fused([v for _, v in fingers], [tries[p][seen] for p in best])
    cost = replace(looked, fingers_verified=verified, complete=complete)
    records = listed[seen].astype(np.int64)
    return Hits(handle.partition, columns, records, scores, fingers, cost, root)


def _flat(probe: Probe) -> list[tuple[FingerPosition, SearchTemplate]]:
    return [(p, impression) for p, several in probe.fingers for impression in several]


def _listed(
    handle: Handle, probe: Probe, allowed: NDArray[np.bool_] | None, only: NDArray[np.int64]
) -> tuple[list[NDArray[np.int64]], SearchCost]:
    """For each impression those of some rows to verify; nothing is searched for them."""
    rows = only if allowed is None else only[allowed[only]]
    found = [_with_finger(handle.columns, rows, probe.seen(p)) for p, _ in _flat(probe)]
    return found, SearchCost(live_fingers=len(rows))


def _with_finger(
    columns: Columns, rows: NDArray[np.int64], position: FingerPosition
) -> NDArray[np.int64]:
    """Rows of a position and of unknown ones; all of them for a probe of unknown position."""
    if position is FingerPosition.UNKNOWN:
        return rows
    of_row = columns.row_position[rows]
    return rows[(of_row == int(position)) | (of_row == int(FingerPosition.UNKNOWN))]


def _rows(
    handle: Handle,
    probe: Probe,
    allowed: NDArray[np.bool_] | None,
    limits: Limits,
    short: Shortlist | None = None,
) -> tuple[list[NDArray[np.int64]], SearchCost]:
    """For each impression the rows to verify, and what it took to find them."""
    columns = handle.columns
    flat = _flat(probe)
    more: dict[str, Any] = {
        "allowed": allowed,
        "effort": limits.effort,
        "rotation": limits.rotation,
        "deadline": limits.deadline,
        "cancel": limits.cancel,
    }
    if len(flat) > 1:
        found = handle.index.shortlist_subject(
            [impression for _, impression in flat],
            np.maximum(columns.row_record, 0).astype(np.int64),
            positions=[int(probe.seen(p)) for p, _ in flat],
            **more,
        )
        return list(found.row_ids), found.cost
    ((position, impression),) = flat
    position = probe.seen(position)
    if short is None:
        short = handle.index.shortlist(impression, position=int(position), **more)
    if short.exhaustive:
        return [short.row_ids], short.cost
    # A record on the list is compared with all its impressions, whichever of them put it there.
    rows = columns.rows_of(np.unique(columns.row_record[short.row_ids]).astype(np.int64))
    return [_with_finger(columns, rows, position)], short.cost


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
