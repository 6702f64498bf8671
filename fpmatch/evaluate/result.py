"""What an evaluation came to: every figure, and the comparisons behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.evaluate import conditions
from fpmatch.evaluate.bootstrap import Interval, Intervals
from fpmatch.evaluate.extraction import Sample
from fpmatch.evaluate.identification import Searches, cmc, fnir_at_fpir, rates_at
from fpmatch.evaluate.matcher import OURS
from fpmatch.evaluate.metrics import RATES, VerificationMetrics
from fpmatch.evaluate.protocol import Pairs
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
    protocol : str
    matcher : str
        What scored them: ``fpmatch``, or the name of another one.
    extractor : str
        What made the templates; ``none`` where another matcher takes images.
    pairs : Pairs
        Comparisons within folders, scored.
    probes, gallery : (S,), (G,) int64
        Samples that are searched, and that are enrolled.
    search_scores : (S, G) float64
        Of every probe with every entry of the gallery; failures have the lowest score.
    searches : Searches
    databases, mean, pooled
        One-to-one rates, percent.
    rank1, fnir_at_fpir_1pct : float
        Percent.
    intervals : Intervals
    extract_ms_median, compare_us_median, template_bytes_median : float
    date : str
        When it ended: ISO 8601, UTC.
    data : str
        SHA-256 of all images and how they are joined; empty where they are no files.
    command : str
        How it was asked for; empty from the library.
    scale : str
        Whether the resolutions of probes were believed: ``stated`` or ``any``.
    """

    names: tuple[str, ...]
    samples: list[Sample]
    protocol: str
    matcher: str
    extractor: str
    pairs: Pairs
    probes: NDArray[np.int64]
    gallery: NDArray[np.int64]
    search_scores: NDArray[np.float64]
    searches: Searches
    databases: Mapping[str, VerificationMetrics]
    mean: VerificationMetrics
    pooled: VerificationMetrics
    rank1: float
    fnir_at_fpir_1pct: float
    intervals: Intervals
    extract_ms_median: float
    compare_us_median: float
    template_bytes_median: float
    date: str
    data: str
    command: str = ""
    scale: str = "stated"

    @property
    def ours(self) -> bool:
        """Whether scores are fpmatch's: calibrated, so that a score states a false match rate."""
        return self.matcher == OURS

    @property
    def failures(self) -> list[Sample]:
        """The impressions that failed to extract."""
        return [s for s in self.samples if s.failed]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; an undefined rate is None, its reason under ``undefined``."""
        return _to_dict(self)


def _to_dict(e: Evaluation) -> dict[str, Any]:
    out: dict[str, Any] = {
        "matcher": e.matcher,
        "date": e.date,
        "command": e.command,
        "data": e.data,
        "databases": {n: _metrics(m) for n, m in e.databases.items()},
        "mean": _metrics(e.mean),
        "pooled": _metrics(e.pooled),
        "rank1": number(e.rank1),
        "fnir_at_fpir_1pct": number(e.fnir_at_fpir_1pct),
        "extract_ms_median": number(e.extract_ms_median),
        "compare_us_median": number(e.compare_us_median),
        "template_bytes_median": number(e.template_bytes_median),
        "failures_to_extract": len(e.failures),
        "protocol": e.protocol,
        "extractor": e.extractor,
        "scale": e.scale,
        "fingers": len({(s.database, s.finger) for s in e.samples}),
        "impressions": len(e.samples),
        "identification": _identification(e),
        "intervals": _intervals(e.intervals),
        "failures": [
            {"database": e.names[s.database], "file": s.path.name, "error": s.error}
            for s in e.failures
        ],
        "machine": conditions.machine(),
        "versions": conditions.versions(),
        "parameters": conditions.parameter_hash(),
    }
    out["undefined"] = _undefined(e, out)
    return out


def _identification(e: Evaluation) -> dict[str, Any]:
    failed = sum(e.samples[i].failed for i in e.gallery)
    out = {
        "searches": len(e.searches),
        "gallery_templates": len(e.gallery),
        "gallery_identities": len({e.samples[i].identity for i in e.gallery}),
        "failures_to_enrol": failed,
        "cmc": [number(v) for v in cmc(e.searches, CMC_DEPTH)],
        "fnir_at_fpir_0_1pct": number(fnir_at_fpir(e.searches, 1000)),
    }
    # These scores state false match rates; those of another matcher are on a scale of its own.
    if e.ours:
        out["at_score"] = [_at(e, score) for score in SCORES]
    return out


def _at(e: Evaluation, score: float) -> dict[str, float | int | None]:
    fpir, fnir = rates_at(e.searches, score)
    return {"score": score, "fpir": number(fpir), "fnir": number(fnir)}


def _undefined(e: Evaluation, out: dict[str, Any]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    parts = {f"databases.{n}": m for n, m in e.databases.items()}
    for where, m in {**parts, "mean": e.mean, "pooled": e.pooled}.items():
        missing = [k for k, n in (("mated", m.mated), ("non-mated", m.nonmated)) if not n]
        if missing:
            reasons[where] = f"no {' and no '.join(missing)} comparisons"
    unsized = "nothing was extracted"
    if any(s.foreign for s in e.samples):
        unsized = "the matcher's templates are neither bytes nor arrays"
    reason = {
        "rank1": "no probe has its identity in the gallery",
        "fnir_at_fpir_1pct": "no probe has its identity in the gallery",
        "extract_ms_median": "nothing was extracted",
        "compare_us_median": "no non-mated comparison was made",
        "template_bytes_median": unsized,
    }
    reasons.update({k: v for k, v in reason.items() if out[k] is None})
    return reasons


def number(value: float) -> float | int | None:
    """A figure for JSON: six decimals; None if it is not finite."""
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 6)


def _metrics(m: VerificationMetrics) -> dict[str, float | int | None]:
    return {name: number(getattr(m, name)) for name in (*RATES, "mated", "nonmated")}


def _intervals(intervals: Intervals) -> dict[str, Any]:
    def both(interval: Interval) -> list[float | int | None]:
        return [number(v) for v in interval]

    def rates(part: Mapping[str, Interval]) -> dict[str, list[float | int | None]]:
        return {name: both(interval) for name, interval in part.items()}

    return {
        "level_percent": EVALUATE.level,
        "databases": {n: rates(part) for n, part in intervals.databases.items()},
        "mean": rates(intervals.mean),
        "pooled": rates(intervals.pooled),
        "rank1": both(intervals.rank1),
        "fnir_at_fpir_1pct": both(intervals.fnir_at_fpir_1pct),
        "exact": list(intervals.exact),
    }
