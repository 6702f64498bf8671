"""What the size of a print does to non-mated scores: fitting and checking the scale by it.

Run by `benchmarks.fit_sizes`. Small prints are made from whole ones, as touches of a part of the
pad: the development sets have few of their own.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import CALIBRATION, MATCHER, TEMPLATE, MatcherParameters
from fpmatch.template import Template
from training.matcher import HIGHEST_RAW, KNOT_RATES, bent_evidence, evidence, first_scores

TOUCH_MINUTIAE = (5, 24)
"""Fewest minutiae of a touch, and one more than the most."""
TOUCH_RIM = (4, 8)
"""How far skin goes on beyond the outermost minutia of a touch, and the orientation field beyond
that, pixels at 500 ppi."""
BINS = (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 27, 30, 34, 38, 42, 46, 50, 54, 58, 62, 65)
"""Bounds of the sizes whose quantiles are taken together."""
FIRST_RATES = (0.02, 0.01, 0.005, 0.002)
"""False match rates at which sizes are brought to one level by the first evidence."""
BENT_RATES = (0.0025, 0.00125, 0.0005, 0.00025)
"""The same by that after bending: where scores decide. At four times these, prints of 4 to 7
minutiae reached 40 twice as often as it says."""
UNWEIGHED = -1_000_000
"""Evidence of pairs that have none."""
LOWEST = -3000
"""Least evidence that counts in a quantile."""
FEWEST_OF_SIZE = 1000
"""Pairs under which a bin of sizes says nothing."""
FEWEST_OF_SET = 150
"""Pairs of a bin under which a set has no part in it; under `FULL_OF_SET` it has a smaller one."""
FULL_OF_SET = 1000
SMOOTH = 0.7
"""Weight of the bends of the offsets."""
CLASSES = ((4, 17), (17, 30), (30, 65))
"""Sizes that count alike in the curve."""
FEWEST_OF_CLASS = 500
FULL_OF_CLASS = 2000
"""As `FEWEST_OF_SET` and `FULL_OF_SET`, for the classes."""
TAIL = 0.0005
"""False match rate beyond which the curve is an exponential tail."""
SHOWN = (10, 20, 30, 40, 50)
"""Scores at which claims are held against what was seen."""
SHOWN_SIZES = (4, 8, 12, 16, 20, 25, 30, 40, 50, 60, 65)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def touch(template: Template, rng: np.random.Generator) -> Template:
    """A touch of a part of the pad: the minutiae round one of them, `TOUCH_MINUTIAE` at random."""
    wanted = min(int(rng.integers(*TOUCH_MINUTIAE)), len(template))
    xy = template.xy.astype(np.int64)
    centre = xy[rng.integers(len(xy))]
    far = np.sqrt(((xy - centre) ** 2).sum(axis=1))
    near = np.argsort(far, kind="stable")[:wanted]
    keep = np.sort(near)
    radius = far[near[-1]] + sum(TOUCH_RIM) * TEMPLATE.subpixel
    field = template.orientation
    if field is not None:
        cell = TEMPLATE.orientation_cell
        rows, columns = np.mgrid[: field.shape[0], : field.shape[1]] * cell + cell // 2
        x, y = columns * TEMPLATE.subpixel - centre[0], rows * TEMPLATE.subpixel - centre[1]
        field = np.where(np.hypot(x, y) <= radius, field, 0).astype(np.uint8)
    columns_of = {
        name: getattr(template, name)[keep] for name in ("xy", "angle", "kind", "quality")
    }
    return dataclasses.replace(template, orientation=field, **columns_of)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Non-mated pairs of one sensor each.

    Parameters
    ----------
    evidence : (K,) int64
        Evidence with no regard to size; `UNWEIGHED` of those that have none.
    first : (K,) int64
        Raw score without it.
    size : (K,) int64
        Usable minutiae of the smaller side.
    unit : (K,) str or int64
        The set that a pair belongs to; sets of the same people are one.
    say : (K,) float64, optional
        How much the set of each counts in a fit; 1 if not given.
    often : (K,) float64, optional
        How often a pair counts within its set; once if not given.
    """

    evidence: Ints
    first: Ints
    size: Ints
    unit: NDArray[np.str_] | Ints
    say: Floats | None = None
    often: Floats | None = None

    def of(self, keep: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        columns = (getattr(self, f.name) for f in dataclasses.fields(self))
        return Pairs(*(c if c is None else c[keep] for c in columns))

    def weights(self, fewest: int, full: int) -> Floats:
        """Weights by which every set counts as much as it has to say, however many pairs it has.

        Parameters
        ----------
        fewest : int
            Pairs under which a set has no part.
        full : int
            Pairs under which it has a smaller one.
        """
        often = np.ones(len(self.unit)) if self.often is None else self.often
        weights = np.zeros(len(self.unit))
        for name in np.unique(self.unit):
            own = self.unit == name
            total = often[own].sum()
            if own.sum() >= fewest and total > 0:
                weights[own] = often[own] * (min(1.0, own.sum() / full) / total)
        return weights if self.say is None else weights * self.say


def first_pairs(
    features: NDArray[np.int32],
    unit: NDArray[np.str_] | Ints,
    p: MatcherParameters = MATCHER,
    say: Floats | None = None,
) -> Pairs:
    """Pairs with the first evidence, of those past the gate."""
    below = features[:, 1] < 0
    found = np.where(below, UNWEIGHED, evidence(features, p))
    first = np.where(below, features[:, 0], p.gate).astype(np.int64)
    return Pairs(found, first, features[:, 4].astype(np.int64), unit, say)


def bent_pairs(
    features: NDArray[np.int32],
    unit: NDArray[np.str_] | Ints,
    p: MatcherParameters = MATCHER,
    say: Floats | None = None,
) -> Pairs:
    """Pairs with the evidence after bending, of those that were bent; the first has its offsets."""
    found = np.where(features[:, 5] < 0, UNWEIGHED, bent_evidence(features, p))
    first = np.minimum(first_scores(features, p), p.gate + round(1000 * p.bend_from))
    return Pairs(found, first, features[:, 4].astype(np.int64), unit, say)


def raw_of(pairs: Pairs, offsets: Floats) -> Ints:
    """Raw scores with an offset by size, thousandths of a natural logarithm at the knots."""
    off = np.rint(np.interp(pairs.size, MATCHER.size_minutiae, offsets)).astype(np.int64)
    weighed = pairs.evidence > UNWEIGHED
    return pairs.first + np.where(weighed, np.maximum(pairs.evidence - off, 0), 0)


def quantiles(values: Ints, weights: Floats, shares: Iterable[float]) -> list[int]:
    """Weighted quantiles, observed values."""
    low = int(values.min())
    total = np.cumsum(np.bincount(values - low, weights))
    return [low + int(np.searchsorted(total, share * total[-1])) for share in shares]


def fit_offsets(pairs: Pairs, rates: Sequence[float] = BENT_RATES) -> Floats:
    """How much further up non-mated prints of a size reach, at the knots of `MatcherParameters`.

    `rates` are the false match rates at which sizes are brought to one level.

    By quantiles of every bin of sizes against their mean over bins, then least squares of straight
    lines between knots with a penalty on their bends.
    """
    at, levels, trust = [], [], []
    for low, high in itertools.pairwise(BINS):
        inside = pairs.of((pairs.size >= low) & (pairs.size < high))
        weights = inside.weights(FEWEST_OF_SET, FULL_OF_SET)
        if len(weights) < FEWEST_OF_SIZE or not weights.any():
            continue
        values = np.maximum(inside.evidence, LOWEST)
        at.append(float(np.average(inside.size, weights=weights)))
        levels.append(quantiles(values, weights, [1 - rate for rate in rates]))
        trust.append(float(weights.sum()))
    height = np.array(levels)
    above = (height - height.mean(axis=0)).mean(axis=1)
    knots = np.eye(len(MATCHER.size_minutiae))
    basis = np.stack([np.interp(at, MATCHER.size_minutiae, one) for one in knots], axis=1)
    bends = SMOOTH * np.diff(knots, 2, axis=0)
    root = np.sqrt(trust)
    left = np.concatenate([basis * root[:, None], bends])
    right = np.concatenate([above * root, np.zeros(len(bends))])
    solved: Floats = np.linalg.lstsq(left, right, rcond=None)[0]
    return solved


def fit_curve(raw: Ints, pairs: Pairs) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Knots as in `CalibrationParameters`: rates down to `TAIL`, an exponential tail beyond."""
    weights = np.zeros(len(raw))
    for low, high in CLASSES:
        inside = (pairs.size >= low) & (pairs.size < high)
        weights[inside] = pairs.of(inside).weights(FEWEST_OF_CLASS, FULL_OF_CLASS)
    at, value = [0], [0.0]
    rates = (*KNOT_RATES, TAIL)
    for rate, level in zip(rates, quantiles(raw, weights, [1 - r for r in rates]), strict=True):
        if level > at[-1]:
            at.append(level)
            value.append(round(-10 * math.log10(rate), 4))
    over = raw > at[-1]
    excess = float(np.average(raw[over] - at[-1], weights=weights[over]))
    value.append(round(value[-1] + (HIGHEST_RAW - at[-1]) / excess * 10 / math.log(10), 4))
    return (*at, HIGHEST_RAW), tuple(value)


def ratios(values: Floats) -> list[float]:
    """Observed by claimed false match rate at the scores shown, of non-mated pairs."""
    return [float((values >= at).mean() / 10 ** (-at / 10)) for at in SHOWN]


def sizes(size: Ints) -> list[tuple[str, NDArray[np.bool_]]]:
    """Every class of sizes that has a pair: its name, and which are of it."""
    out = []
    for low, high in itertools.pairwise(SHOWN_SIZES):
        inside = (size >= low) & (size < high)
        if inside.any():
            out.append((f"{low} to {high - 1}", inside))
    return out


def by_size(values: Floats, size: Ints) -> list[tuple[str, int, list[float]]]:
    """The ratios of every class of sizes: its name, its pairs, and they."""
    return [(name, int(own.sum()), ratios(values[own])) for name, own in sizes(size)]


def value_of(raw: Ints) -> Floats:
    """Values by the curve in force."""
    return np.interp(raw, CALIBRATION.raw, CALIBRATION.value)
