"""Angles and directions of 256 units a turn, in plain NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def away(angle: NDArray[np.int64]) -> NDArray[np.int64]:
    """Size of an angle of 256 units a turn, 0 to 128.

    Parameters
    ----------
    angle : ndarray of int64
        Radians.
    """
    return np.minimum(angle % 256, -angle % 256)


def heading(dx: NDArray[np.int64], dy: NDArray[np.int64]) -> NDArray[np.int64]:
    """Directions of vectors, 256 units a turn, with the ratio of the sides rounded to 1/256.

    Parameters
    ----------
    dx : ndarray of int64
        Pixels.
    dy : ndarray of int64
        Pixels.
    """
    ax, ay = np.abs(dx), np.abs(dy)
    table = np.array([round(math.atan(k / 256) * 128 / math.pi) for k in range(257)])
    flat = table[np.where(ay <= ax, ay * 256 // np.maximum(ax, 1), 0)]
    steep = 64 - table[np.where(ay > ax, ax * 256 // np.maximum(ay, 1), 0)]
    turn = np.where(ay <= ax, flat, steep)
    turn = np.where(dx < 0, 128 - turn, turn)
    turn = np.where(dy < 0, 256 - turn, turn)
    return np.where((ax == 0) & (ay == 0), 0, turn) % 256
