"""Ridge period fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import SYNTHETIC
from fpmatch.synthetic import _kernels
from fpmatch.synthetic.noise import smooth_noise
from fpmatch.synthetic.orientation import Pattern


def period_field(
    pattern: Pattern,
    orientation: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Ridge period at every pixel of a master.

    Wider below the deltas, narrower round the core, uneven, and giving way to the flow: where
    ridges spread they also widen, which spares some of the new ridges that would else begin.

    Parameters
    ----------
    pattern : Pattern
        Singularities of the finger.
    orientation : (H, W) float64
        Radians in [0, pi), 0 along +x, clockwise.
    rng : numpy Generator
        Drawn from in a fixed order.

    Returns
    -------
    (H, W) float64
        Pixels at 500 ppi.
    """
    shape = orientation.shape
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    cores = [p for p in pattern.singularities if p.core]
    cx, cy = (cores[0].x, cores[0].y) if cores else (0.5 * shape[1], 0.45 * shape[0])
    mean = float(np.clip(rng.normal(SYNTHETIC.period_mean, SYNTHETIC.period_sd), 7.2, 11.5))
    low = SYNTHETIC.period_base * np.tanh((y - cy - 90) / 60)
    near = SYNTHETIC.period_core * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 60.0**2))
    uneven = SYNTHETIC.period_uneven * smooth_noise(rng, shape, SYNTHETIC.period_scale)
    return np.asarray(mean * (1.0 + low - near + uneven) * np.exp(yielding(orientation)))


def yielding(orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log period that follows the spreading of the ridges as far as smoothness lets it.

    Ridges keep their number if the log period p grows along the unit flow t as div t; p solves
    this by least squares on a grid of 16 pixels, against its own roughness and size.

    Parameters
    ----------
    orientation : (H, W) float64
        Radians in [0, pi), 0 along +x, clockwise.
    """
    step = 16
    field = orientation[::step, ::step]
    rows, columns = field.shape
    c, s = np.cos(field), np.sin(field)
    right = np.mod(np.roll(field, -1, 1) - field + np.pi / 2, np.pi) - np.pi / 2
    down = np.mod(np.roll(field, -1, 0) - field + np.pi / 2, np.pi) - np.pi / 2
    spread = np.clip(c * down - s * right, -0.2, 0.2)
    number = np.arange(rows * columns).reshape(rows, columns)
    here, east, south = (n.ravel() for n in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1]))
    k = np.arange(len(here))
    along = np.zeros((len(here), rows * columns))
    a, b = c[:-1, :-1].ravel(), s[:-1, :-1].ravel()
    along[k, east] += a
    along[k, south] += b
    along[k, here] -= a + b
    rough = np.zeros((2 * len(here), rows * columns))
    rough[k, east] = rough[len(k) + k, south] = 1.0
    rough[k, here] = rough[len(k) + k, here] = -1.0
    matrix = along.T @ along + SYNTHETIC.yield_rough * (rough.T @ rough)
    matrix[np.diag_indices_from(matrix)] += SYNTHETIC.yield_small
    solved = np.linalg.solve(matrix, along.T @ spread[:-1, :-1].ravel())
    coarse = np.clip(SYNTHETIC.yield_share * solved, -0.3, 0.3).reshape(rows, columns)
    return _enlarged(coarse, step, (orientation.shape[0], orientation.shape[1]))


def _enlarged(
    coarse: NDArray[np.float64], step: int, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Smooth interpolation of grid values, by the B-spline that has them as knots."""
    knots = np.pad(coarse, ((1, 4), (1, 4)), mode="edge")
    tall = np.empty((shape[0], knots.shape[1]))
    _kernels.spline_columns(knots, float(step), tall)
    wide = np.empty((shape[1], shape[0]))
    _kernels.spline_columns(np.ascontiguousarray(tall.T), float(step), wide)
    return np.ascontiguousarray(wide.T)
