"""Seeded random streams and smooth random fields, the same on every machine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import quoted
from fpmatch.errors import InputError
from fpmatch.synthetic import _kernels


def stream(seed: int, *path: int) -> np.random.Generator:
    """Independent generator for one purpose: PCG64 seeded by ``(seed, *path)``.

    Raises
    ------
    InputError
        If a number is negative or no integer.
    """
    numbers = (seed, *path)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers):
        raise InputError(f"seed must be an integer, not {quoted(seed)}")
    if any(n < 0 for n in numbers):
        raise InputError(f"seed {seed} is negative; seeds are integers from 0")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(n) for n in numbers])))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], scale: float
) -> NDArray[np.float64]:
    """Gaussian noise of unit variance that varies over about ``scale`` pixels.

    Normal knots on a grid, interpolated by cubic B-splines.

    Parameters
    ----------
    rng : numpy Generator
        Drawn from in a fixed order.
    shape : (int, int)
        Rows and columns, pixels at 500 ppi.
    scale : float
        Pixels.

    Returns
    -------
    (H, W) float64
    """
    knots = knots_of(rng, shape, scale)
    tall = np.empty((shape[0], knots.shape[1]))
    _kernels.spline_columns(knots, float(scale), tall)
    wide = np.empty((shape[1], shape[0]))
    _kernels.spline_columns(np.ascontiguousarray(tall.T), float(scale), wide)
    return np.ascontiguousarray(wide.T)


def knots_of(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> NDArray[np.float64]:
    """Knots whose cubic B-spline, ``scale`` pixels a knot, has unit variance over ``shape``.

    Parameters
    ----------
    rng : numpy Generator
        Drawn from in a fixed order.
    shape : (int, int)
        Rows and columns, pixels at 500 ppi.
    scale : float
        Pixels.
    """
    rows, columns = (math.ceil(n / scale) + 4 for n in shape)
    # A cubic B-spline of independent knots has variance 0.4794 a dimension on average.
    return rng.standard_normal((rows, columns)) / 0.4794
