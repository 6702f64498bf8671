"""Where labels go, so that none lies on another or on a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes

_TURNS = 16
"""Directions that are tried around a place."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle by its middle and half its sides."""

    x: float
    y: float
    across: float
    down: float

    def apart(self, other: Area) -> bool:
        """Whether the two have no point in common."""
        return (
            abs(self.x - other.x) >= self.across + other.across
            or abs(self.y - other.y) >= self.down + other.down
        )


@takes(sizes=listed("tuple"))
def place_labels(
    anchors: NDArray[np.float64],
    away: NDArray[np.float64],
    sizes: Sequence[tuple[float, float]],
    radius: float,
    canvas: tuple[float, float],
    taken: Sequence[Area] = (),
) -> list[Area]:
    """One rectangle for each label, near what it names, within the canvas, clear of the others.

    Tried are rings around each place, the near ones first, and on a ring the direction that
    points away from the mark's own stroke first. The crowded places choose first. Where the
    canvas is so full that nothing is free, labels lie where they hide the least.

    Parameters
    ----------
    anchors : (N, 2) float64
        What is named: middles of the marks, pixels.
    away : (N,) float64
        The direction, radians, clockwise on the screen, that is tried first.
    sizes : list of (float, float)
        Width and height of each label, pixels.
    radius : float
        Of a mark: no label lies on one.
    canvas : tuple of float
        Width and height.
    taken : sequence of Area
        What else should not be hidden.
    """
    marks = [Area(float(x), float(y), radius, radius) for x, y in anchors]
    placed: dict[int, Area] = {}
    for i in _crowded_first(anchors):
        placed[i] = _place(marks[i], float(away[i]), sizes[i], canvas, [*marks, *taken], placed)
    return [placed[i] for i in range(len(marks))]


def _crowded_first(anchors: NDArray[np.float64]) -> list[int]:
    """By the distance to the third neighbour."""
    if len(anchors) < 2:
        return list(range(len(anchors)))
    far = np.linalg.norm(anchors[:, None] - anchors[None, :], axis=2)
    third = np.sort(far, axis=1)[:, min(3, len(anchors) - 1)]
    return [int(i) for i in np.argsort(third, kind="stable")]


def _place(
    mark: Area,
    away: float,
    size: tuple[float, float],
    canvas: tuple[float, float],
    marks: Sequence[Area],
    placed: dict[int, Area],
) -> Area:
    across, down = size[0] / 2, size[1] / 2
    step = max(down, 2.0)
    reach = math.hypot(*canvas)
    best, least = None, math.inf
    ring = mark.across
    while ring < reach:
        for n in range(_TURNS):
            # 0, 1, -1, 2, -2 ...: the nearest to the first direction first.
            turn = away + (n + 1) // 2 * (1 if n % 2 else -1) * (2 * math.pi / _TURNS)
            here = _beside(mark, turn, ring, across, down)
            if not (across <= here.x <= canvas[0] - across and down <= here.y <= canvas[1] - down):
                continue
            hidden = sum(10 for other in placed.values() if not here.apart(other))
            hidden += sum(1 for other in marks if not here.apart(other))
            if not hidden:
                return here
            if hidden < least:
                best, least = here, hidden
        ring += step
    if best is not None:
        return best
    return Area(canvas[0] / 2, canvas[1] / 2, across, down)


def _beside(mark: Area, turn: float, ring: float, across: float, down: float) -> Area:
    """A rectangle in a direction, that begins where a ring ends."""
    dx, dy = math.cos(turn), math.sin(turn)
    return Area(mark.x + dx * (ring + across), mark.y + dy * (ring + down), across, down)
