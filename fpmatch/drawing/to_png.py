"""Shapes -> a PNG file, drawn twice as large and made smaller, so that strokes are smooth."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from fpmatch.drawing.palette import WHITE
from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Shape

_LARGE = 6_000_000
"""Pixels of a canvas from which it is drawn at its own size: strokes are fine enough there."""


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings, so that a drawing is the same on every machine."""
    return ImageFont.load_default(size)


def png(width: float, height: float, shapes: Iterable[Shape]) -> bytes:
    """The file; see `Drawing.png`.

    Parameters
    ----------
    width, height : float
        Of the canvas.
    shapes : iterable of Shape
        From the bottom to the top.
    """
    size = round(width), round(height)
    k = 2 if size[0] * size[1] < _LARGE else 1
    canvas = Image.new("RGB", (size[0] * k, size[1] * k), WHITE)
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        _put(canvas, pen, shape, k)
    if k > 1:
        canvas = canvas.resize(size, Image.Resampling.BOX)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _put(canvas: Image.Image, pen: ImageDraw.ImageDraw, shape: Shape, k: int) -> None:
    if isinstance(shape, Picture):
        size = max(round(shape.width * k), 1), max(round(shape.height * k), 1)
        whole = Image.fromarray(shape.pixels).resize(size, Image.Resampling.BICUBIC)
        canvas.paste(whole.convert("RGB"), (round(shape.x * k), round(shape.y * k)))
    elif isinstance(shape, Box):
        pen.rectangle(
            (shape.x * k, shape.y * k, (shape.x + shape.width) * k, (shape.y + shape.height) * k),
            fill=shape.fill or None,
            outline=shape.edge or None,
            width=max(round(shape.line * k), 1),
        )
    elif isinstance(shape, Ring):
        reach = (shape.radius + shape.line / 2) * k
        pen.ellipse(
            (shape.x * k - reach, shape.y * k - reach, shape.x * k + reach, shape.y * k + reach),
            outline=shape.color,
            width=max(round(shape.line * k), 1),
        )
    elif isinstance(shape, Path):
        _stroke(pen, shape, k)
    else:
        pen.text(
            (shape.x * k, shape.y * k),
            shape.text,
            fill=shape.color,
            font=font(max(round(shape.size * k), 1)),
            anchor="lm" if shape.left else "mm",
        )


def _stroke(pen: ImageDraw.ImageDraw, shape: Path, k: int) -> None:
    points = [(x * k, y * k) for x, y in shape.points]
    if shape.closed:
        points.append(points[0])
    line = max(round(shape.line * k), 1)
    pen.line(points, fill=shape.color, width=line)
    for x, y in points:
        half = line / 2
        pen.ellipse((x - half, y - half, x + half, y + half), fill=shape.color)
