"""Shapes -> an SVG document."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape

from PIL import Image

from fpmatch.drawing.shapes import Box, Path, Picture, Ring, Shape, Text

FONT = "'DejaVu Sans', Verdana, Arial, sans-serif"


def svg(width: float, height: float, shapes: Iterable[Shape], title: str) -> str:
    """The document; see `Drawing.svg`.

    Parameters
    ----------
    width, height : float
        Of the canvas.
    shapes : iterable of Shape
        From the bottom to the top.
    title : str
        What it shows.
    """
    body = "\n".join(_element(shape) for shape in shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">\n'
        f"<title>{escape(_plain(title))}</title>\n{body}\n</svg>\n"
    )


def _element(shape: Shape) -> str:
    if isinstance(shape, Picture):
        return (
            f'<image x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" '
            f'height="{shape.height:g}" preserveAspectRatio="none" '
            f'href="data:image/png;base64,{_inlined(shape)}"/>'
        )
    if isinstance(shape, Box):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
            f'height="{shape.height:.1f}" fill="{shape.fill or "none"}" '
            f'stroke="{shape.edge or "none"}" stroke-width="{shape.line:g}"/>'
        )
    if isinstance(shape, Ring):
        return (
            f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:.1f}" fill="none" '
            f'stroke="{shape.color}" stroke-width="{shape.line:.1f}"/>'
        )
    if isinstance(shape, Path):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        kind = "polygon" if shape.closed else "polyline"
        return (
            f'<{kind} points="{points}" fill="none" stroke="{shape.color}" '
            f'stroke-width="{shape.line:.1f}" stroke-linecap="round" stroke-linejoin="round"/>'
        )
    return _words(shape)


def _words(shape: Text) -> str:
    anchor = "start" if shape.left else "middle"
    weight = ' font-weight="bold"' if shape.bold else ""
    # A third of the em under the middle is where figures and capitals stand.
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y + 0.35 * shape.size:.1f}" font-family="{FONT}" '
        f'font-size="{shape.size:.1f}" fill="{shape.color}" text-anchor="{anchor}"{weight}>'
        f"{escape(_plain(shape.text))}</text>"
    )


def _plain(text: str) -> str:
    """Without characters that no XML document may hold."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _inlined(shape: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(shape.pixels).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
