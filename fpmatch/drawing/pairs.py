"""`draw_pairs`: two prints side by side, with the minutiae that a score rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_flag, check_text, quoted
from fpmatch.drawing.legend import FIVE_MM, Entry, legend
from fpmatch.drawing.moving import moved
from fpmatch.drawing.numbers import numbered
from fpmatch.drawing.palette import BLACK, FRAME, GREY, PAIRS, WHITE
from fpmatch.drawing.panel import Marks, Panel, panel_of
from fpmatch.drawing.picture import Drawing
from fpmatch.drawing.prints import HEAD, LONGEST_TITLE, check_fits
from fpmatch.drawing.shapes import Path, Shape, Text
from fpmatch.errors import InputError
from fpmatch.image import FingerImage
from fpmatch.matcher import Score
from fpmatch.template import Template
from fpmatch.types import Minutia, MinutiaType, Pairing

GAP = 24.0
"""Between the two prints, pixels."""
Pairs = Sequence[Sequence[int]] | NDArray[np.int64] | Score | Pairing


@takes(
    image_a=(FingerImage, type(None)), template_a=(Template, type(None)),
    image_b=(FingerImage, type(None)), template_b=(Template, type(None)),
)  # fmt: skip
def draw_pairs(
    image_a: FingerImage | None,
    template_a: Template | None,
    image_b: FingerImage | None,
    template_b: Template | None,
    pairs: Pairs,
    *,
    title: str = "",
    names: tuple[str, str] = ("probe", "candidate"),
    lines: bool = False,
) -> Drawing:
    """Two prints side by side; minutiae of a pair have one number and one colour on both.

    Parameters
    ----------
    image_a, image_b : FingerImage or None
        The prints; without one its minutiae lie on blank paper.
    template_a, template_b : Template or None
        Extracted from them; their other minutiae are drawn thin and grey. May be left out where
        the pairs are those of a candidate, which bring their places.
    pairs : Score, Pairing or (P, 2) integers
        What `fpmatch.compare` gave, the pairing of a candidate, or index in the one and index in
        the other template.
    title : str
        Printed above.
    names : tuple of str
        Of the two prints.
    lines : bool
        Whether the minutiae of each pair are also joined by a line.

    Returns
    -------
    Drawing
        ``png()``, ``svg()``, ``onto(axes)`` and ``save(path)``.

    Raises
    ------
    InputError
        If the pairs name minutiae that are not there, a template is missing, a template is of an
        impression of another size than its image, or a value cannot be used.

    Examples
    --------
    >>> score = fp.compare(probe, candidate)                                  # doctest: +SKIP
    >>> fp.draw_pairs(one, probe, other, candidate, score).save("pairs.svg")  # doctest: +SKIP
    """
    check_text("title", title, longest=LONGEST_TITLE)
    check_flag("lines", lines)
    halves = halves_of(image_a, template_a, image_b, template_b, pairs, names)
    top = HEAD if title else 0.0
    shapes: list[Shape] = []
    signs: list[Shape] = []
    joined: list[NDArray[np.float64]] = []
    left = 0.0
    for half in halves:
        shapes += [moved(shape, left, top) for shape in half.ground]
        signs += [moved(shape, left, top) for shape in half.signs]
        joined.append(half.middles + np.array([left, top]))
        left += half.width + GAP
    if lines:
        shapes += _joined(joined[0], joined[1], halves[0].colors)
    width = left - GAP
    bottom = top + max(half.height for half in halves)
    under, height = legend(_entries(halves), width, bottom)
    head = [Text(title, 4, HEAD / 2, 17, BLACK, left=True, bold=True)] if title else []
    said = f"{title or ' and '.join(names)}: {len(halves[0].colors)} paired minutiae"
    return Drawing(width, bottom + height, (*head, *shapes, *signs, *under), said)


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One of two prints, with a line of words above it.

    Parameters
    ----------
    ground, signs : list of Shape
        The print, and what is drawn on it; the canvas begins with the line of words.
    middles : (P, 2) float64
        Of the paired minutiae, in order of the pairs.
    colors : tuple of str
        Of the pairs.
    kinds : frozenset of int
        Of all minutiae that are drawn.
    """

    panel: Panel
    name: str
    ground: list[Shape]
    signs: list[Shape]
    middles: NDArray[np.float64]
    colors: tuple[str, ...]
    kinds: frozenset[int]
    others: bool

    @property
    def width(self) -> float:
        """Pixels of the canvas."""
        return self.panel.width

    @property
    def height(self) -> float:
        """Pixels of the canvas."""
        return HEAD + self.panel.height

    def alone(self) -> Drawing:
        """This print by itself, with its legend."""
        under, height = legend(_entries((self,)), self.width, self.height)
        said = f"{self.name}: {len(self.colors)} paired minutiae"
        return Drawing(self.width, self.height + height, (*self.ground, *self.signs, *under), said)


def halves_of(
    image_a: FingerImage | None,
    template_a: Template | None,
    image_b: FingerImage | None,
    template_b: Template | None,
    pairs: Pairs,
    names: tuple[str, str],
) -> tuple[Half, Half]:
    """The two prints of `draw_pairs`, each by itself.

    Parameters
    ----------
    image_a, template_a, image_b, template_b, pairs
        As there.
    names : tuple of str
        Of the two prints.

    Raises
    ------
    InputError
        As there.
    """
    if not isinstance(names, tuple) or len(names) != 2:
        raise InputError(f"names must be two names, not {quoted(names)}")
    for name in names:
        check_text("names", name, longest=LONGEST_TITLE)
    sides = _sides(image_a, template_a, image_b, template_b, pairs)
    panels = [panel_of(image, size, [marks, rest]) for image, size, marks, rest in sides]
    # Both at one scale: else distances could not be compared by eye.
    scale = min(panel.scale for panel in panels)
    one, other = (
        _half(replace(panel, scale=scale), side, name)
        for panel, side, name in zip(panels, sides, names, strict=True)
    )
    return one, other


def _half(panel: Panel, side: Side, name: str) -> Half:
    _, _, marks, rest = side
    colors = tuple(PAIRS[n % len(PAIRS)] for n in range(len(marks.xy)))
    numbers = [str(n) for n in range(1, len(colors) + 1)]
    said = f"{name}: {len(marks.xy)} paired"
    said += f" of {len(marks.xy) + len(rest.xy)} minutiae" if len(rest.xy) else " minutiae"
    signs = panel.strokes(rest, GREY, faint=True)
    signs += panel.strokes(marks, colors)
    signs += numbered(panel, marks, numbers, colors)
    return Half(
        panel,
        name,
        [moved(shape, 0, HEAD) for shape in panel.ground()],
        [Text(said, 4, HEAD / 2, 15, BLACK, left=True), *(moved(s, 0, HEAD) for s in signs)],
        panel.places(marks) + np.array([0, HEAD]),
        colors,
        frozenset(int(kind) for kind in (*marks.kind, *rest.kind)),
        len(rest.xy) > 0,
    )


Side = tuple[FingerImage | None, tuple[int, int], Marks, Marks]
"""Image, size of the impression, paired minutiae, the others."""


def _sides(
    image_a: FingerImage | None,
    template_a: Template | None,
    image_b: FingerImage | None,
    template_b: Template | None,
    pairs: Pairs,
) -> tuple[Side, Side]:
    if isinstance(pairs, Pairing):
        told = pairs.pairs
        one = _told(image_a, template_a, pairs.probe_size, [p for p, _ in told])
        return one, _told(image_b, template_b, pairs.record_size, [r for _, r in told])
    if template_a is None or template_b is None:
        raise InputError("without a template only the pairing of a candidate can be drawn")
    rows = _rows(pairs, template_a, template_b)
    return _side(image_a, template_a, rows[:, 0]), _side(image_b, template_b, rows[:, 1])


def _side(image: FingerImage | None, template: Template, which: NDArray[np.int64]) -> Side:
    check_fits(image, template)
    every = Marks.of(template)
    rest = np.setdiff1d(np.arange(len(template)), which)
    return image, (template.width, template.height), _of(every, which), _of(every, rest)


def _told(
    image: FingerImage | None,
    template: Template | None,
    size: tuple[int, int],
    minutiae: list[Minutia],
) -> Side:
    """A side of a candidate's pairing, with the other minutiae where a template has them."""
    if template is not None:
        which = np.array([m.index for m in minutiae], np.int64)
        if (template.width, template.height) != size or (which >= len(template)).any():
            raise InputError("the template is not the one that these minutiae were paired in")
        return _side(image, template, which)
    if image is not None and image.pixels.shape != (size[1], size[0]):
        raise InputError("the image is not of the impression that these minutiae were paired in")
    marks = Marks(
        np.array([[m.x, m.y] for m in minutiae], np.float64).reshape(-1, 2),
        np.radians([m.angle for m in minutiae]),
        np.array([int(m.kind) for m in minutiae], np.int64),
    )
    return image, size, marks, _of(marks, np.zeros(0, np.int64))


def _rows(pairs: Any, a: Template, b: Template) -> NDArray[np.int64]:
    try:
        rows = np.asarray(pairs.pairs if isinstance(pairs, Score) else pairs)
        rows = rows.reshape(-1, 2) if not rows.size else rows
    except (ValueError, TypeError) as error:
        raise InputError("pairs must be pairs of indices") from error
    if rows.size and (rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu"):
        raise InputError("pairs must be pairs of indices")
    rows = rows.astype(np.int64)
    if len(rows) and (rows.min() < 0 or (rows.max(axis=0) >= (len(a), len(b))).any()):
        raise InputError("the pairs name minutiae that the templates do not have")
    return rows


def _of(marks: Marks, which: NDArray[np.int64]) -> Marks:
    return Marks(marks.xy[which], marks.angle[which], marks.kind[which])


def _joined(
    one: NDArray[np.float64], other: NDArray[np.float64], colors: Sequence[str]
) -> list[Shape]:
    ends = [
        ((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))
        for a, b in zip(one, other, strict=True)
    ]
    outlines: list[Shape] = [Path(points, WHITE, 2.6) for points in ends]
    return outlines + [Path(p, color, 1.0) for p, color in zip(ends, colors, strict=True)]


def _entries(halves: Sequence[Half]) -> list[Entry]:
    kinds = frozenset().union(*(half.kinds for half in halves))
    entries = [
        Entry(kind.name.lower(), BLACK, int(kind))
        for kind in (MinutiaType.ENDING, MinutiaType.BIFURCATION, MinutiaType.OTHER)
        if int(kind) in kinds
    ]
    if any(half.others for half in halves):
        entries.append(Entry("not paired", FRAME, int(MinutiaType.ENDING)))
    entries.append(Entry("one number and colour: one pair"))
    entries.append(Entry("5 mm", kind=None, length=FIVE_MM * halves[0].panel.scale))
    return entries
