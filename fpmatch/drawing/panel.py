"""One print on its canvas: what part is shown, how large, and the marks of its minutiae."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.drawing.palette import FRAME, GREY, PAPER, WHITE
from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Shape, Text
from fpmatch.image import FingerImage
from fpmatch.parameters import TEMPLATE
from fpmatch.template import Template
from fpmatch.types import MinutiaType

Points = tuple[tuple[float, float], tuple[float, float]]
LARGE = 800
"""Pixels at 500 ppi, 4 cm: a picture with a longer side is cut to where its minutiae lie."""
MARGIN = 80
"""Pixels at 500 ppi that are shown around the outermost minutia then."""
WIDE = 620.0
"""Pixels of the canvas that a print is enlarged to, where it is smaller."""
MOST = 3.0
LARGEST = 3600.0
"""Most enlargement; and the longest side, beyond which a print is made smaller."""
RADIUS = 5.0
STROKE = 14.0
"""Radius and stroke of a mark, pixels of the canvas for each half of an enlargement beyond one."""


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Minutiae that are to be drawn.

    Parameters
    ----------
    xy : (N, 2) float64
        Pixels at 500 ppi.
    angle : (N,) float64
        Radians, clockwise on the screen.
    kind : (N,) int64
        `MinutiaType`.
    """

    xy: NDArray[np.float64]
    angle: NDArray[np.float64]
    kind: NDArray[np.int64]

    @classmethod
    @takes(template=Template)
    def of(cls, template: Template) -> Marks:
        """All minutiae of a template."""
        return cls(
            template.xy.astype(np.float64) / TEMPLATE.subpixel,
            template.angle.astype(np.float64) * (2 * math.pi / TEMPLATE.turn),
            template.kind.astype(np.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A print, or the blank place where it would lie, at a scale.

    Parameters
    ----------
    pixels : (H, W) uint8 or None
        The part of the image that is shown.
    left, top : float
        Of that part, pixels at 500 ppi.
    across, down : float
        Its sides, pixels at 500 ppi.
    scale : float
        Pixels of the canvas to one at 500 ppi.
    """

    pixels: NDArray[np.uint8] | None
    left: float
    top: float
    across: float
    down: float
    scale: float

    @property
    def width(self) -> float:
        """Of the panel, pixels of the canvas."""
        return self.across * self.scale

    @property
    def height(self) -> float:
        """Of the panel, pixels of the canvas."""
        return self.down * self.scale

    @property
    def pen(self) -> float:
        """Width of a stroke."""
        return 1.1 + 0.5 * min(self.scale, MOST)

    @property
    def radius(self) -> float:
        """Of a mark."""
        return RADIUS * (1 + min(self.scale, MOST)) / 2

    @property
    def stroke(self) -> float:
        """Length of the stroke of a mark."""
        return STROKE * (1 + min(self.scale, MOST)) / 2

    def places(self, marks: Marks) -> NDArray[np.float64]:
        """(N, 2) middles of marks on the canvas. Half a pixel: 0 is the middle of the first one."""
        return (marks.xy + 0.5 - (self.left, self.top)) * self.scale

    def ground(self) -> list[Shape]:
        """The print, lightened so that marks stand out from its ridges, or blank paper."""
        if self.pixels is None:
            return [
                Box(0.5, 0.5, self.width - 1, self.height - 1, PAPER, FRAME),
                Text("no image: minutiae alone", 10, 16, 13, GREY, left=True),
            ]
        light = (90 + self.pixels.astype(np.uint16) * 165 // 255).astype(np.uint8)
        return [
            Picture(light, 0, 0, self.width, self.height),
            Box(0.5, 0.5, self.width - 1, self.height - 1, edge=FRAME),
        ]

    def strokes(
        self, marks: Marks, color: str | Sequence[str], *, faint: bool = False
    ) -> list[Shape]:
        """Each minutia as a sign for its kind with a stroke in its direction, outlined in white.

        Parameters
        ----------
        marks : Marks
            Which.
        color : str or sequence of str
            One for all, or one for each.
        faint : bool
            Thin, for those that only lie there.
        """
        pen = self.pen * (0.6 if faint else 1)
        radius = self.radius * (0.75 if faint else 1)
        length = self.stroke * (0.75 if faint else 1)
        colors = [color] * len(marks.xy) if isinstance(color, str) else list(color)
        outlines: list[Shape] = []
        signs: list[Shape] = []
        rows = zip(self.places(marks), marks.angle, marks.kind, colors, strict=True)
        for (x, y), angle, kind, one in rows:
            at = float(x), float(y)
            stroke = _stroke(*at, float(angle), radius, radius + length)
            for into, ink, width in ((outlines, WHITE, pen + 2.4), (signs, one, pen)):
                into.append(sign_of(int(kind), *at, radius, ink, width))
                into.append(Path(stroke, ink, width))
        return [*outlines, *signs]


def _stroke(x: float, y: float, angle: float, first: float, last: float) -> Points:
    dx, dy = math.cos(angle), math.sin(angle)
    return (x + dx * first, y + dy * first), (x + dx * last, y + dy * last)


def sign_of(kind: int, x: float, y: float, radius: float, color: str, pen: float) -> Shape:
    """A circle for an ending, a square for a bifurcation, a triangle for any other.

    Parameters
    ----------
    kind : int
        `MinutiaType`.
    x, y : float
        Its middle, pixels of the canvas.
    radius : float
        Of the circle; the others are as large.
    color : str
        Of the stroke.
    pen : float
        Width of the stroke.
    """
    if kind == MinutiaType.ENDING:
        return Ring(x, y, radius, color, pen)
    if kind == MinutiaType.BIFURCATION:
        r = 0.9 * radius
        corners = ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r))
        return Path(corners, color, pen, closed=True)
    r = 1.15 * radius
    turns = (-math.pi / 2, math.pi / 6, 5 * math.pi / 6)
    around = tuple((x + r * math.cos(t), y + r * math.sin(t)) for t in turns)
    return Path(around, color, pen, closed=True)


@takes(marks=listed("Marks"))
def panel_of(
    image: FingerImage | None, size: tuple[int, int], marks: Sequence[Marks], wide: float = WIDE
) -> Panel:
    """The part of a print around its minutiae, at a size at which ridges can be followed.

    Parameters
    ----------
    image : FingerImage or None
        Blank paper if there is none.
    size : tuple of int
        Width and height of the impression, pixels at 500 ppi.
    marks : list of Marks
        All that has to be seen.
    wide : float
        Pixels of the canvas that it is enlarged to.
    """
    width, height = size
    box = 0, 0, width, height
    xy = np.concatenate([np.zeros((0, 2)), *(m.xy for m in marks)])
    if len(xy) and max(size) > LARGE:
        left, top = (max(int(v) - MARGIN, 0) for v in xy.min(axis=0))
        right = min(math.ceil(xy[:, 0].max()) + MARGIN, width)
        bottom = min(math.ceil(xy[:, 1].max()) + MARGIN, height)
        box = left, top, right, bottom
    left, top, right, bottom = box
    across, down = right - left, bottom - top
    scale = min(max(wide / across, 1.0), MOST, LARGEST / max(across, down))
    pixels = None
    if image is not None:
        pixels = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    return Panel(pixels, float(left), float(top), float(across), float(down), scale)
