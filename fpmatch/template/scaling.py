"""A template as it would be at another resolution."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_number
from fpmatch.errors import InputError
from fpmatch.parameters import TEMPLATE
from fpmatch.template.template import Template

MOST_PIXELS = 8191
"""Sides of the largest template."""


@takes(template=Template)
def scaled(template: Template, factor: float) -> Template:
    """The template with all lengths multiplied, its minutiae in the same order.

    As if its image had had a resolution `factor` times lower than was stated: positions, image
    size, orientation field (the nearest cell) and ridge period change; directions do not.

    Parameters
    ----------
    template : Template
    factor : float
        0.5 to 2.

    Raises
    ------
    InputError
        If the factor is no number of this range, or the image would be larger than a template
        holds.
    """
    factor = check_number("scale", factor, 0.5, 2)
    width, height = (math.ceil(side * factor) for side in (template.width, template.height))
    if max(width, height) > MOST_PIXELS:
        raise InputError(f"scaled, it would be {width} x {height} pixels: more than {MOST_PIXELS}")
    limit = np.array([width, height]) * TEMPLATE.subpixel - 1
    period = template.ridge_period
    if period is not None:
        period *= factor
    return dataclasses.replace(
        template,
        xy=np.minimum(np.rint(template.xy * factor), limit).astype(np.uint16),
        width=width,
        height=height,
        orientation=_field(template, width, height, factor),
        ridge_period=period,
    )


def _field(template: Template, width: int, height: int, factor: float) -> NDArray[np.uint8] | None:
    """Its orientation field read at the centres of the new cells."""
    field = template.orientation
    if field is None:
        return None
    cell = TEMPLATE.orientation_cell
    rows, columns = (
        ((np.arange(-(-side // cell)) + 0.5) / factor).astype(np.int64) for side in (height, width)
    )
    inside = (rows < field.shape[0])[:, None] & (columns < field.shape[1])
    near = field[np.minimum(rows, field.shape[0] - 1)][:, np.minimum(columns, field.shape[1] - 1)]
    return np.where(inside, near, 0).astype(np.uint8)
