"""Contextual enhancement: an oriented Gabor filter, separated into two one-dimensional ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.minutiae._kernels import directional_filter
from fpmatch.minutiae.frequency import PAD, PeriodField
from fpmatch.minutiae.orientation import OrientationField
from fpmatch.parameters import MINUTIAE, MinutiaeParameters

DIRECTIONS = 128
"""Directions in half a turn (1.4 degrees)."""
PERIOD_STEP = 0.25
"""Pixels between tabulated ridge periods."""
LEVELS = 8
"""Tabulated sample spacings, from 1 to sqrt(2) pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterBank:
    """Tables of `directional_filter`."""

    steep: NDArray[np.uint8]
    slope: NDArray[np.float32]
    level: NDArray[np.uint8]
    across: NDArray[np.float32]
    across_radius: NDArray[np.int32]
    along: NDArray[np.float32]
    along_radius: NDArray[np.int32]


@takes(padded=array_of("float32", 2), mask=array_of("uint8", 2), field=OrientationField)
def enhance(
    padded: NDArray[np.float32],
    mask: NDArray[np.uint8],
    field: OrientationField,
    periods: PeriodField,
    parameters: MinutiaeParameters = MINUTIAE,
) -> NDArray[np.float32]:
    """Ridge pattern cleaned by a filter tuned to local orientation and period.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    padded : (H + 2 PAD, W + 2 PAD) float32
        Normalised image in a border of zeros.
    mask : (H, W) uint8
    field : OrientationField
    periods : PeriodField

    Returns
    -------
    (H + 2 PAD, W + 2 PAD) float32
        Negative on ridges, zero outside the mask.

    Notes
    -----
    Gabor filter (Hong, Wan & Jain 1998) as a wave across the ridges with its mean removed,
    followed by a Gaussian along them: two passes of one-dimensional taps a pixel.
    """
    height, width = mask.shape
    bank = filter_bank(parameters)
    ridge = (field.angle() * np.float32(DIRECTIONS / np.pi) + np.float32(0.5)).astype(np.uint8)
    along = ridge % DIRECTIONS
    across = (along + DIRECTIONS // 2) % DIRECTIONS
    step = periods.step
    large = cv2.warpAffine(
        periods.period,
        np.array([[step, 0, 0], [0, step, 0]], np.float64),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    choice = ((large - np.float32(parameters.period_min)) * np.float32(1 / PERIOD_STEP)).astype(
        np.uint8
    )
    first = np.zeros_like(padded)
    out = np.zeros_like(padded)
    directional_filter(
        padded, PAD, mask, across, choice, bank.steep, bank.slope, bank.level,
        bank.across, bank.across_radius, first,
    )  # fmt: skip
    directional_filter(
        first, PAD, mask, along, choice, bank.steep, bank.slope, bank.level,
        bank.along, bank.along_radius, out,
    )  # fmt: skip
    return out


@lru_cache(maxsize=8)
def filter_bank(parameters: MinutiaeParameters = MINUTIAE) -> FilterBank:
    """Build the tables for a set of parameters (cached)."""
    angle = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    c, s = np.cos(angle), np.sin(angle)
    steep = np.abs(s) > np.abs(c)
    slope = np.where(steep, c / np.where(steep, s, 1), s / np.where(steep, 1, c))
    spacing = np.sqrt(1 + slope**2)
    widest = np.sqrt(2) - 1
    level = np.minimum(np.floor((spacing - 1) / widest * LEVELS), LEVELS - 1).astype(np.uint8)
    spacings = 1 + (np.arange(LEVELS) + 0.5) * widest / LEVELS
    periods = np.arange(parameters.period_min, parameters.period_max + 1e-6, PERIOD_STEP)
    shape = (LEVELS, len(periods))
    across = np.zeros((*shape, 2 * PAD + 1), np.float32)
    along = np.zeros_like(across)
    across_radius = np.zeros(shape, np.int32)
    along_radius = np.zeros(shape, np.int32)
    for i, d in enumerate(spacings):
        for j, p in enumerate(periods):
            t = np.arange(-PAD, PAD + 1) * d
            r = int(1.5 * p / d + 0.5)
            window = np.exp(-(t**2) / (2 * (p * parameters.gabor_across) ** 2))
            window[np.abs(np.arange(-PAD, PAD + 1)) > r] = 0
            wave = window * np.cos(2 * np.pi * t / p)
            wave -= window * wave.sum() / window.sum()
            across[i, j] = wave / np.abs(wave).sum()
            across_radius[i, j] = r
            sigma = parameters.gabor_along
            r = int(2 * sigma / d + 0.5)
            window = np.exp(-(t**2) / (2 * sigma**2))
            window[np.abs(np.arange(-PAD, PAD + 1)) > r] = 0
            along[i, j] = window / window.sum()
            along_radius[i, j] = r
    return FilterBank(
        steep.astype(np.uint8), slope.astype(np.float32), level,
        across, across_radius, along, along_radius,
    )  # fmt: skip
