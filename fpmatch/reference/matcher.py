"""The comparison once more, in plain NumPy with whole matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.errors import InputError
from fpmatch.parameters import CALIBRATION, DESCRIPTOR, MATCHER, TEMPLATE
from fpmatch.reference.alignment import bent_matches, consensus, matches
from fpmatch.reference.encode import ReferenceForm, encode
from fpmatch.reference.fusion import fuse
from fpmatch.reference.geometry import away, heading
from fpmatch.reference.scaling import sizes
from fpmatch.template import Template

ONE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceScore:
    """As `fpmatch.Score`: value, raw score and the minutiae it rests on."""

    value: float
    raw: int
    pairs: NDArray[np.int64]

    @property
    def fmr(self) -> float:
        """Share of non-mated comparisons with this score or a higher one, as far as is known."""
        return max(float(f"{10 ** (-self.value / 10):.5e}"), CALIBRATION.least_fmr)


@takes(probe=(Template, ReferenceForm), candidate=(Template, ReferenceForm))
def compare(
    probe: Template | ReferenceForm,
    candidate: Template | ReferenceForm,
    *,
    rotation: str = "upright",
    scale: str = "stated",
) -> ReferenceScore:
    """Compare two impressions; equal to `fpmatch.compare` in value, raw score and pairs.

    Parameters
    ----------
    probe : Template or ReferenceForm
        Search form of one print.
    candidate : Template or ReferenceForm
        Of the other.
    rotation : str
        How the prints may lie to each other.
    scale : str
        Whether the probe, a Template, is believed to have the resolution that it states.

    Raises
    ------
    InputError
        If the probe of a comparison at any scale is no Template.
    """
    if scale != "stated":
        return _best_scale(probe, candidate, rotation)
    a = encode(probe) if isinstance(probe, Template) else probe
    b = encode(candidate) if isinstance(candidate, Template) else candidate
    if rotation == "upright":
        raw, pairs = _turned(a, b, 0)
    else:
        raw, pairs = max((_turned(a, b, turn) for turn in (0, 64, 128, 192)), key=lambda r: r[0])
    sources = np.stack([a.source[pairs[:, 0]], b.source[pairs[:, 1]]], axis=1)
    ordered = sources[np.lexsort((sources[:, 1], sources[:, 0]))]
    return ReferenceScore(_value(raw, rotation), raw, ordered)


def _best_scale(
    probe: Template | ReferenceForm, candidate: Template | ReferenceForm, rotation: str
) -> ReferenceScore:
    """The best of the probe's sizes, of equal ones the smallest; worth what the best of all is."""
    if not isinstance(probe, Template):
        raise InputError("at any scale the probe has to be a Template: a search form has its scale")
    found = [compare(size, candidate, rotation=rotation) for size in sizes(probe)]
    best = max(found, key=lambda score: score.raw)
    return ReferenceScore(fuse([best.value], [len(found)]), best.raw, best.pairs)


def _turned(a: ReferenceForm, b: ReferenceForm, turn: int) -> tuple[int, NDArray[np.int64]]:
    """Raw score and pairs, with the first side turned by so many units of 1/256."""
    nothing = 0, np.zeros((0, 2), np.int64)
    if min(len(a), len(b)) < MATCHER.fewest:
        return nothing
    similarity = _similarity(a, b, turn)
    pairs = _assign(similarity)
    if len(pairs) < MATCHER.fewest:
        return nothing
    start = similarity[pairs[:, 0], pairs[:, 1]] * 16
    fit = _compatibility(a, b, pairs)
    support = _relax(start, fit)
    wanted = _wanted(min(len(a), len(b)))
    kept = support * 16384 // start
    chosen = np.lexsort((np.arange(len(pairs)), -support, -kept))[:wanted]
    relaxed = int(support[chosen].sum()) // wanted
    if relaxed < MATCHER.gate:
        return relaxed, pairs[chosen]
    agreement, anchors = consensus(support, fit, chosen)
    matched, unmatched = np.zeros((0, 2), np.int64), 0
    if len(anchors) > 1:
        matched, unmatched = matches(a, b, pairs[anchors])
    smaller = min(len(a), len(b))
    evidence = _evidence(relaxed, agreement, len(matched), unmatched, smaller)
    most = round(1000 * MATCHER.bend_from)
    raw = MATCHER.gate + min(max(evidence, 0), most)
    if evidence >= most and len(matched) > 1:
        matched, unmatched, missed = bent_matches(a, b, matched)
        bent = len(matched), unmatched, missed
        raw += max(_bent_evidence(relaxed, agreement, bent, smaller), 0)
    return raw, matched if len(matched) else pairs[chosen]


def _evidence(relaxed: int, agreement: int, matched: int, unmatched: int, smaller: int) -> int:
    """Thousandths of a natural logarithm of the odds; each part rounded on its own."""
    p = MATCHER
    parts = (
        p.relaxed_weight * math.log((min(relaxed // 8, 2048) * 8 + 50) / 50) - p.base,
        p.agreement_weight * math.sqrt(agreement // 32 / 32),
        p.matched_weight * math.sqrt(matched),
        -p.unmatched_weight * math.sqrt(unmatched),
        -float(np.interp(smaller, p.size_minutiae, p.size_evidence)),
    )
    return sum(round(1000 * part) for part in parts)


def _bent_evidence(relaxed: int, agreement: int, bent: tuple[int, int, int], smaller: int) -> int:
    """The same after the re-alignment that bends; `bent` as `bent_matches` gives it."""
    p = MATCHER
    matched, unmatched, missed = bent
    share = p.bent_missed_weight * math.sqrt(matched) / (2 * p.near_distance * TEMPLATE.subpixel)
    parts = (
        p.bent_relaxed_weight * math.log((min(relaxed // 8, 2048) * 8 + 50) / 50),
        p.bent_agreement_weight * math.sqrt(agreement // 32 / 32),
        p.bent_matched_weight * math.sqrt(matched) - p.bent_base,
        -p.bent_unmatched_weight * math.sqrt(unmatched),
        -float(np.interp(smaller, p.size_minutiae, p.bent_size_evidence)),
    )
    far = missed * round(1000 * 1024 * share) // 1024
    return sum(round(1000 * part) for part in parts) - far


def _value(raw: int, rotation: str) -> float:
    c = CALIBRATION
    knots = (c.raw, c.value) if rotation == "upright" else (c.raw_any, c.value_any)
    return round(float(np.interp(raw, *knots)), 2)


def _sigmoid(value: float, middle: float, slope: float) -> float:
    return 1 / (1 + math.exp(-slope * (value - middle)))


def _table(function: Callable[[int], float], length: int) -> NDArray[np.int64]:
    return np.array([round(ONE * function(k)) for k in range(length)], np.int64)


def _similarity(a: ReferenceForm, b: ReferenceForm, turn: int) -> NDArray[np.int64]:
    p = MATCHER
    common = a.bits @ b.bits.T
    cylinder = _table(
        lambda c: p.cylinder_weight * (1 - math.sqrt((1 - c / DESCRIPTOR.weight) / 2)),
        DESCRIPTOR.weight + 1,
    )
    cells = a.valid @ b.valid.T
    # Bits differ where one of two valid ones is set; invalid bits are 0.
    differ = np.zeros_like(cells)
    for k in (0, 1):
        ta, tb = a.texture[:, :, k], b.texture[:, :, k]
        differ += ta @ b.valid.T + a.valid @ tb.T - 2 * (ta @ tb.T)
    share = 1 - differ / np.maximum(2 * cells, 1)
    share = np.where(cells < p.texture_cells, p.texture_average, share)
    agree = np.rint(ONE * p.texture_weight * share).astype(np.int64)
    near = away(a.angle[:, None] + turn - b.angle[None, :]) <= p.window
    return np.where(near, cylinder[common] + agree, 0)


def _assign(similarity: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P, 2) pairs, greedily by similarity; among equal ones i + j decides, then |i - j|."""
    least = round(ONE * MATCHER.least_similarity)
    i, j = np.nonzero(similarity > least)
    order = np.lexsort((np.abs(i - j), i + j, -similarity[i, j]))
    pairs: list[tuple[int, int]] = []
    used_a: set[int] = set()
    used_b: set[int] = set()
    for k in order:
        if int(i[k]) not in used_a and int(j[k]) not in used_b:
            used_a.add(int(i[k]))
            used_b.add(int(j[k]))
            pairs.append((int(i[k]), int(j[k])))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _compatibility(
    a: ReferenceForm, b: ReferenceForm, pairs: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(P, P): how well two pairs fit one another as a motion with a little distortion."""
    far_a, to_a = _polar(a.xy[pairs[:, 0]])
    far_b, to_b = _polar(b.xy[pairs[:, 1]])
    angle_a, angle_b = a.angle[pairs[:, 0]], b.angle[pairs[:, 1]]
    distance, turn = _tolerances()
    off = np.minimum(np.abs(far_a - far_b), len(distance) - 1)
    turned = away(
        angle_a[:, None] - angle_a[None, :] - angle_b[:, None] + angle_b[None, :],
    )
    # From pair t to pair s as seen from t, and as seen from s; the lower triangle's direction
    # is the one that counts.
    seen = away(to_a - angle_a[:, None] - to_b + angle_b[:, None])
    back = away(to_a - angle_a[None, :] - to_b + angle_b[None, :])
    fit = distance[off] * turn[turned] // ONE * turn[np.maximum(seen, back)] // ONE
    lower = np.tril(fit, -1)
    return lower + lower.T


@cache
def _tolerances() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compatibility by difference of distances (1/8 px, the last entry 0) and of angles."""
    p = MATCHER
    unit = TEMPLATE.subpixel
    near = _table(lambda k: _sigmoid(k / unit, p.distance_middle, p.distance_slope), 64 * unit)
    turn = _table(lambda k: _sigmoid(k * math.pi / 128, p.turn_middle, p.turn_slope), 129)
    return np.append(near[near > 0], 0), turn


def _polar(xy: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distances in eighths of a pixel, rounded down, and directions of 256 units a turn."""
    dx = xy[None, :, 0] - xy[:, None, 0]
    dy = xy[None, :, 1] - xy[:, None, 1]
    far = np.floor(np.sqrt((dx * dx + dy * dy).astype(np.float64))).astype(np.int64)
    return far, heading(dx, dy)


def _relax(start: NDArray[np.int64], fit: NDArray[np.int64]) -> NDArray[np.int64]:
    share = round((1 - MATCHER.stay) * 65536 / max(1, len(start) - 1))
    stay = round(ONE * MATCHER.stay)
    support = start
    for _ in range(MATCHER.sweeps):
        support = support * stay // ONE + (fit @ support // ONE) * share // 65536
    return support


def _wanted(minutiae: int) -> int:
    p = MATCHER
    span = p.pairs_most - p.pairs_least
    return p.pairs_least + round(span * _sigmoid(minutiae, p.pairs_middle, p.pairs_slope))
