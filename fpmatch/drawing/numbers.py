"""Numbers beside marks, each on a small white ground, with a line to its mark where it is far."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fpmatch.argument_types import listed, takes
from fpmatch.drawing.labels import Area, place_labels
from fpmatch.drawing.palette import WHITE
from fpmatch.drawing.panel import Marks, Panel
from fpmatch.drawing.shapes import Box, Path, Shape, Text

_SIZE = 12.0
_EM = 0.62
"""Width of a figure, of its height."""


@takes(panel=Panel, marks=Marks, texts=listed("str"))
def numbered(
    panel: Panel, marks: Marks, texts: Sequence[str], color: str | Sequence[str]
) -> list[Shape]:
    """The labels of marks, clear of each other and of the marks.

    Parameters
    ----------
    panel : Panel
        Where the marks lie.
    marks : Marks
        What is labelled.
    texts : list of str
        One for each.
    color : str or sequence of str
        One for all, or one for each.
    """
    size = _SIZE * (1 + min(panel.scale, 2.0)) / 2
    colors = [color] * len(texts) if isinstance(color, str) else list(color)
    anchors = panel.places(marks)
    areas = place_labels(
        anchors,
        marks.angle + math.pi,
        [(_EM * size * len(t) + 5, size + 4) for t in texts],
        panel.radius + 2,
        (panel.width, panel.height),
        _strokes(panel, marks),
    )
    lines: list[Shape] = []
    grounds: list[Shape] = []
    for text, one, area, (x, y) in zip(texts, colors, areas, anchors, strict=True):
        lines += _leader(area, float(x), float(y), panel, one)
        corner = area.x - area.across, area.y - area.down
        ground = Box(*corner, 2 * area.across, 2 * area.down, WHITE, one, 1.0)
        grounds += [ground, Text(text, area.x, area.y, size, one)]
    return [*lines, *grounds]


def _strokes(panel: Panel, marks: Marks) -> list[Area]:
    """The strokes of marks as small squares along them."""
    way = np.stack([np.cos(marks.angle), np.sin(marks.angle)], axis=1)
    middles = [panel.places(marks) + (panel.radius + panel.stroke * s) * way for s in (0.3, 0.8)]
    half = panel.stroke / 5
    return [Area(float(x), float(y), half, half) for x, y in np.concatenate(middles)]


def _leader(area: Area, x: float, y: float, panel: Panel, color: str) -> list[Shape]:
    """From the edge of a mark to its label, where another could be nearer."""
    near = np.clip(
        (x, y),
        (area.x - area.across, area.y - area.down),
        (area.x + area.across, area.y + area.down),
    )
    dx, dy = float(near[0]) - x, float(near[1]) - y
    far = math.hypot(dx, dy)
    if far <= panel.radius + 6:
        return []
    share = panel.radius / far
    points = ((x + dx * share, y + dy * share), (float(near[0]), float(near[1])))
    return [Path(points, WHITE, 3.0), Path(points, color, 1.2)]
