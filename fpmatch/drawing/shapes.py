"""What a drawing is made of: a few shapes at places of one canvas, in pixels from its top left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Gray levels, stretched over a rectangle.

    Parameters
    ----------
    pixels : (H, W) uint8
    x, y, width, height : float
        The rectangle.
    """

    pixels: NDArray[np.uint8]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; without colours of filling or edge there is none."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    edge: str = ""
    line: float = 1.0


@dataclass(frozen=True, slots=True)
class Path:
    """Straight strokes one after the other, round at the ends.

    Parameters
    ----------
    points : tuple of (float, float)
    color : str
    line : float
        Width.
    closed : bool
        Whether it ends where it began.
    """

    points: tuple[tuple[float, float], ...]
    color: str
    line: float
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle without a filling."""

    x: float
    y: float
    radius: float
    color: str
    line: float


@dataclass(frozen=True, slots=True)
class Text:
    """One line of words.

    Parameters
    ----------
    x, y : float
        Its middle in height, and in width its middle or its left end.
    size : float
        Height of the letters' em.
    left : bool
        Whether ``x`` is the left end.
    """

    text: str
    x: float
    y: float
    size: float
    color: str
    left: bool = False
    bold: bool = False


Shape = Picture | Box | Path | Ring | Text
