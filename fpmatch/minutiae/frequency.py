"""Ridge period from the spectrum of signatures across the ridges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.errors import InputError
from fpmatch.minutiae._kernels import ridge_spectrum
from fpmatch.minutiae.orientation import OrientationField
from fpmatch.parameters import MINUTIAE, MinutiaeParameters

PAD = 28
"""Empty border around a working image, pixels: the reach of the oriented windows."""


@dataclass(frozen=True, slots=True, eq=False)
class PeriodField:
    """Ridge period on a grid.

    Parameters
    ----------
    period : (h, w) float32
        Pixels, smoothed; cell (i, j) belongs to pixel (step i, step j).
    peak : (h, w) float32
        How much of the signature is one sinusoid: 0 to 1; 0 outside the finger.
    step : int
    """

    period: NDArray[np.float32]
    peak: NDArray[np.float32]
    step: int


@takes(image=array_of("float32", 2))
def pad_image(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Surround by `PAD` zeros.

    Parameters
    ----------
    image : ndarray of float32
        At 500 ppi.
    """
    out: NDArray[np.float32] = cv2.copyMakeBorder(
        image, PAD, PAD, PAD, PAD, cv2.BORDER_CONSTANT, value=0
    )
    return out


@takes(padded=array_of("float32", 2), mask=array_of("uint8", 2), field=OrientationField)
def period_field(
    padded: NDArray[np.float32],
    mask: NDArray[np.uint8],
    field: OrientationField,
    parameters: MinutiaeParameters = MINUTIAE,
) -> PeriodField:
    """Ridge period of a normalised image.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    padded : (H + 2 PAD, W + 2 PAD) float32
        Normalised image in a border of zeros.
    mask : (H, W) uint8
    field : OrientationField

    Raises
    ------
    InputError
        If the window is larger than the padding.

    Notes
    -----
    The signature of a window turned to the ridges (Hong, Wan & Jain 1998), its period read from
    the largest bin of a windowed Fourier sum; then a robust blur of the logarithm.
    """
    step, half = parameters.frequency_step, parameters.frequency_half
    if np.hypot(half, parameters.frequency_along) > PAD - 2:
        raise InputError(f"a window of {half} by {parameters.frequency_along} leaves the padding")
    inside = np.ascontiguousarray(mask[::step, ::step])
    theta = field.angle()[::step, ::step].copy()
    window, cosines, sines, periods = _basis(half)
    period = np.empty(inside.shape, np.float32)
    peak = np.empty_like(period)
    ridge_spectrum(
        padded, PAD, theta, inside, step, half, parameters.frequency_along,
        window, cosines, sines, periods, period, peak,
    )  # fmt: skip
    return PeriodField(_smooth(period, parameters), peak, step)


def _smooth(period: NDArray[np.float32], parameters: MinutiaeParameters) -> NDArray[np.float32]:
    known = period > 0
    if not known.any():
        return np.full_like(period, 9.0)
    log = np.where(known, np.log(np.maximum(period, 1)), 0).astype(np.float32)
    middle = np.float32(np.median(log[known]))
    weight = known * (np.exp(-(((log - middle) / parameters.period_spread) ** 2)) + 1e-3)
    weight = weight.astype(np.float32)
    sigma = parameters.period_smooth
    top = cv2.GaussianBlur(log * weight, (0, 0), sigma) + np.float32(1e-4) * middle
    low = cv2.GaussianBlur(weight, (0, 0), sigma) + np.float32(1e-4)
    smooth = np.exp(top / low)
    return np.clip(smooth, parameters.period_min, parameters.period_max).astype(np.float32)


@lru_cache(maxsize=4)
def _basis(
    half: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    periods = (4.0 + 0.35 * np.arange(40)).astype(np.float32)
    u = np.arange(2 * half + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (u + 0.5) / len(u))
    phase = 2 * np.pi * u[None] / periods[:, None].astype(np.float64)
    return (
        window.astype(np.float32),
        np.cos(phase).astype(np.float32),
        np.sin(phase).astype(np.float32),
        periods,
    )
