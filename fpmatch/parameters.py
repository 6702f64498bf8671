"""Every tuned number of fpmatch, with its unit and source.

One frozen dataclass a room. `digest` hashes any of them: templates, indexes and results carry
the hash of the parameters that shaped them, so that what was made differently is never mixed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageParameters:
    """Reading and scaling of images."""

    ppi: float = 500.0
    """Working resolution, pixels per inch (ISO/IEC 19794-4, level 31)."""
    min_ppi: float = 96.0
    """Lowest resolution accepted; below it a ridge period is under two pixels."""
    max_ppi: float = 4800.0
    """Highest resolution accepted."""
    max_pixels: int = 64_000_000
    """Largest image decoded, pixels: a guard against decompression bombs."""
    min_side: int = 48
    """Smallest side after resampling, pixels at 500 ppi: about five ridges."""
    exact_tolerance: float = 0.005
    """Relative difference to 500 ppi that is taken as 500 (0.5 %, 1 px in 200)."""


@dataclass(frozen=True, slots=True)
class TemplateParameters:
    """The stored form."""

    subpixel: int = 8
    """Units a pixel in `Template.xy`."""
    turn: int = 65536
    """Units a turn in `Template.angle`."""
    orientation_cell: int = 16
    """Side of an orientation cell, pixels at 500 ppi."""
    max_minutiae: int = 255
    """Most minutiae kept, best quality first (the limit of ISO/IEC 19794-2)."""


IMAGE = ImageParameters()
TEMPLATE = TemplateParameters()


def digest(*sections: Any) -> str:
    """SHA-256 over the given parameter sections, as 16 hexadecimal digits."""
    payload = [[type(s).__name__, dataclasses.asdict(s)] for s in sections]
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
