"""Master prints: the skin itself, before it touches anything.

After SFinGe (Cappelli, Maio and Maltoni, 2000): an orientation field and a ridge period field
choose a filter for every pixel, and passing noise through these filters again and again grows a
ridge pattern whose minutiae nobody placed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import InputError
from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.noise import smooth_noise, stream
from fpmatch.synthetic.orientation import (
    PatternClass,
    draw_class,
    draw_pattern,
    orientation_field,
)
from fpmatch.synthetic.period import period_field
from fpmatch.synthetic.truth import pattern_minutiae, skeleton, tidy

_FIELD, _PERIOD, _GROWTH, _SKIN = 1, 2, 3, 4


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Master:
    """One synthetic finger.

    Parameters
    ----------
    seed : int
    kind : PatternClass
    layers : (3, H, W) float32
        Ridge profile (-1 valley to 1 ridge), pores (0 to 1) and creases (0 to 1).
    orientation : (H, W) float32
        Ridge orientation, radians in [0, pi), y down, as in `Minutiae`.
    period : (H, W) float32
        Ridge period the growth aimed at, pixels at 500 ppi.
    mask : (H, W) bool
        Where there is skin.
    xy : (M, 2) float64
        Minutiae of the ridge profile, pixels at 500 ppi.
    angle : (M,) float64
        Their directions, radians in [0, 2 pi).
    type : (M,) uint8
        `MinutiaType`: the crossing number on the thinned ridges.
    singularities : (S, 3) float64
        Cores (third column 1) and deltas (0): x, y.
    """

    seed: int
    kind: PatternClass
    layers: NDArray[np.float32]
    orientation: NDArray[np.float32]
    period: NDArray[np.float32]
    mask: NDArray[np.bool_]
    xy: NDArray[np.float64]
    angle: NDArray[np.float64]
    type: NDArray[np.uint8]
    singularities: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"<Master {self.seed}: {self.kind.name}, {len(self.angle)} minutiae>"


def master(seed: int, *, kind: PatternClass | str | None = None) -> Master:
    """Grow one finger.

    Parameters
    ----------
    seed : int
        The same seed gives the same finger on every machine.
    kind : PatternClass or str, optional
        Pattern class; drawn in natural proportions if absent.

    Raises
    ------
    InputError
        If the seed is no integer from 0, or the class is unknown.

    Notes
    -----
    About half a second on one core. Thread-safe.
    """
    rng = stream(seed, _FIELD)
    drawn = draw_class(rng)
    chosen = drawn if kind is None else parse_class(kind)
    shape = SYNTHETIC.master_shape
    pattern = draw_pattern(rng, chosen, shape)
    orientation = orientation_field(pattern, shape, rng)
    mask = silhouette(shape)
    period = period_field(pattern, orientation, stream(seed, _PERIOD))
    ridge = tidy(grown(orientation, period, mask, stream(seed, _GROWTH)))
    lines = skeleton(ridge)
    xy, angle, kinds = pattern_minutiae(lines, orientation, silhouette(shape, 0.97))
    skin = stream(seed, _SKIN)
    layers = np.stack([np.clip(ridge / SYNTHETIC.growth_top, -1, 1), *_skin_layers(lines, skin)])
    points = [(p.x, p.y, float(p.core)) for p in pattern.singularities]
    return Master(
        seed=int(seed),
        kind=chosen,
        layers=layers.astype(np.float32),
        orientation=orientation.astype(np.float32),
        period=period.astype(np.float32),
        mask=mask,
        xy=xy,
        angle=angle,
        type=kinds,
        singularities=np.array(points, np.float64).reshape(-1, 3),
    )


def parse_class(kind: PatternClass | str) -> PatternClass:
    """A pattern class by value or by name, e.g. ``"left_loop"``.

    Raises
    ------
    InputError
        If there is no such class.
    """
    try:
        if isinstance(kind, str):
            return PatternClass[kind.upper()]
        return PatternClass(kind)
    except (KeyError, ValueError):
        names = ", ".join(k.name.lower() for k in PatternClass)
        raise InputError(f"pattern class {kind!r} is unknown; one of {names}") from None


def silhouette(shape: tuple[int, int], scale: float = 1.0) -> NDArray[np.bool_]:
    """The finger's outline on the master: a superellipse of ``scale`` times the canvas."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    a = np.abs(2 * x / shape[1] - 1) / scale
    b = np.abs(2 * y / shape[0] - 1) / scale
    return a**2.5 + b**2.5 <= 1.0


def grown(
    orientation: NDArray[np.float64],
    period: NDArray[np.float64],
    mask: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int16]:
    """Grow ridges from noise by iterated local filtering.

    Parameters
    ----------
    orientation : (H, W) float64
        Radians in [0, pi), 0 along +x, clockwise.
    period : (H, W) float64
        Ridge period, pixels.
    mask : (H, W) bool
        Where there is skin.
    rng : numpy Generator
        Drawn from in a fixed order.

    Returns
    -------
    (H, W) int16
        Nearly sinusoidal across the ridges, about +-`SYNTHETIC.growth_top`; ridges positive.
    """
    bank = filter_bank()
    angles, periods, half = SYNTHETIC.bank_angles, len(_bank_periods()), SYNTHETIC.bank_half
    a = np.rint(orientation * (angles / math.pi)).astype(np.int64) % angles
    first, pitch = _bank_periods()[0], SYNTHETIC.bank_pitch
    p = np.clip(np.rint((period - first) / pitch), 0, periods - 1).astype(np.int64)
    choice = np.where(mask, p * angles + a, -1).astype(np.int32)
    height, width = mask.shape
    field = np.zeros((height + 2 * half, width + bank.shape[2]), np.int16)
    other = field.copy()
    start = rng.integers(-SYNTHETIC.growth_start, SYNTHETIC.growth_start + 1, mask.shape)
    field[half : half + height, half : half + width] = start
    for _ in range(SYNTHETIC.growth_passes):
        _kernels.grow(field, choice, bank, 12, 1024, 0, height, other)
        field, other = other, field
    _kernels.grow(field, choice, bank, 14, 1024, 0, height, other)
    return other[half : half + height, half : half + width].copy()


def _bank_periods() -> NDArray[np.float64]:
    low, high = SYNTHETIC.bank_periods
    return np.arange(low, high + 1e-9, SYNTHETIC.bank_pitch)


@functools.cache
def filter_bank() -> NDArray[np.int16]:
    """Even Gabor filters without constant part, absolute sum 2**14.

    Returns
    -------
    (periods * angles, 2 half + 1, columns) int16
        Columns padded with noughts to a multiple of eight, for the processor's sake.
    """
    half, angles = SYNTHETIC.bank_half, SYNTHETIC.bank_angles
    size = 2 * half + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    turn = np.arange(angles)[:, None, None] * (math.pi / angles)
    across = y * np.cos(turn) - x * np.sin(turn)
    along = x * np.cos(turn) + y * np.sin(turn)
    out = np.zeros((len(_bank_periods()), angles, size, -(-size // 8) * 8), np.int16)
    for k, period in enumerate(_bank_periods()):
        s, t = SYNTHETIC.bank_across * period, SYNTHETIC.bank_along * period
        bell = np.exp(-(across**2) / (2 * s * s) - along**2 / (2 * t * t))
        wave = bell * np.cos((2 * math.pi / period) * across)
        wave -= bell * (wave.sum((1, 2)) / bell.sum((1, 2)))[:, None, None]
        wave *= (2**14 / np.abs(wave).sum((1, 2)))[:, None, None]
        out[k, :, :, :size] = np.rint(wave)
    return out.reshape(-1, size, out.shape[3])


def _skin_layers(
    lines: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pores along the ridges; creases and scars across them."""
    shape = ((lines.shape[0] + 1) // 2, (lines.shape[1] + 1) // 2)
    on = np.argwhere(lines[::2, ::2] > 0).astype(np.int32)
    order = on[rng.permutation(len(on))]
    chosen = np.empty(len(on), np.int64)
    count = _kernels.place_apart(order, SYNTHETIC.pore_spacing, np.zeros(shape, np.uint8), chosen)
    at = order[chosen[:count]].astype(np.float64)
    dots = np.empty((count, 4))
    dots[:, 0] = at[:, 1] + rng.normal(0, 0.5, count)
    dots[:, 1] = at[:, 0] + rng.normal(0, 0.5, count)
    dots[:, 2] = rng.uniform(0.7, 1.25, count)
    dots[:, 3] = rng.uniform(0.3, 1.0, count)
    pores = np.zeros(shape, np.float32)
    _kernels.stamp(dots, pores)
    creases = np.zeros(shape, np.float32)
    lines_of = rng.poisson(rng.choice([0.6, 3.0, 9.0], p=[0.5, 0.35, 0.15]))
    for _ in range(int(lines_of)):
        _kernels.stamp(crease_points(rng, shape, (25, 130), (0.7, 1.5), 0.35), creases)
    if rng.random() < SYNTHETIC.scar_share:
        _kernels.stamp(crease_points(rng, shape, (60, 220), (1.2, 3.2), 1.2), creases)
    return pores, creases


def crease_points(
    rng: np.random.Generator,
    shape: tuple[int, int],
    length: tuple[float, float],
    width: tuple[float, float],
    lean: float,
) -> NDArray[np.float64]:
    """Points of one bent, tapering line as `stamp` takes them.

    ``lean`` is the standard deviation of its slope off the horizontal, radians.

    Parameters
    ----------
    rng : numpy Generator
        Drawn from in a fixed order.
    shape : (int, int)
        Rows and columns, pixels at 500 ppi.
    length : (float, float)
        Shortest and longest, pixels.
    width : (float, float)
        Thinnest and widest, pixels.
    lean : float
        Radians.
    """
    span = rng.uniform(*length)
    n = int(span) + 2
    t = np.linspace(-0.5, 0.5, n)
    angle = rng.normal(0, lean)
    bend = rng.normal(0, 0.10) * span
    wobble = smooth_noise(rng, (1, n), 14.0)[0] * 0.9
    u, v = t * span, bend * (4 * t * t - 1) + wobble
    out = np.empty((n, 4))
    out[:, 0] = rng.uniform(0.15, 0.85) * shape[1] + u * math.cos(angle) - v * math.sin(angle)
    out[:, 1] = rng.uniform(0.12, 0.95) * shape[0] + u * math.sin(angle) + v * math.cos(angle)
    taper = np.sqrt(np.clip(1 - 4 * t * t, 0.04, 1))
    uneven = np.clip(1 + 0.3 * smooth_noise(rng, (1, n), 9.0)[0], 0.4, 1.6)
    out[:, 2] = rng.uniform(*width) * taper * uneven
    out[:, 3] = rng.uniform(0.6, 1.0)
    return out
