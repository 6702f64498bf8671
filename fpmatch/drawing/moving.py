"""Shapes at another place of the canvas."""

from __future__ import annotations

from dataclasses import replace

from fpmatch.argument_types import takes
from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Shape, Text


@takes(shape=(Picture, Box, Path, Ring, Text))
def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The same shape, so far to the right and down.

    Parameters
    ----------
    shape : Shape
        Anything that is drawn.
    dx, dy : float
        Pixels.
    """
    if isinstance(shape, Path):
        return replace(shape, points=tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)
