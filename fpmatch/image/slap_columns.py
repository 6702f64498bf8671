"""The fingers of an upright hand, told apart by the ways that lead between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.image.slap_map import Map
from fpmatch.parameters import SLAP

INSIDE = 0.35
"""Strength from which on a cell belongs to a finger."""
_LEVELS = 64
_FAR = np.float32(1e6)
_ASIDE = 0.1
"""What a step aside costs a way between two fingers: of two free ways the straighter is taken."""


@dataclass(frozen=True, slots=True)
class Column:
    """One finger with all its phalanges.

    Parameters
    ----------
    x, y : int
        A cell well inside it.
    length : float
        Cells of ridges that the least way along it crosses.
    apart : float
        How much less, as a share, the best way between it and a longer one crosses; 1 if free.
    """

    x: int
    y: int
    length: float
    apart: float


def columns_of(upright: Map, fingers: int) -> list[Column]:
    """The fingers of a hand, from left to right.

    Parameters
    ----------
    upright : (h, w) float32
        Strength of the ridges, the hand turned upright.
    fingers : int
        How many are expected: their usual width is taken from so many of the widest parts.

    Notes
    -----
    Every cell gets what the cheapest way from the top to the bottom through it must cross: between
    two fingers that is little, also where they touch or lean, for a way can bend. Fingers are the
    summits of that map that stand out from the saddles between them.
    """
    cost = cv2.copyMakeBorder(upright, 0, 0, 2, 2, cv2.BORDER_CONSTANT)
    through = (_down(cost)[0] + _down(cost[::-1])[0][::-1] - cost)[:, 2:-2]
    top, least = float(through.max()), SLAP.length_least / SLAP.cell
    summits: list[tuple[int, int, float]] = []
    apart: list[float] = []
    alive: list[int] = []
    for level in np.linspace(top, 0, _LEVELS, endpoint=False)[1:] if top >= least else ():
        _, area = cv2.connectedComponents((through > level).astype(np.uint8), connectivity=4)
        held: dict[int, list[int]] = {}
        for key in alive:
            held.setdefault(int(area[summits[key][1], summits[key][0]]), []).append(key)
        for keys in held.values():
            for key in sorted(keys, key=lambda k: (-summits[k][2], k))[1:]:
                apart[key] = 1 - float(level) / summits[key][2]
                alive.remove(key)
        for part in sorted(set(np.unique(area).tolist()) - {0} - set(held)):
            y, x = divmod(int(np.where(area == part, through, -1).argmax()), area.shape[1])
            if through[y, x] >= least:
                alive.append(len(summits))
                summits.append((x, y, float(through[y, x])))
                apart.append(1.0)
    found = [Column(*one, share) for one, share in zip(summits, apart, strict=True)]
    return _whole([c for c in found if c.apart >= SLAP.apart], _typical(upright, fingers))


def _typical(upright: Map, fingers: int) -> float:
    """The usual width of a finger, cells: of as many of the widest parts as there are fingers."""
    inside = cv2.copyMakeBorder((upright > INSIDE).astype(np.uint8), 1, 1, 1, 1, 0)
    deep = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    wide = []
    for _ in range(fingers):
        y, x = divmod(int(deep.argmax()), deep.shape[1])
        radius = float(deep[y, x])
        if radius * SLAP.cell < SLAP.radius_least:
            break
        wide.append(2 * radius)
        cv2.circle(deep, (x, y), int(1.5 * radius), 0.0, -1)
    return float(np.median(wide)) if wide else 0.0


def _whole(summits: list[Column], width: float) -> list[Column]:
    """One column for each finger: phalanges stand above each other."""
    kept: list[Column] = []
    for one in sorted(summits, key=lambda c: (-c.length, c.x)):
        if all(abs(one.x - other.x) >= SLAP.side * width for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda c: c.x)


def regions_of(
    upright: Map, columns: Sequence[Column]
) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Which finger each cell belongs to, and how clear the ways between them are.

    Parameters
    ----------
    upright : (h, w) float32
        As `columns_of` takes it.
    columns : sequence of Column
        From left to right.

    Returns
    -------
    (h, w) uint8
        1 for the leftmost finger, and so on.
    tuple of float
        For each pair of neighbours 1 where the way between them crosses no ridges, 0 where it
        crosses as many as the way along the lesser.
    """
    owner = np.ones(upright.shape, np.uint8)
    across, down = np.arange(upright.shape[1]), np.arange(len(upright))
    clear = []
    for left, right in pairwise(columns):
        way = _between(upright, left, right)
        owner += (across[None] > way[:, None]).astype(np.uint8)
        crossed = float(upright[down, way].sum()) / min(left.length, right.length)
        clear.append(min(1.0, max(0.0, 1 - crossed)))
    return owner, tuple(clear)


def _between(upright: Map, left: Column, right: Column) -> NDArray[np.int64]:
    """The column, in every row, of the best way between two fingers."""
    cost = upright + np.float32(1e-3)
    cost[left.y, : left.x + 1] = _FAR
    cost[right.y, right.x :] = _FAR
    total, came = _down(cost, _ASIDE)
    way = np.empty(len(cost), np.int64)
    way[-1] = int(total[-1].argmin())
    for y in range(len(cost) - 1, 0, -1):
        way[y - 1] = way[y] + came[y, way[y]]
    return way


def _down(cost: Map, aside: float = 0.0) -> tuple[Map, NDArray[np.int8]]:
    """The least that a way from the top row to each cell crosses, and where it came from.

    It moves one column aside a row at most.
    """
    out = np.empty_like(cost)
    came = np.zeros(cost.shape, np.int8)
    out[0] = cost[0]
    side = np.full(cost.shape[1] + 2, _FAR, np.float32)
    for y in range(1, len(cost)):
        side[1:-1] = out[y - 1]
        beside = side + np.float32(aside)
        ways = np.stack((side[1:-1], beside[:-2], beside[2:]))
        best = ways.argmin(axis=0)
        came[y] = np.array([0, -1, 1], np.int8)[best]
        out[y] = np.take_along_axis(ways, best[None], axis=0)[0] + cost[y]
    return out, came
