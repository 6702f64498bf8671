"""The look-up tables of the matcher, computed once from the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from fpmatch.descriptor.tables import code_tables
from fpmatch.matcher._kernels import Scratch, Tables
from fpmatch.parameters import DESCRIPTOR, MATCHER, TEMPLATE, MatcherParameters

ONE = 1024
TURNS = {"upright": (0,), "any": (0, 64, 128, 192)}
"""Turns of the first side that are tried, units of 1/256: no print is more than 45 degrees from
one of four, and the window leaves minutiae as much again."""


def _sigmoid(value: float, middle: float, slope: float) -> float:
    return 1 / (1 + math.exp(-slope * (value - middle)))


@cache
def tables(p: MatcherParameters = MATCHER, turned: int = 0) -> Tables:
    """Tables of a comparison.

    Parameters
    ----------
    p : MatcherParameters
    turned : int
        What to add to the directions of the first side, units of 1/256 turn.
    """
    unit = TEMPLATE.subpixel
    cells = len(_texture_row(p, 0)) // 2
    near = [
        round(ONE * _sigmoid(k / unit, p.distance_middle, p.distance_slope))
        for k in range(64 * unit)
    ]
    turn = [
        round(ONE * _sigmoid(k * math.pi / 128, p.turn_middle, p.turn_slope)) for k in range(129)
    ]
    most = DESCRIPTOR.max_minutiae
    span = p.pairs_most - p.pairs_least
    cylinder = np.array(
        [
            round(ONE * p.cylinder_weight * (1 - math.sqrt((1 - c / DESCRIPTOR.weight) / 2)))
            for c in range(DESCRIPTOR.weight + 1)
        ],
        np.int32,
    )
    texture = np.array([_texture_row(p, n) for n in range(cells + 1)], np.int32)
    least = round(ONE * p.least_similarity)
    return Tables(
        cylinder=cylinder,
        texture=texture,
        wanted=_wanted(cylinder, texture, least),
        distance=np.array([v for v in near if v > 0], np.int32),
        turn=np.array(turn, np.int32),
        arctangent=np.array(
            [round(math.atan(k / 256) * 128 / math.pi) for k in range(257)], np.int32
        ),
        pairs=np.array(
            [
                p.pairs_least + round(span * _sigmoid(n, p.pairs_middle, p.pairs_slope))
                for n in range(most + 1)
            ],
            np.int32,
        ),
        share=np.array(
            [round((1 - p.stay) * 65536 / max(1, n - 1)) for n in range(most + 1)], np.int64
        ),
        relaxed=_evidence(lambda k: p.relaxed_weight * math.log((8 * k + 50) / 50) - p.base, 2049),
        agreement=_evidence(lambda k: p.agreement_weight * math.sqrt(k / 32), 32 * most + 1),
        matched=_evidence(lambda k: p.matched_weight * math.sqrt(k), most + 1),
        unmatched=_evidence(lambda k: -p.unmatched_weight * math.sqrt(k), 2 * most + 1),
        size=_evidence(lambda n: -_between(n, p.size_minutiae, p.size_evidence), most + 1),
        bent=_bent(p),
        cosine=np.array([round(16384 * math.cos(k * math.pi / 128)) for k in range(256)], np.int64),
        sine=np.array([round(16384 * math.sin(k * math.pi / 128)) for k in range(256)], np.int64),
        cell_number=code_tables().number.reshape(DESCRIPTOR.side, DESCRIPTOR.side),
        cell_of=np.repeat(
            np.arange(DESCRIPTOR.side, dtype=np.int32),
            round(2 * DESCRIPTOR.radius * unit / DESCRIPTOR.side),
        ),
        window=p.window,
        turned=turned,
        most_turn=sum(v > 0 for v in turn) - 1,
        least=least,
        stay=round(ONE * p.stay),
        sweeps=p.sweeps,
        fewest=p.fewest,
        gate=p.gate,
        anchor=round(ONE * p.anchor_agreement),
        near=round(p.near_distance * unit),
        near_turn=round(p.near_turn * 128 / math.pi),
        bend_from=round(1000 * p.bend_from),
        reach=round(p.bend_reach * unit),
    )


def _wanted(cylinder: np.ndarray, texture: np.ndarray, least: int) -> np.ndarray:
    """Common code bits that make a pair similar enough, (2**14,) uint8 by 128 times the valid cells
    and the differing bits of texture; one more than a code has where none do.
    """
    enough = np.searchsorted(cylinder, least - texture, side="right").astype(np.uint8)
    wanted = np.full((128, 128), len(cylinder), np.uint8)
    wanted[: len(enough)] = enough[:, :128]
    return wanted.reshape(-1)


def _between(value: int, at: Sequence[int], heights: Sequence[float]) -> float:
    """By straight lines between knots, and level beyond the first and the last."""
    if value <= at[0]:
        return heights[0]
    for left, right, low, high in zip(at, at[1:], heights, heights[1:], strict=False):
        if value <= right:
            return low + (high - low) * (value - left) / (right - left)
    return heights[-1]


def _evidence(weigh: Callable[[int], float], length: int) -> np.ndarray:
    """Evidence in thousandths of a natural logarithm."""
    return np.array([round(1000 * weigh(k)) for k in range(length)], np.int32)


def _bent(p: MatcherParameters) -> np.ndarray:
    """(6, 2049) evidence after bending: by relaxation, agreement, matched, unmatched minutiae, the
    weight of a distance of 1/16 px by matched ones (in 1/1024), and size.
    """
    most, length = DESCRIPTOR.max_minutiae, 2049
    farthest = 2 * p.near_distance * TEMPLATE.subpixel
    at, heights = p.size_minutiae, p.bent_size_evidence
    columns = (
        _evidence(lambda k: p.bent_relaxed_weight * math.log((8 * k + 50) / 50), length),
        _evidence(lambda k: p.bent_agreement_weight * math.sqrt(k / 32), length),
        _evidence(lambda k: p.bent_matched_weight * math.sqrt(k) - p.bent_base, most + 1),
        _evidence(lambda k: -p.bent_unmatched_weight * math.sqrt(k), 2 * most + 1),
        _evidence(lambda k: 1024 * p.bent_missed_weight * math.sqrt(k) / farthest, most + 1),
        _evidence(lambda n: -_between(n, at, heights), most + 1),
    )
    table = np.zeros((len(columns), length), np.int32)
    for row, column in zip(table, columns, strict=True):
        row[: len(column)] = column
    return table


def _texture_row(p: MatcherParameters, cells: int) -> list[int]:
    """Weighted texture similarity by the number of differing bits, of `cells` valid cells."""
    most = 64
    row = []
    for differ in range(2 * most + 1):
        agree = 1 - min(differ, 2 * cells) / (2 * cells) if cells else 0.0
        if cells < p.texture_cells:
            agree = p.texture_average
        row.append(round(ONE * p.texture_weight * agree))
    return row


def scratch(side_a: int, side_b: int) -> Scratch:
    """Working memory for sides of at most so many minutiae."""
    most = min(side_a, side_b) + 1
    longer = max(side_a, side_b)

    def line(n: int) -> np.ndarray:
        return np.zeros(n, np.int32)

    return Scratch(
        words=np.zeros((8, side_b), np.uint64),
        below=line(257),
        counts=np.zeros(side_b, np.uint64),
        listed=np.zeros(side_a * side_b + 1, np.uint64),
        queue=np.zeros(side_a * side_b + 1, np.uint64),
        bucket=line(ONE + 2),
        used_a=line(side_a),
        used_b=line(side_b),
        pair_a=line(most),
        pair_b=line(most),
        at_x=line(most),
        at_y=line(most),
        turned=line(most),
        near=line(most),
        candidates=line(most),
        start=line(most),
        support=line(most),
        next=line(most),
        kept=np.zeros(most, np.int64),
        chosen=line(most),
        anchor_a=line(most),
        anchor_b=line(most),
        match_a=line(side_a),
        match_b=line(side_b),
        off=np.zeros((2, most), np.int32),
        moved=np.zeros((2, longer), np.int32),
        missed=np.zeros((2, longer), np.int32),
        sums=np.zeros((3, longer), np.int64),
        compatible=np.zeros((most, most), np.int32),
    )
