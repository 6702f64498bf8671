"""Fitting the weights of the evidence and the calibration; run by `benchmarks.fit_calibration`."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates
from fpmatch.errors import InputError
from fpmatch.matcher._kernels import feature_rows
from fpmatch.matcher.compare import _columns, _geometry
from fpmatch.matcher.tables import scratch, tables
from fpmatch.parameters import DESCRIPTOR, MATCHER, TEMPLATE, MatcherParameters

KNOT_RATES = (0.9, 0.75, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""False match rates at which the empirical part of the calibration has its knots."""
HIGHEST_RAW = 200_000
"""No raw score reaches this."""
OWN_SHARE = (0.67, 0.67, 0.67, 1.0)
"""How much a weight after bending is its own, and not that of the first evidence: of agreement,
matched, unmatched and distance. The first evidence knows no distance."""
LOWEST_SHARE = 0.05
"""Share of non-mated pairs that were bent whose evidence is taken as none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the evidence, as the fields of `MatcherParameters` of the same name."""

    relaxed_weight: float
    agreement_weight: float
    matched_weight: float
    unmatched_weight: float


@dataclasses.dataclass(frozen=True, slots=True)
class BentWeights:
    """Weights of the evidence after bending, by the names of `MatcherParameters`."""

    bent_relaxed_weight: float
    bent_agreement_weight: float
    bent_matched_weight: float
    bent_unmatched_weight: float
    bent_missed_weight: float
    bent_base: float


def pair_features(
    gallery: PackedTemplates, p: MatcherParameters = MATCHER
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Features of every unordered pair of a gallery.

    Returns
    -------
    first, second : (K,) int64
        Rows of the pair.
    features : (K, 8) int32
        Relaxation score, agreement (-1 below the gate), matched and unmatched minutiae, usable
        minutiae of the smaller side; after bending, where the first evidence reached
        `MatcherParameters.bend_from`, matched (else -1) and unmatched minutiae, and the mean
        distance of the matched ones from their matches, 1/16 px.
    """
    n = len(gallery)
    work = scratch(DESCRIPTOR.max_minutiae, DESCRIPTOR.max_minutiae)
    parts = []
    for row in range(n - 1):
        probe = gallery[row]
        out = np.zeros((n - row - 1, 8), np.int32)
        rows = np.arange(row + 1, n)
        feature_rows(
            _columns(probe),
            *_geometry(probe),
            _columns(gallery),
            gallery.offsets,
            rows,
            tables(p),
            work,
            out,
        )
        parts.append(out)
    first, second = np.triu_indices(n, 1)
    return first, second, np.concatenate(parts)


def design(features: NDArray[np.int32]) -> NDArray[np.float64]:
    """(K, 4) terms whose weighted sum is the evidence."""
    f = features.astype(np.float64)
    return np.stack(
        [
            np.log((f[:, 0] // 8 * 8 + 50) / 50),
            np.sqrt(np.maximum(f[:, 1], 0) / 1024),
            np.sqrt(f[:, 2]),
            -np.sqrt(f[:, 3]),
        ],
        axis=1,
    )


def fit_weights(
    features: NDArray[np.int32], mated: NDArray[np.bool_], ridge: float = 1e-3, steps: int = 50
) -> Weights:
    """Weights of the first evidence, by logistic regression of mated against non-mated pairs above
    the gate.

    `ridge` is the weight of the squared coefficients against the mean log-likelihood.
    """
    above = features[:, 1] >= 0
    x = np.column_stack([design(features[above]), np.ones(int(above.sum()))])
    y = mated[above].astype(np.float64)
    if not 0 < y.sum() < len(y):
        raise InputError("fitting needs mated and non-mated pairs above the gate")
    beta = _regression(x, y, np.zeros(len(y)), ridge, steps)
    return Weights(*(round(float(b), 3) for b in beta[:4]))


def fit_bent_weights(
    features: NDArray[np.int32], mated: NDArray[np.bool_], p: MatcherParameters = MATCHER
) -> BentWeights:
    """The same of pairs that were bent, with a level of its own for every size.

    The weight of the relaxation stays: freely fitted it is larger, and small touches then reach
    high scores too often. The others are drawn towards those of the first evidence, by
    `OWN_SHARE`: freely fitted they count agreement for little, which is what prints of strong
    distortion have. Not so the distance: where it counted for less, non-mated prints of some
    sensors scored ten times as often as those of others.
    """
    bent = features[:, 5] >= 0
    f, y = features[bent], mated[bent].astype(np.float64)
    if not 0 < y.sum() < len(y):
        raise InputError("fitting needs mated and non-mated pairs that were bent")
    knots = np.eye(len(p.size_minutiae))
    level = np.stack([np.interp(f[:, 4], p.size_minutiae, one) for one in knots], axis=1)
    terms = bent_design(f, p)
    beta = _regression(
        np.concatenate([terms[:, 1:], level], axis=1),
        y,
        p.bent_relaxed_weight * terms[:, 0],
        penalised=terms.shape[1] - 1 + len(knots),
    )
    first = (p.agreement_weight, p.matched_weight, p.unmatched_weight, 0.0)
    own = np.array(OWN_SHARE)
    drawn = own * beta[:4] + (1 - own) * np.array(first)
    agreement, matched, unmatched, missed = (round(float(w), 2) for w in drawn)
    weights = BentWeights(p.bent_relaxed_weight, agreement, matched, unmatched, missed, 0.0)
    found = dataclasses.replace(p, **dataclasses.asdict(weights))
    lowest = float(np.quantile(bent_evidence(f[y == 0], found), LOWEST_SHARE)) / 1000
    return dataclasses.replace(weights, bent_base=round(lowest, 2))


def _regression(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    known: NDArray[np.float64],
    ridge: float = 1e-3,
    steps: int = 50,
    penalised: int = 4,
) -> NDArray[np.float64]:
    """Logistic regression by Newton's method; `known` is what is not fitted."""
    penalty = ridge * len(y) * 1e-4 * (np.arange(x.shape[1]) < penalised)
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ beta + known, -40, 40)))
        gradient = x.T @ (y - p) - penalty * beta
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta


def evidence(features: NDArray[np.int32], p: MatcherParameters = MATCHER) -> NDArray[np.int64]:
    """Evidence of pairs above the gate from their features, before size is told apart."""
    t = tables(p)
    return np.asarray(
        t.relaxed[np.minimum(features[:, 0] >> 3, len(t.relaxed) - 1)].astype(np.int64)
        + t.agreement[np.minimum(np.maximum(features[:, 1], 0) >> 5, len(t.agreement) - 1)]
        + t.matched[features[:, 2]]
        + t.unmatched[features[:, 3]]
    )


def bent_design(features: NDArray[np.int32], p: MatcherParameters = MATCHER) -> NDArray[np.float64]:
    """(K, 5) terms whose weighted sum is the evidence after bending."""
    matched = np.sqrt(np.maximum(features[:, 5], 0))
    farthest = 2 * p.near_distance * TEMPLATE.subpixel
    terms = (*design(features)[:, :2].T, matched, -np.sqrt(features[:, 6]))
    return np.stack([*terms, -matched * features[:, 7] / farthest], axis=1)


def bent_evidence(features: NDArray[np.int32], p: MatcherParameters = MATCHER) -> NDArray[np.int64]:
    """Evidence of pairs that were bent, before size is told apart."""
    t = tables(p).bent.astype(np.int64)
    matched = np.maximum(features[:, 5], 0)
    return np.asarray(
        t[0, np.minimum(features[:, 0] >> 3, t.shape[1] - 1)]
        + t[1, np.minimum(np.maximum(features[:, 1], 0) >> 5, t.shape[1] - 1)]
        + t[2, matched]
        + t[3, features[:, 6]]
        - (features[:, 7] * t[4, matched] >> 10)
    )


def first_scores(features: NDArray[np.int32], p: MatcherParameters = MATCHER) -> NDArray[np.int64]:
    """Raw scores of pairs as far as the first evidence tells them apart, with no end."""
    sized = evidence(features, p) + tables(p).size[features[:, 4]]
    return np.where(features[:, 1] < 0, features[:, 0], p.gate + np.maximum(sized, 0))


def raw_scores(features: NDArray[np.int32], p: MatcherParameters = MATCHER) -> NDArray[np.int64]:
    """Raw scores of pairs from their features, as the kernel makes them."""
    t = tables(p)
    more = np.maximum(bent_evidence(features, p) + t.bent[5, features[:, 4]], 0)
    first = np.minimum(first_scores(features, p), p.gate + t.bend_from)
    return first + np.where(features[:, 5] < 0, 0, more)


def fit_calibration(
    nonmated: NDArray[np.int64], tail: float = 0.001
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Knots of the calibration from raw scores of non-mated pairs.

    Empirical rates down to `tail`; beyond it the mean excess over that quantile makes an
    exponential tail (the limit for light tails; Pickands 1975).

    Returns
    -------
    raw, value : tuples
        As in `CalibrationParameters`.
    """
    scores = np.sort(np.asarray(nonmated, np.float64))
    if len(scores) < 20 / tail:
        raise InputError(f"{len(scores)} non-mated scores; {20 / tail:.0f} are needed")
    raw: list[int] = [0]
    value: list[float] = [0.0]
    for rate in (*(r for r in KNOT_RATES if r > tail), tail):
        knot = int(np.quantile(scores, 1 - rate))
        if knot > raw[-1]:
            raw.append(knot)
            value.append(round(-10 * math.log10(rate), 4))
        else:
            value[-1] = 0.0 if raw[-1] == 0 else round(-10 * math.log10(rate), 4)
    excess = float((scores[scores > raw[-1]] - raw[-1]).mean())
    raw.append(HIGHEST_RAW)
    value.append(round(value[-1] + (HIGHEST_RAW - raw[-2]) / excess * 10 / math.log(10), 4))
    return tuple(raw), tuple(value)
