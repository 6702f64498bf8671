"""An evaluation as plain types, for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fpmatch.evaluate import conditions, groups
from fpmatch.evaluate.identification import cmc, fnir_at_fpir, rates_at
from fpmatch.evaluate.metrics import RATES, VerificationMetrics
from fpmatch.parameters import EVALUATE

if TYPE_CHECKING:
    from fpmatch.evaluate.bootstrap import Interval, Intervals
    from fpmatch.evaluate.evaluation import Evaluation

CMC_DEPTH = 10
SCORES = (20, 30, 40, 50, 60)
"""Scores at which the open-set rates are listed."""


def to_dict(e: Evaluation, *, left_out: bool = False) -> dict[str, Any]:
    """Every figure; an undefined rate is None, its reason under ``undefined``.

    Parameters
    ----------
    e : Evaluation
    left_out : bool
        With each database at thresholds from the others.

    Raises
    ------
    InputError
        If that is asked of one database.
    """
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
    if left_out:
        out["left_out"] = {part.database: _left_out(part) for part in groups.left_out(e)}
    out["undefined"] = _undefined(e, out)
    return out


def _left_out(part: groups.LeftOut) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ("threshold", "fmr", "fnmr", "eer", "search_threshold", "fpir", "fnir", "rank1"):
        out[name] = number(getattr(part, name))
    out["mated"], out["nonmated"], out["searches"] = part.mated, part.nonmated, part.searches
    for name in ("fmr", "fnmr"):
        out[f"{name}_interval"] = [number(v) for v in getattr(part, f"{name}_interval")]
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
