"""A finished drawing: as PNG, as SVG, or on an axis of matplotlib."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from fpmatch.checks import path_of, quoted
from fpmatch.drawing import on_axes, to_png, to_svg
from fpmatch.drawing.shapes import Shape
from fpmatch.errors import InputError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drawing:
    """A picture for people, made by `draw` or `draw_pairs`; shown by notebooks as it is.

    Parameters
    ----------
    width, height : float
        Of the canvas, pixels.
    shapes : tuple of Shape
        From the bottom to the top.
    title : str
        What it shows, for those who cannot see it.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str = ""

    def png(self) -> bytes:
        """A PNG file; equal drawings give equal bytes under one release of Pillow."""
        return to_png.png(self.width, self.height, self.shapes)

    def svg(self) -> str:
        """An SVG document, the print inlined; names are escaped."""
        return to_svg.svg(self.width, self.height, self.shapes, self.title)

    def onto(self, axes: Any) -> None:
        """Draw onto an axis of matplotlib (extra ``[plot]``), in the drawing's own pixels.

        Parameters
        ----------
        axes : matplotlib.axes.Axes
            Its limits are set to the drawing, its ticks taken away.

        Raises
        ------
        InputError
            If it is no axis.
        """
        if not (hasattr(axes, "add_patch") and hasattr(axes, "imshow")):
            raise InputError(f"axes must be an axis of matplotlib, not {quoted(axes)}")
        on_axes.onto(axes, self.width, self.height, self.shapes)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file; what it is goes by its name.

        Parameters
        ----------
        path : path
            Ends in ``.png`` or ``.svg``.

        Raises
        ------
        InputError
            If it ends in anything else, or cannot be written.
        """
        target = path_of(path)
        kind = target.suffix.lower()
        if kind not in (".png", ".svg"):
            raise InputError(f"a drawing is saved as .png or .svg, not {quoted(target.suffix)}")
        data = self.png() if kind == ".png" else self.svg().encode()
        try:
            target.write_bytes(data)
        except OSError as error:
            raise InputError(f"cannot write {quoted(str(target))}: {error.strerror}") from error

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        return f"<Drawing {self.width:.0f}x{self.height:.0f}>"
