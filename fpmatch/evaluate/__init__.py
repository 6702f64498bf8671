"""Accuracy and speed, measured: verification and identification protocols, intervals, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpmatch.lazy_names import loader

if TYPE_CHECKING:
    from fpmatch.evaluate.evaluation import evaluate as evaluate
    from fpmatch.evaluate.evaluation import evaluate_samples as evaluate_samples
    from fpmatch.evaluate.evaluation import load_samples as load_samples
    from fpmatch.evaluate.exact import clopper_pearson as clopper_pearson
    from fpmatch.evaluate.extraction import Sample as Sample
    from fpmatch.evaluate.groups import LeftOut as LeftOut
    from fpmatch.evaluate.groups import left_out as left_out
    from fpmatch.evaluate.identification import Searches as Searches
    from fpmatch.evaluate.identification import cmc as cmc
    from fpmatch.evaluate.identification import fnir_at_fpir as fnir_at_fpir
    from fpmatch.evaluate.identification import rank_rate as rank_rate
    from fpmatch.evaluate.matcher import Matcher as Matcher
    from fpmatch.evaluate.metrics import Comparisons as Comparisons
    from fpmatch.evaluate.metrics import ErrorCounts as ErrorCounts
    from fpmatch.evaluate.metrics import VerificationMetrics as VerificationMetrics
    from fpmatch.evaluate.metrics import verification_metrics as verification_metrics
    from fpmatch.evaluate.result import Evaluation as Evaluation
    from fpmatch.evaluate.tables import cmc_table as cmc_table
    from fpmatch.evaluate.tables import det_table as det_table
    from fpmatch.evaluate.tables import score_table as score_table
    from fpmatch.evaluate.tables import write_table as write_table

__all__ = [
    "Comparisons",
    "ErrorCounts",
    "Evaluation",
    "LeftOut",
    "Matcher",
    "Sample",
    "Searches",
    "VerificationMetrics",
    "clopper_pearson",
    "cmc",
    "cmc_table",
    "det_table",
    "evaluate",
    "evaluate_samples",
    "fnir_at_fpir",
    "left_out",
    "load_samples",
    "rank_rate",
    "score_table",
    "verification_metrics",
    "write_table",
]

if not TYPE_CHECKING:  # so that the machine is described without what measures it
    __getattr__ = loader(
        __name__,
        {
            "LeftOut": "fpmatch.evaluate.groups",
            "Matcher": "fpmatch.evaluate.matcher",
            "clopper_pearson": "fpmatch.evaluate.exact",
            "cmc_table": "fpmatch.evaluate.tables",
            "det_table": "fpmatch.evaluate.tables",
            "left_out": "fpmatch.evaluate.groups",
            "score_table": "fpmatch.evaluate.tables",
            "write_table": "fpmatch.evaluate.tables",
            "Comparisons": "fpmatch.evaluate.metrics",
            "ErrorCounts": "fpmatch.evaluate.metrics",
            "Evaluation": "fpmatch.evaluate.result",
            "Sample": "fpmatch.evaluate.extraction",
            "Searches": "fpmatch.evaluate.identification",
            "VerificationMetrics": "fpmatch.evaluate.metrics",
            "cmc": "fpmatch.evaluate.identification",
            "evaluate": "fpmatch.evaluate.evaluation",
            "evaluate_samples": "fpmatch.evaluate.evaluation",
            "fnir_at_fpir": "fpmatch.evaluate.identification",
            "load_samples": "fpmatch.evaluate.evaluation",
            "rank_rate": "fpmatch.evaluate.identification",
            "verification_metrics": "fpmatch.evaluate.metrics",
        },
    )
