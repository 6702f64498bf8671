"""The ridge band: what of an image has about the period of ridges, and the way it varies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


@dataclass(frozen=True, slots=True, eq=False)
class RidgeBand:
    """Ridge-like variation at half resolution.

    Parameters
    ----------
    period : float
        Typical ridge period of the impression, pixels (full resolution).
    wave : (ceil(H / 2), ceil(W / 2)) complex64
        Riesz transform of the band-passed image: real part along x, imaginary part along y. Its
        argument is the direction across the ridges, up to sign.
    """

    period: float
    wave: NDArray[np.complex64]


@takes(normalised=array_of("float32", 2))
def ridge_band(
    normalised: NDArray[np.float32], parameters: MinutiaeParameters = MINUTIAE
) -> RidgeBand:
    """Band-pass a normalised image around its own ridge period.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    normalised : (H, W) float32

    Notes
    -----
    The period is the ring of most power of the Fourier spectrum; the band is Gaussian in the
    logarithm of the frequency (Field 1987); the direction comes from the Riesz transform
    (Felsberg & Sommer 2001), which, unlike a gradient, does not favour short waves. Values are
    clipped first, so that pores and specks do not outweigh ridges. O(H W log H W).
    """
    height, width = normalised.shape
    size = (-(-width // 2), -(-height // 2))
    limit = parameters.band_clip
    small = cv2.resize(np.clip(normalised, -limit, limit), size, interpolation=cv2.INTER_AREA)
    frame = (_padded(size[1]), _padded(size[0]))
    room = cv2.copyMakeBorder(
        small, 0, frame[0] - size[1], 0, frame[1] - size[0], cv2.BORDER_CONSTANT, value=0
    )
    grid = _grid(frame)
    spectrum = cv2.dft(room, flags=cv2.DFT_COMPLEX_OUTPUT).view(np.complex64)[:, :, 0]
    period = _strongest(spectrum, grid, parameters)
    # Frequencies are of the half-size image: its period is half as many of its pixels.
    distance = grid.log_frequency + np.float32(np.log(period * parameters.band_centre / 2))
    gain = np.exp(distance * distance * np.float32(-0.5 / parameters.band_width**2))
    shaped = spectrum * (gain * grid.riesz)
    wave = cv2.dft(
        shaped.view(np.float32).reshape(*frame, 2), flags=cv2.DFT_INVERSE | cv2.DFT_SCALE
    ).view(np.complex64)[: size[1], : size[0], 0]
    return RidgeBand(period, np.ascontiguousarray(wave))


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    log_frequency: NDArray[np.float32]
    riesz: NDArray[np.complex64]
    ring: NDArray[np.intp]


def _padded(length: int) -> int:
    """Room for the filter, rounded so that few different frames occur."""
    return 32 * -(-(length + 16) // 32)


_RINGS = 512


@lru_cache(maxsize=64)
def _grid(frame: tuple[int, int]) -> _Grid:
    fy = np.fft.fftfreq(frame[0])[:, None]
    fx = np.fft.fftfreq(frame[1])[None]
    f = np.hypot(fy, fx)
    f[0, 0] = 1e-3
    riesz = -1j * (fx + 1j * fy) / f
    return _Grid(
        np.log(f).astype(np.float32),
        riesz.astype(np.complex64),
        np.minimum(np.rint(f * _RINGS), _RINGS - 1).astype(np.intp).ravel(),
    )


def _strongest(
    spectrum: NDArray[np.complex64], grid: _Grid, parameters: MinutiaeParameters
) -> float:
    power = spectrum.real**2 + spectrum.imag**2
    total = np.bincount(grid.ring, power.ravel(), minlength=_RINGS)
    rings = np.convolve(total, np.ones(9) / 9, "same")
    low = int(2 * _RINGS / parameters.period_max)
    high = int(2 * _RINGS / parameters.period_min)
    return 2 * _RINGS / (low + int(np.argmax(rings[low:high])))
