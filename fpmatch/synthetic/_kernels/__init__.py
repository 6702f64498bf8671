"""Numeric kernels of the print generator; exact, for their last bit may decide a pixel."""

from fpmatch.synthetic._kernels.lines import (
    between_closest,
    crossings,
    find_minutiae,
    neighbours,
    prune,
    step,
    thin,
    walk,
)
from fpmatch.synthetic._kernels.skin import (
    grow,
    place_apart,
    spline_columns,
    stamp,
)
from fpmatch.synthetic._kernels.touch import (
    from_master_many,
    jacobian,
    press,
    to_master,
    to_master_many,
    turn_back,
)

__all__ = [
    "between_closest",
    "crossings",
    "find_minutiae",
    "from_master_many",
    "grow",
    "jacobian",
    "neighbours",
    "place_apart",
    "press",
    "prune",
    "spline_columns",
    "stamp",
    "step",
    "thin",
    "to_master",
    "to_master_many",
    "turn_back",
    "walk",
]
