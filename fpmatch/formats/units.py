"""Angles of the interchange formats against ours.

fpmatch: 65536 units a turn, clockwise on the screen, from an ending along its ridge. The standards
count counter-clockwise. ISO/IEC 19794-2, INCITS 378 and NIST's M1 flavour point the same way; the
other flavour of `.xyt` and the standard fields of Type-9 point the opposite way ("out and away from
the ridge": comments of NIST's mindtct, which writes both).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fpmatch.parameters import TEMPLATE

ISO_TURN = 256
"""Units a turn in ISO/IEC 19794-2: 1.40625 degrees each."""
INCITS_TURN = 180
"""Units a turn in INCITS 378 and the M1 flavour of `.xyt`: two degrees each."""
DEGREES = 360
"""Units a turn in `.xyt` and Type-9."""

CM_PER_INCH = 2.54


def from_units(angle: ArrayLike, turn: int, *, opposite: bool = False) -> NDArray[np.uint16]:
    """Counter-clockwise units -> `Template.angle`.

    Parameters
    ----------
    angle : (M,) integers
        Units of 1/``turn`` of a turn.
    turn : int
    opposite : bool
        Whether the format points away from the ridge.
    """
    half = TEMPLATE.turn // 2 if opposite else 0
    ours = half - np.rint(np.asarray(angle, np.float64) * (TEMPLATE.turn / turn)).astype(np.int64)
    return (ours % TEMPLATE.turn).astype(np.uint16)


def to_units(angle: NDArray[np.uint16], turn: int, *, opposite: bool = False) -> NDArray[np.uint16]:
    """`Template.angle` -> counter-clockwise units; undoes `from_units`.

    Parameters
    ----------
    angle : (M,) uint16
        65536 units a turn, clockwise on the screen.
    turn : int
        Units a turn of the format.
    opposite : bool
        Whether its angles point away from the ridge.
    """
    half = TEMPLATE.turn // 2 if opposite else 0
    theirs = (half - np.asarray(angle, np.int64)) % TEMPLATE.turn
    return (np.rint(theirs * (turn / TEMPLATE.turn)).astype(np.int64) % turn).astype(np.uint16)


def other_units(angle: ArrayLike, turn: int, other: int) -> NDArray[np.uint16]:
    """Units of one counter-clockwise format -> those of another.

    Parameters
    ----------
    angle : (M,) array_like of int
    turn, other : int
        Units a turn, of the one and of the other.
    """
    scaled = np.rint(np.asarray(angle, np.float64) * (other / turn)).astype(np.int64)
    return (scaled % other).astype(np.uint16)
