"""Template -> its search forms at every size that is tried where its resolution is in doubt."""

from __future__ import annotations

import math

from fpmatch.argument_types import takes
from fpmatch.descriptor.encode import encode
from fpmatch.descriptor.search_template import SearchTemplate
from fpmatch.parameters import SCALE
from fpmatch.template import Template
from fpmatch.template.scaling import MOST_PIXELS, scaled

Forms = tuple[SearchTemplate, ...]
"""Search forms of one impression: that of its stated resolution alone, or one for each scale."""


@takes(template=Template)
def encode_scales(template: Template) -> Forms:
    """Search forms of a template at every size of `SCALE.factors` that a template can have.

    Parameters
    ----------
    template : Template

    Returns
    -------
    tuple of SearchTemplate
        In the order of the factors, five; fewer for one that would be larger than 8 191 pixels.
        As `encode` of each size, and each as dear.
    """
    side = max(template.width, template.height)
    sizes = [factor for factor in SCALE.factors if math.ceil(side * factor) <= MOST_PIXELS]
    return tuple(encode(scaled(template, f) if f != 1 else template) for f in sizes)
