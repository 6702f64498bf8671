"""The lines under a drawing: what its signs mean, and how long five millimetres are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpmatch.argument_types import listed, takes
from fpmatch.drawing.palette import BLACK, GREY, WHITE
from fpmatch.drawing.panel import sign_of
from fpmatch.drawing.shapes import Box, Path, Shape, Text

SIZE = 15.0
LINE = 26.0
"""Height of the letters and of a line."""
_EM = 0.56
"""Width of a letter on average, of its height."""
FIVE_MM = 500 * 5 / 25.4
"""Pixels at 500 ppi."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A sign and its meaning; `kind` None is a bar of a length, -1 no sign at all."""

    text: str
    color: str = BLACK
    kind: int | None = -1
    length: float = 0.0

    @property
    def width(self) -> float:
        """What it takes of a line, pixels."""
        sign = 0.0 if self.kind == -1 else 30.0 + self.length
        return sign + _EM * SIZE * len(self.text) + 26.0


@takes(entries=listed("Entry"), width=(int, float), top=(int, float))
def legend(entries: Sequence[Entry], width: float, top: float) -> tuple[list[Shape], float]:
    """Shapes, and the height that they take.

    Parameters
    ----------
    entries : list of Entry
        In order; those that do not fit into a line begin the next.
    width : float
        Of the canvas, pixels.
    top : float
        Where the legend begins.
    """
    shapes: list[Shape] = []
    x, y = 8.0, top + LINE / 2 + 4
    for entry in entries:
        if x > 8 and x + entry.width > width:
            x, y = 8.0, y + LINE
        at = x
        if entry.kind is None:
            bar = ((x, y), (x + entry.length, y))
            shapes += [Path(bar, BLACK, 3.0), *_ends(*bar)]
            at += entry.length + 10
        elif entry.kind >= 0:
            shapes += [
                sign_of(entry.kind, x + 8, y, 6.0, entry.color, 2.0),
                Path(((x + 14, y), (x + 24, y)), entry.color, 2.0),
            ]
            at += 30
        shapes.append(Text(entry.text, at, y, SIZE, GREY if entry.kind == -1 else BLACK, left=True))
        x += entry.width
    height = y + LINE / 2 + 4 - top
    return [Box(0, top, width, height, WHITE), *shapes], height


def _ends(one: tuple[float, float], other: tuple[float, float]) -> list[Shape]:
    return [Path(((x, y - 5), (x, y + 5)), BLACK, 2.0) for x, y in (one, other)]
