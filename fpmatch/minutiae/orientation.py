"""Ridge orientation from the structure tensor at two scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.minutiae.spectrum import RidgeBand
from fpmatch.parameters import MINUTIAE, MinutiaeParameters


@dataclass(frozen=True, slots=True, eq=False)
class OrientationField:
    """Orientation as doubled-angle vectors at half resolution.

    Parameters
    ----------
    cosine, sine : (ceil(H / 2), ceil(W / 2)) float32
        Of twice the ridge orientation; cell (i, j) is centred on pixel (2 i + 0.5, 2 j + 0.5).
    coherence : (ceil(H / 2), ceil(W / 2)) float32
        0 (no direction) to 1 (parallel ridges).
    shape : tuple of int
        H, W.
    """

    cosine: NDArray[np.float32]
    sine: NDArray[np.float32]
    coherence: NDArray[np.float32]
    shape: tuple[int, int]

    def angle(self) -> NDArray[np.float32]:
        """Ridge orientation at every pixel: (H, W) float32, radians in [0, pi), clockwise."""
        c = enlarge(self.cosine, self.shape)
        s = enlarge(self.sine, self.shape)
        out: NDArray[np.float32] = cv2.phase(c, s) * np.float32(0.5)
        return np.minimum(out, np.nextafter(np.float32(np.pi), np.float32(0)))

    def angle_at(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Ridge orientation at points, radians in [0, pi); nearest cell.

        Parameters
        ----------
        x : NDArray[Any]
            Columns, pixels.
        y : NDArray[Any]
            Rows, pixels.
        """
        rows, columns = self.cosine.shape
        i = np.clip(np.asarray(y) / 2, 0, rows - 1).astype(np.intp)
        j = np.clip(np.asarray(x) / 2, 0, columns - 1).astype(np.intp)
        double = np.arctan2(self.sine[i, j].astype(np.float64), self.cosine[i, j])
        return np.mod(double / 2, np.pi)


def enlarge(field: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Half resolution -> full resolution (H, W), linear.

    Parameters
    ----------
    field : ndarray of float32
        Ridge directions in blocks.
    shape : tuple[int, int]
        Rows and columns wanted.
    """
    height, width = shape
    rows, columns = field.shape
    out: NDArray[np.float32] = cv2.resize(
        field, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR
    )
    return out[:height, :width]


@takes(band=RidgeBand, shape=tuple)
def orientation_field(
    band: RidgeBand, shape: tuple[int, int], parameters: MinutiaeParameters = MINUTIAE
) -> OrientationField:
    """Ridge orientation of a band-passed image.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    band : RidgeBand
    shape : tuple of int
        H, W of the full-resolution image.

    Notes
    -----
    Structure tensor (Bigun & Granlund 1987; Kass & Witkin 1987) over two Gaussian windows, each
    divided by its energy so that it weighs by its coherence, added and lightly smoothed. The
    coarse window is computed at quarter resolution. O(H W).
    """
    rows, columns = band.wave.shape
    double = band.wave * band.wave
    difference = np.ascontiguousarray(double.real)
    cross = np.ascontiguousarray(double.imag)
    energy = cv2.magnitude(difference, cross)
    fine, coarse = parameters.orientation_sigmas
    c, s = _vectors(difference, cross, energy, fine / 2)
    quarter = (-(-columns // 2), -(-rows // 2))
    d4, x4, e4 = (
        cv2.resize(f, quarter, interpolation=cv2.INTER_AREA) for f in (difference, cross, energy)
    )
    c4, s4 = _vectors(d4, x4, e4, coarse / 4)
    w = np.float32(parameters.orientation_coarse_weight)
    c += w * cv2.resize(c4, (columns, rows), interpolation=cv2.INTER_LINEAR)
    s += w * cv2.resize(s4, (columns, rows), interpolation=cv2.INTER_LINEAR)
    coherence = cv2.magnitude(c, s) / (1 + w)
    sigma = parameters.orientation_smooth / 2
    # The wave varies across the ridges: turn by 90 degrees, so the doubled angle by 180.
    return OrientationField(
        cosine=-cv2.GaussianBlur(c, (0, 0), sigma),
        sine=-cv2.GaussianBlur(s, (0, 0), sigma),
        coherence=coherence,
        shape=shape,
    )


def _vectors(
    difference: NDArray[np.float32],
    cross: NDArray[np.float32],
    energy: NDArray[np.float32],
    sigma: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    e = cv2.GaussianBlur(energy, (0, 0), sigma) + np.float32(1e-4)
    c = cv2.GaussianBlur(difference, (0, 0), sigma) / e
    s = cv2.GaussianBlur(cross, (0, 0), sigma) / e
    return c, s
