"""A template as it would be at another resolution, minutia by minutia and cell by cell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fpmatch.argument_types import takes
from fpmatch.parameters import SCALE
from fpmatch.template import Template

LARGEST = 8191
CELL = 16


@takes(template=Template)
def sizes(template: Template) -> list[Template]:
    """The template at every size that is tried and that a template can have.

    Parameters
    ----------
    template : Template
    """
    side = max(template.width, template.height)
    return [resized(template, f) for f in SCALE.factors if math.ceil(side * f) <= LARGEST]


@takes(template=Template)
def resized(template: Template, factor: float) -> Template:
    """All lengths times the factor; directions stay.

    Parameters
    ----------
    template : Template
    factor : float
        0.5 to 2.
    """
    width, height = math.ceil(template.width * factor), math.ceil(template.height * factor)
    places = [
        (min(round(x * factor), 8 * width - 1), min(round(y * factor), 8 * height - 1))
        for x, y in template.xy.tolist()
    ]
    field = template.orientation
    if field is not None:
        new = np.zeros((math.ceil(height / CELL), math.ceil(width / CELL)), np.uint8)
        for row in range(new.shape[0]):
            for column in range(new.shape[1]):
                old_row, old_column = int((row + 0.5) / factor), int((column + 0.5) / factor)
                if old_row < field.shape[0] and old_column < field.shape[1]:
                    new[row, column] = field[old_row, old_column]
        field = new
    period = template.ridge_period
    return replace(
        template,
        xy=np.array(places, np.uint16).reshape(-1, 2),
        width=width,
        height=height,
        orientation=field,
        ridge_period=None if period is None else period * factor,
    )
