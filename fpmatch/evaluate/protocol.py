"""Which impressions are compared with which, and the comparing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.evaluate.desk import Job
from fpmatch.evaluate.extraction import Progress, Sample

if TYPE_CHECKING:
    from fpmatch.descriptor.scales import Forms

PROTOCOLS = ("all", "fvc")
_TIMED_PROBES = 400
"""Probes whose non-mated comparisons are timed: enough for a median that stands still."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Comparisons within folders.

    Parameters
    ----------
    probe, candidate : (P,) int64
        Positions in the list of samples.
    mated : (P,) bool
    database : (P,) int64
        The folder that holds both.
    score : (P,) float64
        -10*log10(FMR); NaN before scoring.
    """

    probe: NDArray[np.int64]
    candidate: NDArray[np.int64]
    mated: NDArray[np.bool_]
    database: NDArray[np.int64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.probe)


def within_folders(samples: Sequence[Sample], protocol: str = "all") -> Pairs:
    """List the comparisons of the FVC protocol (Maio et al. 2002).

    Mated: every pair of impressions of one identity in a folder. Non-mated: with ``all``, every
    pair of impressions of different identities; with ``fvc``, the first impression of each
    finger against the first of every other (45 pairs for ten fingers). Each unordered pair is
    compared once, the earlier impression as the probe.

    Raises
    ------
    InputError
        If the protocol is not known.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    identity = np.array([s.identity for s in samples], np.int64)
    database = np.array([s.database for s in samples], np.int64)
    first = np.zeros(len(samples), np.bool_)
    first[first_impressions(samples)] = True
    parts: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
    for d in np.unique(database):
        members = np.flatnonzero(database == d)
        a, b = np.triu_indices(len(members), 1)
        parts.append(np.stack([members[a], members[b]], axis=1))
    pairs = np.concatenate(parts)
    mated = identity[pairs[:, 0]] == identity[pairs[:, 1]]
    if protocol == "fvc":
        keep = mated | (first[pairs[:, 0]] & first[pairs[:, 1]])
        pairs, mated = pairs[keep], mated[keep]
    probe, candidate = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    return Pairs(probe, candidate, mated, database[probe], np.full(len(probe), np.nan))


def first_impressions(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Positions of impression 1 of every finger, or of its lowest-numbered impression."""
    lowest: dict[tuple[int, str], int] = {}
    for i, s in enumerate(samples):
        key = (s.database, s.finger)
        if key not in lowest or s.impression < samples[lowest[key]].impression:
            lowest[key] = i
    return np.array(sorted(lowest.values()), np.int64)


class AnyComparer(Protocol):
    """What scores samples by their positions: ours, or another matcher's."""

    def each(
        self, jobs: Sequence[Job], timed: Sequence[bool] = ()
    ) -> Iterator[NDArray[np.float64]]:
        """Scores of many jobs, in their order; NaN where either impression failed."""
        ...

    def comparison_time(self, pairs: Pairs) -> float:
        """Median microseconds of a non-mated comparison; NaN without any."""
        ...


class Comparer:
    """All templates in search form, compared by position in the list of samples.

    Scores of impressions that failed to extract are NaN here and get the lowest score of the
    whole evaluation afterwards (`fill_failures`).

    Parameters
    ----------
    samples : sequence of Sample
    scale : {"stated", "any"}
        Whether the resolutions of probes are believed, as in `fpmatch.compare`.
    """

    def __init__(self, samples: Sequence[Sample], scale: str = "stated") -> None:
        from fpmatch.descriptor import encode, encode_scales, pack

        self.scale = scale
        self.row = np.full(len(samples), -1, np.int64)
        ok = [i for i, s in enumerate(samples) if s.template is not None]
        self.row[ok] = np.arange(len(ok))
        held = [s.template for s in samples if s.template is not None]
        stated = [encode(template) for template in held]
        self._packed = pack(stated)
        self._forms: list[Forms] = [(form,) for form in stated]
        if scale == "any":
            self._forms = [encode_scales(template) for template in held]

    def each(
        self, jobs: Sequence[Job], timed: Sequence[bool] = ()
    ) -> Iterator[NDArray[np.float64]]:
        """Scores of many jobs, in their order.

        Parameters
        ----------
        jobs : sequence of Job
            One probe and its candidates each.
        timed : sequence of bool
            Not heeded: `microseconds` times apart.
        """
        return (self.scores(job.probe, job.candidates) for job in jobs)

    def comparison_time(self, pairs: Pairs) -> float:
        """As the function `comparison_time`."""
        return comparison_time(self, pairs)

    def scores(self, probe: int, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,) scores of one probe against the candidates; NaN where either failed.

        Parameters
        ----------
        probe : int
            Index of a sample.
        candidates : (K,) int64
            Indices of samples.
        """
        from fpmatch.matcher import best_of, calibrate

        out = np.full(len(candidates), np.nan)
        rows = self.row[candidates]
        usable = rows >= 0
        if self.row[probe] >= 0 and usable.any():
            tries = len(self._forms[self.row[probe]])
            out[usable] = best_of(calibrate(self._raw(probe, rows[usable])), tries)
        return out

    def microseconds(self, probe: int, candidates: NDArray[np.int64]) -> float:
        """CPU time of one comparison, a mean over the candidates; NaN if none is usable.

        Parameters
        ----------
        probe : int
            Index of a sample.
        candidates : (K,) int64
            Indices of samples.
        """
        rows = self.row[candidates]
        rows = rows[rows >= 0]
        if self.row[probe] < 0 or len(rows) == 0:
            return float("nan")
        start = time.thread_time()
        self._raw(probe, rows)
        return (time.thread_time() - start) * 1e6 / len(rows)

    def _raw(self, probe: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        from fpmatch.matcher import compare_many

        rows = np.ascontiguousarray(rows)
        tried = [compare_many(form, self._packed, rows) for form in self._forms[self.row[probe]]]
        return np.max(tried, axis=0)


def score_pairs(comparer: AnyComparer, pairs: Pairs, progress: Progress | None = None) -> Pairs:
    """Score every pair, one probe at a time.

    Parameters
    ----------
    comparer : Comparer or ForeignComparer
        Of the samples.
    pairs : Pairs
        Their scores are filled in the result.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    score = np.full(len(pairs), np.nan)
    order = np.lexsort((pairs.mated, pairs.probe))
    key = 2 * pairs.probe[order] + pairs.mated[order]
    groups = np.split(order, np.flatnonzero(np.diff(key)) + 1) if len(order) else []
    # Mated and non-mated comparisons apart: only the time of the latter is reported.
    jobs = [
        Job(int(pairs.probe[g[0]]), pairs.candidate[g], int(pairs.database[g[0]])) for g in groups
    ]
    timed = [not pairs.mated[g[0]] for g in groups]
    for i, (group, found) in enumerate(zip(groups, comparer.each(jobs, timed), strict=True)):
        score[group] = found
        if progress is not None:
            progress("comparing", i + 1, len(groups))
    return replace(pairs, score=score)


def search_scores(
    comparer: AnyComparer,
    probes: NDArray[np.int64],
    gallery: NDArray[np.int64],
    progress: Progress | None = None,
    near: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """(S, G) scores of every probe against every gallery entry; NaN where either failed.

    Parameters
    ----------
    comparer : Comparer or ForeignComparer
        Of the samples.
    probes : (S,) int64
        Indices of samples.
    gallery : (G,) int64
        Indices of samples.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    near : (S,) int64, optional
        Folder of each probe: its searches are best done where its pairs were compared.
    """
    scores = np.full((len(probes), len(gallery)), np.nan)
    places = np.zeros(len(probes), np.int64) if near is None else near
    jobs = [Job(int(p), gallery, int(n)) for p, n in zip(probes, places, strict=True)]
    for i, found in enumerate(comparer.each(jobs, [False] * len(jobs))):
        scores[i] = found
        if progress is not None:
            progress("searching", i + 1, len(probes))
    return scores


def fill_failures(*scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Replace NaN by the lowest score that occurs anywhere; by 0 if none occurs."""
    found = [float(np.nanmin(s)) for s in scores if np.isfinite(s).any()]
    floor = min(found, default=0.0)
    return tuple(np.where(np.isnan(s), floor, s) for s in scores)


def comparison_time(comparer: Comparer, pairs: Pairs) -> float:
    """Median microseconds of a non-mated comparison on one thread; NaN without any.

    The median over probes of the time that `fpmatch.matcher.compare_many` takes on the probe's
    non-mated candidates, divided by their number.
    """
    which = np.flatnonzero(~pairs.mated)
    probes = np.unique(pairs.probe[which])
    step = max(1, len(probes) // _TIMED_PROBES)
    times = []
    for probe in probes[::step]:
        rows = which[pairs.probe[which] == probe]
        times.append(comparer.microseconds(int(probe), pairs.candidate[rows]))
    kept = [t for t in times if np.isfinite(t)]
    return float(np.median(kept)) if kept else float("nan")
