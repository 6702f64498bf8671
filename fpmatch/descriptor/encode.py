"""Template -> search form."""

from __future__ import annotations

import numpy as np

from fpmatch.argument_types import takes
from fpmatch.descriptor._kernels import cylinder_codes, texture_bits
from fpmatch.descriptor.search_template import SearchTemplate
from fpmatch.descriptor.tables import code_tables, texture_tables
from fpmatch.parameters import DESCRIPTOR
from fpmatch.template import Template


@takes(template=Template)
def encode(template: Template) -> SearchTemplate:
    """Compute the search form of a template.

    Every minutia gets a fixed-weight code of its neighbourhood (minutia cylinder code; Cappelli,
    Ferrara, Maltoni 2010, here with the 32 largest of 312 cells set instead of a threshold) and
    the signs of the ridge orientation around it (after Baig, Huqqani, Khurshid 2018). A minutia
    without neighbours enough to fill a code is left out. If the template has more minutiae than
    `DESCRIPTOR.max_minutiae`, those of best quality are used.

    Integer arithmetic only: the result is the same on every machine. About 0.2 ms for 40
    minutiae; safe to call from several threads.
    """
    keep = np.arange(len(template))
    if len(keep) > DESCRIPTOR.max_minutiae:
        best = np.argsort(-template.quality.astype(np.int16), kind="stable")
        keep = np.sort(best[: DESCRIPTOR.max_minutiae])
    x = template.xy[keep, 0].astype(np.int32)
    y = template.xy[keep, 1].astype(np.int32)
    angle = template.angle[keep].astype(np.int32)
    tables = code_tables()
    codes = np.zeros((len(x), tables.words), np.uint64)
    usable = np.zeros(len(x), np.bool_)
    work = np.empty((5, max(8 * len(tables.number), 256)), np.int32)
    cylinder_codes(x, y, angle, tables, work, codes, usable)
    texture = np.zeros((len(x), 3), np.uint64)
    field = template.orientation
    if field is not None:
        around = texture_tables()
        border = 2 * around.margin
        vectors = np.zeros((field.shape[0] + border, field.shape[1] + border, 4), np.int32)
        texture_bits(x, y, angle, field, around, vectors, texture)
    turn = (((angle + 128) >> 8) & 255).astype(np.uint8)
    order = np.argsort(turn, kind="stable")
    order = order[usable[order]]
    return SearchTemplate(
        codes=codes[order],
        texture=texture[order],
        x=template.xy[keep[order], 0],
        y=template.xy[keep[order], 1],
        angle=turn[order],
        quality=template.quality[keep[order]],
        source=keep[order].astype(np.uint8),
    )
