"""Accuracy and speed, measured: verification and identification protocols, intervals, reports."""

from fpmatch.evaluate.evaluation import Evaluation, evaluate, evaluate_samples, load_samples
from fpmatch.evaluate.extraction import Sample
from fpmatch.evaluate.identification import Searches, cmc, fnir_at_fpir, rank_rate
from fpmatch.evaluate.metrics import (
    Comparisons,
    ErrorCounts,
    VerificationMetrics,
    verification_metrics,
)

__all__ = [
    "Comparisons",
    "ErrorCounts",
    "Evaluation",
    "Sample",
    "Searches",
    "VerificationMetrics",
    "cmc",
    "evaluate",
    "evaluate_samples",
    "fnir_at_fpir",
    "load_samples",
    "rank_rate",
    "verification_metrics",
]
