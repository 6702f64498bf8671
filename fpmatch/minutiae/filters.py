"""Remove minutiae that the imaging made, not the finger."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fpmatch.minutiae._kernels import reject
from fpmatch.parameters import MINUTIAE, MinutiaeParameters

_FACING = 0.75 * np.pi
_OPPOSED = 0.6 * np.pi


def genuine(
    found: NDArray[np.float32],
    quality: NDArray[np.float32],
    parameters: MinutiaeParameters = MINUTIAE,
) -> NDArray[np.bool_]:
    """Which raw minutiae to keep.

    Parameters
    ----------
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.
    found : (n, 4) float32
        From `detect`.
    quality : (n,) float32
        Decides between duplicates.
    """
    p = parameters
    x, y, angle, kind = np.ascontiguousarray(found.T.astype(np.float64))
    keep = np.empty(len(found), np.uint8)
    order = np.argsort(-quality, kind="stable")
    reject(x, y, angle, kind, order, p.gap, _FACING, p.opposite, _OPPOSED, p.duplicate, keep)
    return keep.astype(np.bool_)
