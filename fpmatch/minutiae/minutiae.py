"""What an extractor returns, before it is quantised into a template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Minutiae:
    """Minutiae of one image, at full precision.

    Parameters
    ----------
    xy : (M, 2) float32
        Position, pixels at 500 ppi; x to the right, y down, 0 at the centre of the first pixel.
    angle : (M,) float32
        Direction, radians in [0, 2 pi); 0 along +x, growing clockwise on the screen (y down).
        It points from an ending along its ridge, and from a bifurcation between its two
        closest branches, so that a ridge ending and the valley bifurcation it looks like under
        other pressure have the same direction.
    kind : (M,) uint8
        `MinutiaType`.
    quality : (M,) float32
        Confidence in [0, 1].
    shape : tuple of int
        Rows and columns of the image, pixels at 500 ppi.
    orientation : (h, w) float32
        Ridge orientation, radians in [0, pi), same sense as `angle`, at the centres of square
        cells of `TEMPLATE.orientation_cell` pixels; NaN outside the finger.
    image_quality : int
        0 to 100.
    extractor : str
        Name and version of the method, e.g. ``classical-1``.
    """

    xy: NDArray[np.float32]
    angle: NDArray[np.float32]
    kind: NDArray[np.uint8]
    quality: NDArray[np.float32]
    shape: tuple[int, int]
    orientation: NDArray[np.float32]
    image_quality: int
    extractor: str

    def __len__(self) -> int:
        return int(self.xy.shape[0])
