"""`TemplateRecord` <-> `Template`: from the file's units to ours and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.checks import quoted
from fpmatch.errors import FormatError, ResolutionError
from fpmatch.formats import xyt
from fpmatch.formats.fmr_layouts import BY_NAME
from fpmatch.formats.units import CM_PER_INCH, from_units, to_units
from fpmatch.formats.values import QualityBlock, TemplateRecord, View
from fpmatch.image.resolution import meant_ppi
from fpmatch.parameters import IMAGE, TEMPLATE
from fpmatch.template import QUALITY_UNKNOWN, Template
from fpmatch.types import FingerPosition, Impression, MinutiaType

_PER_CM = round(IMAGE.ppi / CM_PER_INCH)
"""500 ppi in whole pixels per centimetre, as every file writes it: 197."""

_BEST_QUALITY = 100
_NOT_COMPUTED = 254
_LATENT_CODES = (5, 6, 7)  # tracing, photograph, lift


@takes(format=str)
def turn_of(format: str) -> int:
    """Angle units a turn of a format of minutiae.

    Raises
    ------
    FormatError
        If there is no such format.
    """
    if format not in BY_NAME and format not in xyt.TURNS:
        raise FormatError(f"no format of minutiae is called {quoted(format)}")
    return BY_NAME[format].turn if format in BY_NAME else xyt.TURNS[format]


@takes(record=TemplateRecord)
def to_templates(
    record: TemplateRecord,
    *,
    position: FingerPosition | None = None,
    ppi: float | None = None,
    size: tuple[int, int] | None = None,
) -> list[Template]:
    """Every view of a record as a `Template`.

    Parameters
    ----------
    record : TemplateRecord
    position : FingerPosition, optional
        Which finger, where the file does not say or says wrong; by default the file's own, and
        UNKNOWN for codes that are no single finger.
    ppi : float, optional
        Resolution of the coordinates where the file does not say (`.xyt`: 500 by default) or says
        wrong.
    size : tuple of int, optional
        Width and height of the source image in its own pixels, where the file does not say.

    Returns
    -------
    list of Template
        Positions brought to 500 ppi; without orientation cells. Qualities that are not reported
        become 0. The image grows to hold a minutia that lies outside it. Of over 255 minutiae the
        best stay.

    Raises
    ------
    ResolutionError
        If ``ppi`` is not given and the file states none, or one outside 250 to 4800.
    TemplateError
        If the image does not fit a template.
    """
    return [_template(view, record.format, position, ppi, size) for view in record.views]


def _template(
    view: View,
    format: str,
    position: FingerPosition | None,
    ppi: float | None,
    size: tuple[int, int] | None,
) -> Template:
    scale = _scale(view, format, ppi)
    xy = view.xy.astype(np.int64)
    width, height = size or (view.width, view.height)
    if format == xyt.NAMES[0]:
        height = height or (int(xy[:, 1].max()) if len(xy) else 1)
        xy = np.column_stack((xy[:, 0], height - xy[:, 1]))
    keep = _best(view)
    units = np.rint(((xy[keep] + 0.5) * scale - 0.5) * TEMPLATE.subpixel)
    units = np.maximum(units, 0).astype(np.int64)
    shape = np.rint(np.array([width, height]) * scale).astype(np.int64)
    if len(units):
        shape = np.maximum(shape, units.max(axis=0) // TEMPLATE.subpixel + 1)
    over = np.iinfo(np.uint16).max
    kind = view.kind[keep]
    return Template(
        xy=np.minimum(units, over).astype(np.uint16),
        angle=_stretched(
            from_units(view.angle[keep], turn_of(format), opposite=format == xyt.NAMES[0]), scale
        ),
        kind=np.where(kind <= max(MinutiaType), kind, MinutiaType.OTHER).astype(np.uint8),
        quality=_reported(view)[keep],
        width=max(1, int(shape[0])),
        height=max(1, int(shape[1])),
        position=_position(view.position) if position is None else position,
        impression=impression_of(view.impression),
        image_quality=next(
            (q.value for q in view.qualities if q.value <= _BEST_QUALITY), QUALITY_UNKNOWN
        ),
    )


def _stretched(angle: NDArray[np.uint16], scale: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Directions where x and y have resolutions of their own: they lean as the picture does."""
    if scale[0] == scale[1]:
        return angle
    turn = angle.astype(np.float64) * (2 * np.pi / TEMPLATE.turn)
    leaning = np.arctan2(np.sin(turn) * scale[1], np.cos(turn) * scale[0])
    units = np.rint(leaning * (TEMPLATE.turn / (2 * np.pi))).astype(np.int64)
    return (units % TEMPLATE.turn).astype(np.uint16)


def _scale(view: View, format: str, ppi: float | None) -> NDArray[np.float64]:
    if ppi is not None:
        found = np.array([ppi, ppi], np.float64)
    elif format in xyt.NAMES:
        found = np.array([IMAGE.ppi, IMAGE.ppi])
    else:
        found = np.array(view.resolution) * CM_PER_INCH
    # The caller is believed further than a file is.
    least = IMAGE.min_recorded_ppi if ppi is None else IMAGE.min_ppi
    if not ((least <= found) & (found <= IMAGE.max_ppi)).all():
        raise ResolutionError(
            f"resolution of {found[0]:g} x {found[1]:g} ppi is outside "
            f"{least:g}..{IMAGE.max_ppi:g}; say which with ppi="
        )
    return np.array([IMAGE.ppi / meant_ppi(float(one)) for one in found])


def _best(view: View) -> NDArray[np.int64]:
    order = np.argsort(-_reported(view).astype(np.int64), kind="stable")
    return np.sort(order[: TEMPLATE.max_minutiae])


def _reported(view: View) -> NDArray[np.uint8]:
    if view.quality is None:
        return np.zeros(len(view), np.uint8)
    return np.where(view.quality <= _BEST_QUALITY, view.quality, 0).astype(np.uint8)


def _position(code: int) -> FingerPosition:
    return FingerPosition(code) if code <= max(FingerPosition) else FingerPosition.UNKNOWN


def impression_of(code: int) -> Impression:
    """An impression code as templates know it: latents of all kinds are one, others unknown."""
    if code in _LATENT_CODES:
        return Impression.LATENT
    return Impression(code) if code in set(Impression) else Impression.UNKNOWN


@takes(templates=listed(Template), format=str)
def from_templates(templates: Sequence[Template], format: str) -> TemplateRecord:
    """A record of one format that holds the templates as its views.

    Parameters
    ----------
    templates : sequence of Template
        At least one; views of one finger are numbered in order.
    format : str
        Any name of minutiae formats in `fpmatch.formats.NAMES` but ``fpt``.

    Raises
    ------
    FormatError
        If there is none, or several and the format holds one.

    Notes
    -----
    Positions become whole pixels at 500 ppi. An unknown impression type is written as a live-scan
    plain one where the format has no code for unknown (ISO/IEC 19794-2:2005, INCITS 378-2004).
    """
    if not templates:
        raise FormatError("no templates to write")
    if format in xyt.NAMES and len(templates) > 1:
        raise FormatError(f"an .xyt file holds one view, not {len(templates)}: choose one")
    counts: dict[int, int] = {}
    views = []
    for template in templates:
        number = counts.get(template.position, 0)
        counts[template.position] = number + 1
        views.append(_view(template, format, number))
    return TemplateRecord(format, tuple(views))


def _view(template: Template, format: str, number: int) -> View:
    limit = np.array([template.width, template.height]) - 1
    xy = np.minimum(np.rint(template.xy / TEMPLATE.subpixel).astype(np.int64), limit)
    angle = to_units(template.angle, turn_of(format), opposite=format == xyt.NAMES[0])
    if format in xyt.NAMES:
        if format == xyt.NAMES[0]:
            xy = np.column_stack((xy[:, 0], template.height - xy[:, 1]))
        return View(xy, angle, np.zeros(len(xy), np.uint8), template.quality)
    layout = BY_NAME[format]
    impression = int(template.impression)
    quality = template.image_quality
    if quality == QUALITY_UNKNOWN:
        quality = 0 if layout.size_in_header else _NOT_COMPUTED
    no_block = layout.representations and template.image_quality == QUALITY_UNKNOWN
    return View(
        xy, angle, template.kind, template.quality, template.width, template.height,
        (_PER_CM, _PER_CM), int(template.position),
        impression if impression <= layout.impressions else int(Impression.PLAIN),
        number, () if no_block else (QualityBlock(quality),),
    )  # fmt: skip
