"""Orientation fields of the pattern classes: zero-pole model with correction.

Zero-pole model: Sherlock and Monro (1993); that the turning around a singularity must not be
uniform, and how it is corrected: Vizcaya and Gerhardt (1996). Here the correction is a smooth
harmonic of the angle instead of a piecewise-linear table, so that the field has no kinks. The
arch follows the sine model of Cappelli, Maio and Maltoni (SFinGe, 2000).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.noise import knots_of


class PatternClass(enum.IntEnum):
    """Pattern class of a finger."""

    ARCH = 0
    TENTED_ARCH = 1
    LEFT_LOOP = 2
    RIGHT_LOOP = 3
    WHORL = 4
    DOUBLE_LOOP = 5


@dataclass(frozen=True, slots=True)
class Singularity:
    """A core or delta of the orientation field, in master pixels (y down).

    ``sharp`` is the harmonic correction: 0 turns uniformly, towards 1 all of the turning is done
    on the outer side. ``side`` is -1 if the outer side is above, +1 if below. ``twist`` (radians)
    turns the neighbourhood of ``reach`` pixels.
    """

    x: float
    y: float
    core: bool
    sharp: float
    side: int
    twist: float
    reach: float

    def numbers(self) -> tuple[float, ...]:
        """The seven numbers that the kernels take."""
        return (self.x, self.y, self.core, self.sharp, self.side, self.twist, self.reach)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Everything that fixes the orientation field of one master.

    ``arch_height`` is the steepest slope of an arch, or the angle (radians) of the arching added
    to other classes; ``arch_decay`` how fast an arch flattens towards tip and base.
    """

    kind: PatternClass
    singularities: tuple[Singularity, ...]
    arch_height: float
    arch_decay: float

    def vector(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """The 6 + 7 S numbers that the kernels take, for a master of this shape."""
        head = [shape[1], shape[0], self.kind is PatternClass.ARCH, self.arch_height]
        rest = [v for p in self.singularities for v in p.numbers()]
        return np.array([*head, self.arch_decay, len(self.singularities), *rest], np.float64)


def draw_class(rng: np.random.Generator) -> PatternClass:
    """One class in natural proportions (`SYNTHETIC.class_share`)."""
    u = rng.random() * sum(SYNTHETIC.class_share)
    for kind, share in zip(PatternClass, SYNTHETIC.class_share, strict=True):
        u -= share
        if u < 0:
            return kind
    return PatternClass.DOUBLE_LOOP


def draw_pattern(rng: np.random.Generator, kind: PatternClass, shape: tuple[int, int]) -> Pattern:
    """Draw the singularities and their corrections for one finger of class ``kind``.

    Parameters
    ----------
    rng : numpy Generator
        Drawn from in a fixed order.
    kind : PatternClass
        Of the finger.
    shape : (int, int)
        Rows and columns, pixels at 500 ppi.
    """
    height, width = shape
    cx = 0.5 * width + rng.normal(0, 10)
    cy = SYNTHETIC.core_height * height + rng.normal(0, 12)
    points: list[Singularity] = []
    arch_height = rng.uniform(0.12, 0.36)
    if kind is PatternClass.ARCH:
        arch_height = rng.uniform(0.9, 2.1)
    elif kind is PatternClass.TENTED_ARCH:
        drop = rng.uniform(28, 75)
        lean = rng.normal(0, 5)
        points.append(_core(rng, cx, cy + 25, -1, rng.normal(0, 0.08)))
        points.append(_delta(rng, cx + lean, cy + 25 + drop, 0.0))
    elif kind in (PatternClass.LEFT_LOOP, PatternClass.RIGHT_LOOP):
        # A left loop opens to the lower left, its delta lies to the right.
        s = 1.0 if kind is PatternClass.LEFT_LOOP else -1.0
        points.append(_core(rng, cx, cy, -1, s * rng.uniform(-0.20, 0.12)))
        points.append(
            _delta(
                rng, cx + s * rng.normal(82, 15), cy + rng.normal(98, 16), s * rng.normal(0.12, 0.1)
            )
        )
    else:
        points += _two_cores(rng, kind, cx, cy)
        for s in (-1.0, 1.0):
            x = cx + s * rng.normal(98, 14)
            points.append(_delta(rng, x, cy + rng.normal(100, 16), s * rng.normal(0.12, 0.1)))
    return Pattern(kind, tuple(points), arch_height, rng.uniform(0.65, 0.95))


def _core(rng: np.random.Generator, x: float, y: float, side: int, twist: float) -> Singularity:
    return Singularity(x, y, True, rng.uniform(0.55, 0.8), side, twist, rng.uniform(45, 70))


def _delta(rng: np.random.Generator, x: float, y: float, twist: float) -> Singularity:
    return Singularity(x, y, False, rng.uniform(0.1, 0.4), -1, twist, rng.uniform(30, 45))


def _two_cores(
    rng: np.random.Generator, kind: PatternClass, cx: float, cy: float
) -> list[Singularity]:
    if kind is PatternClass.WHORL:
        gap = rng.uniform(6, 42)
        lean = rng.normal(0, 0.35)
        twist = rng.normal(0, 0.12)
    else:
        gap = rng.uniform(42, 75)
        lean = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
        twist = -math.copysign(rng.uniform(0.25, 0.55), lean)
    dx, dy = 0.5 * gap * math.sin(lean), 0.5 * gap * math.cos(lean)
    upper = _core(rng, cx - dx, cy - dy, -1, twist)
    lower = _core(rng, cx + dx, cy + dy, 1, twist)
    return [upper, lower]


def orientation_field(
    pattern: Pattern, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Ridge orientation at every pixel of the master.

    Parameters
    ----------
    pattern : Pattern
        Singularities of the finger.
    shape : (int, int)
        Rows and columns, pixels at 500 ppi.
    rng : numpy Generator
        Drawn from in a fixed order.

    Returns
    -------
    (H, W) float64
        Radians in [0, pi), 0 along +x, clockwise on the screen (y down).
    """
    out = np.empty(shape)
    knots = wander_knots(rng, shape)
    vector = pattern.vector(shape)
    _kernels.flow_rows(vector, knots, SYNTHETIC.wander_scale, 0, shape[0], out)
    return out


def wander_knots(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Spline knots of the flow's random wandering, radians."""
    return knots_of(rng, shape, SYNTHETIC.wander_scale) * math.radians(SYNTHETIC.wander_deg)
