"""Kernels of the descriptor: cylinder codes, orientation texture, sketches."""

from fpmatch.descriptor._kernels.cylinder import CodeTables, accumulate, cylinder_codes
from fpmatch.descriptor._kernels.sketch import (
    SKETCH_BITS,
    SketchTables,
    project,
    see_minutiae,
    sketch_minutiae,
)
from fpmatch.descriptor._kernels.texture import TextureTables, texture_bits

__all__ = [
    "SKETCH_BITS",
    "CodeTables",
    "SketchTables",
    "TextureTables",
    "accumulate",
    "cylinder_codes",
    "project",
    "see_minutiae",
    "sketch_minutiae",
    "texture_bits",
]
