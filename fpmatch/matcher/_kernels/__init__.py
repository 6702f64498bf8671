"""Comparison of search forms in integers only, so that every sum is exact in any order.

Similarities, compatibilities and weights are fixed-point numbers with one = 1024; the support of a
pair in the relaxation has one = 16384. Positions are eighths of a pixel, angles 1/256 turn.

Compiled callers are cached by the date of their own file: after an edit in one of these files,
delete the ``*.nbi`` beside all of them.
"""

from fpmatch.matcher._kernels.alignment import consensus, motion, tally, transfer
from fpmatch.matcher._kernels.bending import bend, bent, gather, mean_missed
from fpmatch.matcher._kernels.geometry import angle_between, direction, geometry
from fpmatch.matcher._kernels.memory import Scratch, Tables
from fpmatch.matcher._kernels.pairing import assign, popcount, queue_pairs
from fpmatch.matcher._kernels.relaxation import compatibilities, relax, select
from fpmatch.matcher._kernels.score import feature_rows, features, score, score_rows

__all__ = [
    "Scratch",
    "Tables",
    "angle_between",
    "assign",
    "bend",
    "bent",
    "compatibilities",
    "consensus",
    "direction",
    "feature_rows",
    "features",
    "gather",
    "geometry",
    "mean_missed",
    "motion",
    "popcount",
    "queue_pairs",
    "relax",
    "score",
    "score_rows",
    "select",
    "tally",
    "transfer",
]
