"""`draw`: the minutiae of one print."""

from __future__ import annotations

from fpmatch.argument_types import takes
from fpmatch.checks import check_flag, check_text, quoted
from fpmatch.drawing.legend import FIVE_MM, Entry, legend
from fpmatch.drawing.moving import moved
from fpmatch.drawing.numbers import numbered
from fpmatch.drawing.palette import BLACK, BLUE, GREEN, VERMILION
from fpmatch.drawing.panel import Marks, panel_of
from fpmatch.drawing.picture import Drawing
from fpmatch.drawing.shapes import Shape, Text
from fpmatch.errors import InputError
from fpmatch.image import FingerImage
from fpmatch.template import Template
from fpmatch.types import MinutiaType

COLORS = {
    MinutiaType.ENDING: VERMILION,
    MinutiaType.BIFURCATION: BLUE,
    MinutiaType.OTHER: GREEN,
}
HEAD = 34.0
"""Height of a line of title, pixels."""
LONGEST_TITLE = 200


@takes(image=(FingerImage, type(None)), template=Template)
def draw(
    image: FingerImage | None, template: Template, *, title: str = "", numbers: bool = False
) -> Drawing:
    """The minutiae of a print: a sign for the kind, a stroke for the direction, a legend.

    Small prints are enlarged, and of a large image the part around the minutiae is shown, so that
    ridges can be followed. Signs have a white outline, and differ in form and colour.

    Parameters
    ----------
    image : FingerImage or None
        The print; without it the minutiae lie on blank paper.
    template : Template
        Extracted from it.
    title : str
        Printed above.
    numbers : bool
        Whether each minutia has its index in the template beside it.

    Returns
    -------
    Drawing
        ``png()``, ``svg()``, ``onto(axes)`` and ``save(path)``.

    Raises
    ------
    InputError
        If the template is of an impression of another size, or a value cannot be used.

    Examples
    --------
    >>> fp.draw(image, fp.extract(image)).save("minutiae.png")     # doctest: +SKIP
    """
    check_text("title", title, longest=LONGEST_TITLE)
    check_flag("numbers", numbers)
    check_fits(image, template)
    marks = Marks.of(template)
    panel = panel_of(image, (template.width, template.height), [marks])
    shapes: list[Shape] = panel.ground()
    shapes += panel.strokes(marks, [COLORS[MinutiaType(int(kind))] for kind in marks.kind])
    if numbers:
        shapes += numbered(panel, marks, [str(i) for i in range(len(template))], BLACK)
    entries = [
        Entry(f"{kind.name.lower()} ({int((marks.kind == kind).sum())})", color, int(kind))
        for kind, color in COLORS.items()
        if (marks.kind == kind).any()
    ]
    entries.append(Entry("5 mm", kind=None, length=FIVE_MM * panel.scale))
    top = HEAD if title else 0.0
    under, height = legend(entries, panel.width, top + panel.height)
    whole = [moved(shape, 0, top) for shape in shapes]
    if title:
        whole.append(Text(title, 8, top / 2, 17, BLACK, left=True, bold=True))
    return Drawing(
        panel.width,
        top + panel.height + height,
        (*whole, *under),
        title or f"{len(template)} minutiae",
    )


def check_fits(image: FingerImage | None, template: Template) -> None:
    """InputError unless a template can be of that image.

    Parameters
    ----------
    image : FingerImage or None
        At 500 ppi.
    template : Template
        Of any origin.
    """
    if image is None:
        return
    height, width = image.pixels.shape
    if (width, height) != (template.width, template.height):
        raise InputError(
            f"the template is of an impression of {template.width}x{template.height} pixels, "
            f"the image has {quoted(f'{width}x{height}')}: they do not belong together"
        )
