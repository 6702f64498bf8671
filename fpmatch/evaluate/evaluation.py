"""The whole evaluation: folders in, every figure out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.checks import check_paths
from fpmatch.evaluate import bootstrap, conditions
from fpmatch.evaluate.extraction import Progress, Sample, extract_databases
from fpmatch.evaluate.folders import (
    find_databases,
    join_identities,
    read_identity_rows,
    read_ppi_map,
)
from fpmatch.evaluate.identification import (
    Searches,
    cmc,
    fnir_at_fpir,
    rank_rate,
    rates_at,
    search_outcomes,
)
from fpmatch.evaluate.metrics import RATES, VerificationMetrics, mean_metrics, verification_metrics
from fpmatch.evaluate.protocol import (
    Comparer,
    Pairs,
    comparison_time,
    fill_failures,
    first_impressions,
    score_pairs,
    search_scores,
    within_folders,
)
from fpmatch.parameters import EVALUATE

CMC_DEPTH = 10
SCORES = (20, 30, 40, 50, 60)
"""Scores at which the open-set rates are listed."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Every figure of one evaluation, and the comparisons behind them.

    Parameters
    ----------
    names : tuple of str
        Names of the folders.
    samples : list of Sample
        All impressions, folder by folder.
    protocol, extractor : str
    pairs : Pairs
        Comparisons within folders, scored.
    probes, gallery : (S,), (G,) int64
        Samples that are searched, and that are enrolled.
    searches : Searches
    databases, mean, pooled
        One-to-one rates, percent.
    rank1, fnir_at_fpir_1pct : float
        Percent.
    intervals : Intervals
    extract_ms_median, compare_us_median, template_bytes_median : float
    """

    names: tuple[str, ...]
    samples: list[Sample]
    protocol: str
    extractor: str
    pairs: Pairs
    probes: NDArray[np.int64]
    gallery: NDArray[np.int64]
    searches: Searches
    databases: Mapping[str, VerificationMetrics]
    mean: VerificationMetrics
    pooled: VerificationMetrics
    rank1: float
    fnir_at_fpir_1pct: float
    intervals: bootstrap.Intervals
    extract_ms_median: float
    compare_us_median: float
    template_bytes_median: float

    @property
    def failures(self) -> list[Sample]:
        """The impressions that failed to extract."""
        return [s for s in self.samples if s.failed]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; an undefined rate is None, its reason under ``undefined``."""
        out: dict[str, Any] = {
            "databases": {n: _metrics(m) for n, m in self.databases.items()},
            "mean": _metrics(self.mean),
            "pooled": _metrics(self.pooled),
            "rank1": _number(self.rank1),
            "fnir_at_fpir_1pct": _number(self.fnir_at_fpir_1pct),
            "extract_ms_median": _number(self.extract_ms_median),
            "compare_us_median": _number(self.compare_us_median),
            "template_bytes_median": _number(self.template_bytes_median),
            "failures_to_extract": len(self.failures),
            "protocol": self.protocol,
            "extractor": self.extractor,
            "fingers": len({(s.database, s.finger) for s in self.samples}),
            "impressions": len(self.samples),
            "identification": self._identification(),
            "intervals": _intervals(self.intervals),
            "failures": [
                {"database": self.names[s.database], "file": s.path.name, "error": s.error}
                for s in self.failures
            ],
            "machine": conditions.machine(),
            "versions": conditions.versions(),
            "parameters": conditions.parameter_hash(),
        }
        out["undefined"] = self._undefined(out)
        return out

    def _identification(self) -> dict[str, Any]:
        enrolled = self.gallery
        failed = sum(self.samples[i].failed for i in enrolled)
        return {
            "searches": len(self.searches),
            "gallery_templates": len(enrolled),
            "gallery_identities": len({self.samples[i].identity for i in enrolled}),
            "failures_to_enrol": failed,
            "cmc": [_number(v) for v in cmc(self.searches, CMC_DEPTH)],
            "fnir_at_fpir_0_1pct": _number(fnir_at_fpir(self.searches, 1000)),
            "at_score": [self._at(score) for score in SCORES],
        }

    def _at(self, score: float) -> dict[str, float | int | None]:
        fpir, fnir = rates_at(self.searches, score)
        return {"score": score, "fpir": _number(fpir), "fnir": _number(fnir)}

    def _undefined(self, out: dict[str, Any]) -> dict[str, str]:
        reasons: dict[str, str] = {}
        parts = {f"databases.{n}": m for n, m in self.databases.items()}
        for where, m in {**parts, "mean": self.mean, "pooled": self.pooled}.items():
            missing = [k for k, n in (("mated", m.mated), ("non-mated", m.nonmated)) if not n]
            if missing:
                reasons[where] = f"no {' and no '.join(missing)} comparisons"
        reason = {
            "rank1": "no probe has its identity in the gallery",
            "fnir_at_fpir_1pct": "no probe has its identity in the gallery",
            "extract_ms_median": "nothing was extracted",
            "compare_us_median": "no non-mated comparison was made",
            "template_bytes_median": "nothing was extracted",
        }
        reasons.update({k: v for k, v in reason.items() if out[k] is None})
        return reasons


@takes(folders=check_paths)
def evaluate(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi: float | None = None,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None = None,
    identities: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    protocol: str = "all",
    processes: int = 1,
    replicates: int = EVALUATE.replicates,
    seed: int = EVALUATE.seed,
    progress: Progress | None = None,
) -> Evaluation:
    """Run the verification and identification protocols on folders of impressions.

    Parameters
    ----------
    folders : sequence of path
        Each holds ``<finger>_<impression>.<ext>``.
    ppi : float, optional
        Resolution of folders that the map does not name.
    ppi_map : path or mapping, optional
        Folder key to resolution; folders are matched by path suffix.
    identities : path, optional
        CSV ``folder,finger,same_as_folder,same_as_finger``: fingers that are one.
    extractor : str, optional
        A name in `fpmatch.minutiae.EXTRACTORS`; None is the default one.
    protocol : str
        ``all`` or ``fvc``: see `fpmatch.evaluate.protocol.within_folders`.
    processes : int
        Processes that extract; more than one needs an importable main module (spawn).
    replicates, seed : int
        Of the bootstrap; 0 replicates leaves the intervals undefined.
    progress : callable, optional

    Raises
    ------
    InputError
        Folder, map, identities file, extractor or protocol cannot be used.

    Notes
    -----
    Quadratic in the impressions of a folder. An impression that fails to extract takes part in
    every comparison with the lowest score of the evaluation; as a probe or in the gallery it is
    a miss.
    """
    samples, names = load_samples(
        folders,
        ppi=ppi,
        ppi_map=ppi_map,
        identities=identities,
        extractor=extractor,
        processes=processes,
        progress=progress,
    )
    return evaluate_samples(
        samples,
        names,
        protocol=protocol,
        extractor=extractor,
        replicates=replicates,
        seed=seed,
        progress=progress,
    )


@takes(folders=check_paths)
def load_samples(
    folders: Sequence[str | os.PathLike[str]],
    *,
    ppi: float | None = None,
    ppi_map: str | os.PathLike[str] | Mapping[str, float] | None = None,
    identities: str | os.PathLike[str] | None = None,
    extractor: str | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Sample], tuple[str, ...]]:
    """Find and extract all impressions; parameters as in `evaluate`.

    Parameters
    ----------
    folders : sequence of path
        Folders of ``<finger>_<impression>.<ext>``; synthetic prints if empty.
    ppi : float, optional
        Pixels per inch of all images.
    ppi_map : path or mapping, optional
        Pixels per inch by folder key.
    identities : path, optional
        File that joins fingers of several folders to identities.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    processes : int
        Processes that extract.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    if ppi_map is not None and not isinstance(ppi_map, Mapping):
        ppi_map = read_ppi_map(ppi_map)
    rows = read_identity_rows(identities) if identities is not None else []
    keys = [key for row in rows for key in (row[0], row[2])]
    databases = find_databases(folders, ppi=ppi, ppi_map=ppi_map, identity_keys=keys)
    samples = extract_databases(
        databases,
        join_identities(databases, rows),
        extractor=extractor,
        processes=processes,
        progress=progress,
    )
    return samples, tuple(d.name for d in databases)


@takes(samples=listed(Sample), names=listed(str))
def evaluate_samples(
    samples: list[Sample],
    names: Sequence[str],
    *,
    protocol: str = "all",
    extractor: str | None = None,
    replicates: int = EVALUATE.replicates,
    seed: int = EVALUATE.seed,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare and search samples that are already extracted; parameters as in `evaluate`.

    Parameters
    ----------
    samples : list of Sample
        As `load_samples` gives them.
    names : sequence of str
        Of the databases, in the order of their numbers in the samples.
    protocol : {"all", "fvc"}
        Which non-mated pairs; see `within_folders`.
    extractor : str, optional
        Name of the extractor; the default one if not given.
    replicates : int
        Bootstrap replicates: B.
    seed : int
        Same seed, same result.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    """
    pairs = within_folders(samples, protocol)
    comparer = Comparer(samples)
    pairs = score_pairs(comparer, pairs, progress)
    gallery = first_impressions(samples)
    probes = np.setdiff1d(np.arange(len(samples)), gallery)
    raw = search_scores(comparer, probes, gallery, progress)
    pair_scores, scores = fill_failures(pairs.score, raw)
    pairs = replace(pairs, score=pair_scores)
    identity = np.array([s.identity for s in samples], np.int64)
    failed = np.array([s.failed for s in samples], np.bool_)
    searches = search_outcomes(
        scores, identity[probes], identity[gallery], failed[probes], failed[gallery]
    )
    databases = {n: _part(pairs, pairs.database == i) for i, n in enumerate(names)}
    return Evaluation(
        names=tuple(names),
        samples=samples,
        protocol=protocol,
        extractor=_extractor_name(samples, extractor),
        pairs=pairs,
        probes=probes,
        gallery=gallery,
        searches=searches,
        databases=databases,
        mean=mean_metrics(list(databases.values())),
        pooled=_part(pairs, np.ones(len(pairs), np.bool_)),
        rank1=rank_rate(searches),
        fnir_at_fpir_1pct=fnir_at_fpir(searches),
        intervals=bootstrap.intervals(
            samples,
            names,
            pairs,
            searches,
            probes,
            replicates=replicates,
            level=EVALUATE.level,
            seed=seed,
        ),
        extract_ms_median=_median([s.milliseconds for s in samples]),
        compare_us_median=comparison_time(comparer, pairs),
        template_bytes_median=_median(
            [float(len(s.template.to_bytes())) for s in samples if s.template is not None]
        ),
    )


def _part(pairs: Pairs, keep: NDArray[np.bool_]) -> VerificationMetrics:
    return verification_metrics(pairs.score[keep & pairs.mated], pairs.score[keep & ~pairs.mated])


def _extractor_name(samples: Sequence[Sample], asked: str | None) -> str:
    used = {s.template.extractor for s in samples if s.template is not None}
    return ", ".join(sorted(used)) or asked or "none"


def _median(values: Sequence[float]) -> float:
    kept = [v for v in values if not math.isnan(v)]
    return float(np.median(kept)) if kept else math.nan


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 6)


def _metrics(m: VerificationMetrics) -> dict[str, float | int | None]:
    return {name: _number(getattr(m, name)) for name in (*RATES, "mated", "nonmated")}


def _intervals(intervals: bootstrap.Intervals) -> dict[str, Any]:
    def both(interval: bootstrap.Interval) -> list[float | int | None]:
        return [_number(v) for v in interval]

    def rates(part: Mapping[str, bootstrap.Interval]) -> dict[str, list[float | int | None]]:
        return {name: both(interval) for name, interval in part.items()}

    return {
        "level_percent": EVALUATE.level,
        "databases": {n: rates(part) for n, part in intervals.databases.items()},
        "mean": rates(intervals.mean),
        "pooled": rates(intervals.pooled),
        "rank1": both(intervals.rank1),
        "fnir_at_fpir_1pct": both(intervals.fnir_at_fpir_1pct),
    }
