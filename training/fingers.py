"""How far rates of non-mated pairs would lie elsewhere with other fingers.

Comparisons that share a finger stand or fall together: a set of ten fingers has 45 pairs of them,
however many impressions and touches are compared. So fingers are drawn, each set's own, with
replacement; a pair counts as often as both of its fingers together.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import MATCHER
from training.left_out import Numbers
from training.sizes import SHOWN, bent_pairs, fit_curve, fit_offsets, raw_of

SEED = 15
REPLICATES = 500

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def draws(folder: NDArray[np.str_], identity: Ints) -> Ints:
    """(B, I) how often every finger counts in a replicate; as many of a set as it has."""
    rng = np.random.default_rng(SEED)
    fingers, at = np.unique(identity, return_index=True)
    weights = np.zeros((REPLICATES, len(fingers)), np.int64)
    for name in np.unique(folder[at]):
        own = fingers[folder[at] == name]
        weights[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), REPLICATES)
    return weights


def drawn_ratios(values: Floats, one: Ints, other: Ints, drawn: Ints) -> Floats:
    """(B, S) observed by claimed false match rate at `SHOWN`, of every replicate.

    Parameters
    ----------
    values : (K,) float64
        Of non-mated pairs, as claimed.
    one, other : (K,) int64
        Their fingers.
    drawn : (B, I) int64
        As `draws` gives it.
    """
    fingers = drawn.shape[1]
    code = np.minimum(one, other) * fingers + np.maximum(one, other)
    pairs, at = np.unique(code, return_inverse=True)
    often = (drawn[:, pairs // fingers] * drawn[:, pairs % fingers]).astype(np.float64)
    reached = [np.bincount(at, values >= score, len(pairs)) for score in SHOWN]
    claimed = 10 ** (-np.array(SHOWN) / 10)
    total = np.maximum(often @ np.bincount(at), 1)
    found: Floats = often @ np.stack(reached, axis=1) / total[:, None] / claimed
    return found


def refitted_ratios(
    numbers: dict[int, Numbers],
    features: NDArray[np.int32],
    of: tuple[Ints, Floats],
    fingers: tuple[Ints, Ints],
    groups: list[Mask],
    drawn: Ints,
) -> Floats:
    """(B, G, S) the same of groups, with offsets and curves fitted anew to the fingers drawn.

    Parameters
    ----------
    numbers : dict
        Of every set those fitted on the others; the weights stay.
    features : (K, 8) int32
        Of non-mated pairs.
    of : tuple of (K,) int64 and (K,) float64
        The set of each and how much it says, as `training.left_out.people` gives them.
    fingers : tuple of (K,) int64
        Both fingers of each.
    groups : list of (K,) bool
    drawn : (B, I) int64
        As `draws` gives it.
    """
    folds, (unit, say) = [], of
    for measured, found in numbers.items():
        p = dataclasses.replace(MATCHER, **dataclasses.asdict(found.weights))
        own, pairs = unit == measured, bent_pairs(features, unit, p, say)
        folds.append((own, pairs.of(own), pairs.of(~own)))
    out = np.zeros((len(drawn), len(groups), len(SHOWN)))
    values = np.zeros(len(unit))
    for weights, into in zip(drawn, out, strict=True):
        often = (weights[fingers[0]] * weights[fingers[1]]).astype(np.float64)
        for own, measured_pairs, others in folds:
            seen = dataclasses.replace(others, often=often[~own])
            offsets = fit_offsets(seen)
            curve = fit_curve(raw_of(seen, offsets), seen)
            values[own] = np.interp(raw_of(measured_pairs, offsets), *curve)
        for row, group in zip(into, groups, strict=True):
            counted, reached = often[group], values[group]
            total = max(counted.sum(), 1.0)
            row[:] = [counted[reached >= at].sum() / total / 10 ** (-at / 10) for at in SHOWN]
    return out
