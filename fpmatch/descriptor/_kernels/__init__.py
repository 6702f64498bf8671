"""Kernels of the descriptor: cylinder codes, orientation texture, sketches."""

from fpmatch.descriptor._kernels.cells import PADDED, WEIGHT_BITS, padded
from fpmatch.descriptor._kernels.cylinder import FormTables
from fpmatch.descriptor._kernels.forms import Columns, Given, search_forms
from fpmatch.descriptor._kernels.projecting import MANY, ROOT, SHIFT, SIGN, SKETCH_BITS
from fpmatch.descriptor._kernels.sketch import (
    FOURS,
    SketchTables,
    see_minutiae,
    sketch_minutiae,
)
from fpmatch.descriptor._kernels.texture import TextureTables

__all__ = [
    "FOURS",
    "MANY",
    "PADDED",
    "ROOT",
    "SHIFT",
    "SIGN",
    "SKETCH_BITS",
    "WEIGHT_BITS",
    "Columns",
    "FormTables",
    "Given",
    "SketchTables",
    "TextureTables",
    "padded",
    "search_forms",
    "see_minutiae",
    "sketch_minutiae",
]
