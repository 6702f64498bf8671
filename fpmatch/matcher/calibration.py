"""Raw score -> -10 log10(FMR), and the evidence of several fingers as one such value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer, check_numbers
from fpmatch.errors import InputError
from fpmatch.parameters import CALIBRATION

_MOST_TRIES = 1_000_000


@takes(raw=check_numbers)
def calibrate(raw: ArrayLike, rotation: str = "upright") -> NDArray[np.float64]:
    """Value of raw scores: -10 log10 of the false match rate, rounded to 0.01.

    40 means that one non-mated comparison in 10 000 reaches this raw score, 60 one in a million.
    The scale comes from the data that `CalibrationParameters` names; beyond the rarest non-mated
    score seen there it is the extrapolation of an exponential tail, which ranks: what is claimed
    ends at `CalibrationParameters.least_fmr` (`fpmatch.types.claim_of`). Monotone and finite.

    Parameters
    ----------
    raw : array_like of int
    rotation : {"upright", "any"}
        How the raw score was made: the best of four comparisons resembles by chance more often.
    """
    knots = CALIBRATION.raw, CALIBRATION.value
    if rotation == "any":
        knots = CALIBRATION.raw_any, CALIBRATION.value_any
    value = np.interp(np.asarray(raw, np.float64), *knots)
    return np.round(value, 2)


@takes(values=check_numbers)
def best_of(values: ArrayLike, tries: int) -> NDArray[np.float64]:
    """Values of the best of several comparisons, of what each would be worth alone.

    Parameters
    ----------
    values : array_like of float
        From `calibrate`.
    tries : int
        Comparisons that each is the best of, at least one.

    Returns
    -------
    ndarray of float64
        `fuse` of each value alone with so many tries; equal ones are worked out once.

    Raises
    ------
    InputError
        If ``values`` are no numbers, or ``tries`` is no whole number of one to a million.
    """
    check_integer("tries", tries, 1, _MOST_TRIES)
    stated = np.asarray(values, np.float64)
    if tries == 1:
        return stated
    every, where = np.unique(stated, return_inverse=True)
    worth = np.array([fuse([value], [tries]) for value in every.tolist()])
    return worth[where].reshape(stated.shape)


def fuse(values: Sequence[float], tries: Sequence[int] | None = None) -> float:
    """One value from the comparisons of several fingers of one subject.

    Parameters
    ----------
    values : sequence of float
        One `calibrate` value per compared finger; fingers that one side lacks are left out.
    tries : sequence of int, optional
        For each value, of how many comparisons it is the best (several impressions, or a finger of
        unknown position against ten); 1 if not given.

    Returns
    -------
    float
        -10 log10 of the probability that as many non-mated fingers give a product of false match
        rates as small as this (Fisher 1932, independent fingers); rounded to 0.01; 0 for none.

    Raises
    ------
    InputError
        If there are not as many tries as values, or one is below 1.
    """
    try:
        return _fused(values, tries)
    except (TypeError, ValueError, AttributeError):
        # Looked at only where it fails: this is called for every record that was compared.
        raise InputError("values and tries must be sequences of numbers") from None


def _fused(values: Sequence[float], tries: Sequence[int] | None) -> float:
    counts = [1] * len(values) if tries is None else list(tries)
    if len(counts) != len(values) or any(n < 1 for n in counts):
        raise InputError("tries must hold one positive number per value")
    if not len(values):
        return 0.0
    unit = math.log(10) / 10
    total = 0.0
    for value, n in zip(values, counts, strict=True):
        total += _best_of(max(float(value), 0.0) * unit, n)
    if len(values) == 1:
        return round(total / unit, 2)
    # Tail of the sum of n exponentials: exp(-total) * sum(total**k / k!), summed in logarithms.
    terms = [k * math.log(total) - math.lgamma(k + 1) for k in range(len(values)) if total > 0]
    if not terms:
        return 0.0
    top = max(terms)
    tail = top + math.log(sum(math.exp(t - top) for t in terms))
    return round(max(total - tail, 0.0) / unit, 2)


def _best_of(evidence: float, n: int) -> float:
    """-log of the chance that the best of n has this -log probability or more."""
    if n == 1:
        return evidence
    p = math.exp(-evidence)
    if p < 1e-9:
        return max(evidence - math.log(n), 0.0)
    if p >= 1.0:
        return 0.0
    return -math.log(-math.expm1(n * math.log1p(-p)))
