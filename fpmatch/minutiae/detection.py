"""Skeleton -> raw minutiae by crossing number and traced branches."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.minutiae import _kernels
from fpmatch.minutiae.orientation import OrientationField
from fpmatch.minutiae.skeleton import CROSSINGS
from fpmatch.parameters import MINUTIAE, MinutiaeParameters

_DY = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
_DX = np.array([0, 1, 1, 1, 0, -1, -1, -1])
_CAPACITY = 4096


def detect(
    skeleton: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    field: OrientationField,
    parameters: MinutiaeParameters = MINUTIAE,
) -> NDArray[np.float32]:
    """Raw minutiae of a ridge skeleton.

    Parameters
    ----------
    skeleton : ndarray of uint8
        (H, W), not 0 on ridges one pixel wide.
    mask : ndarray of uint8
        (H, W), not 0 where the finger is.
    field : OrientationField
        Ridge directions in blocks.
    parameters : MinutiaeParameters
        Thresholds and sizes; see `fpmatch.parameters`.

    Returns
    -------
    (n, 4) float32
        x, y (pixels), direction (radians in [0, 2 pi)), kind (`MinutiaType`).

    Notes
    -----
    Crossing number (Rutovitz 1966). The direction is the ridge orientation at the minutia, in
    the sense of the traced branch: the field is less noisy than sixteen pixels of skeleton.
    """
    p = parameters
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    out = np.empty((_CAPACITY, 4), np.float32)
    n = _kernels.detect(
        skeleton, CROSSINGS, _DY, _DX, np.ascontiguousarray(distance),
        p.border, p.trace, p.spur, p.fork, out,
    )  # fmt: skip
    found: NDArray[np.float32] = out[:n].copy()
    theta = field.angle_at(found[:, 0], found[:, 1])
    forward = np.cos(found[:, 2] - theta) >= 0
    found[:, 2] = np.mod(np.where(forward, theta, theta + np.pi), 2 * np.pi)
    return found
