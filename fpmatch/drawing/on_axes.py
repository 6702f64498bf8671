"""Shapes -> artists on an axis of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Shape, Text


def onto(axes: Any, width: float, height: float, shapes: Iterable[Shape]) -> None:
    """Draw; see `Drawing.onto`.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    width, height : float
        Of the canvas.
    shapes : iterable of Shape
        From the bottom to the top.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    # Strokes and letters are measured in points: so many make one pixel of the drawing.
    box = axes.get_window_extent()
    share = min(box.width / width, box.height / height)
    points = share * 72 / axes.figure.dpi
    for n, shape in enumerate(shapes):
        _put(axes, shape, points, n)


def _put(axes: Any, shape: Shape, points: float, n: int) -> None:
    from matplotlib import patches

    if isinstance(shape, Picture):
        extent = (shape.x, shape.x + shape.width, shape.y + shape.height, shape.y)
        limits = axes.get_xlim(), axes.get_ylim()
        axes.imshow(
            shape.pixels, cmap="gray", vmin=0, vmax=255, extent=extent, zorder=n,
            interpolation="bilinear",
        )  # fmt: skip
        axes.set(xlim=limits[0], ylim=limits[1])
    elif isinstance(shape, Box):
        axes.add_patch(
            patches.Rectangle(
                (shape.x, shape.y), shape.width, shape.height, zorder=n,
                facecolor=shape.fill or "none", edgecolor=shape.edge or "none",
                linewidth=shape.line * points,
            )
        )  # fmt: skip
    elif isinstance(shape, Ring):
        axes.add_patch(
            patches.Circle(
                (shape.x, shape.y), shape.radius, zorder=n, facecolor="none",
                edgecolor=shape.color, linewidth=shape.line * points,
            )
        )  # fmt: skip
    elif isinstance(shape, Path):
        around = [*shape.points, shape.points[0]] if shape.closed else shape.points
        xs, ys = zip(*around, strict=True)
        axes.plot(
            xs, ys, color=shape.color, lw=shape.line * points, zorder=n,
            solid_capstyle="round", solid_joinstyle="round",
        )  # fmt: skip
    else:
        _words(axes, shape, points, n)


def _words(axes: Any, shape: Text, points: float, n: int) -> None:
    # A dollar begins a formula for matplotlib; names are no formulas.
    axes.text(
        shape.x, shape.y, shape.text, color=shape.color, fontsize=shape.size * points, zorder=n,
        ha="left" if shape.left else "center", va="center", parse_math=False,
        fontweight="bold" if shape.bold else "normal", clip_on=True,
    )  # fmt: skip
