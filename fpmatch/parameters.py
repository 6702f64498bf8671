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
    min_recorded_ppi: float = 250.0
    """Lowest resolution believed from a file: 72 and 96 are what software writes by default."""
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


@dataclass(frozen=True, slots=True)
class MinutiaeParameters:
    """The classical extractor. Lengths are pixels at 500 ppi (0.0508 mm).

    Values without another source were chosen on FVC2000 and FVC2002 DB1-4 B; see
    docs/extraction.md for what each is worth.
    """

    segment_sigma: float = 13 / 3
    """Blur of the gradient magnitude (GMFS; Cappelli 2023)."""
    segment_percentile: float = 95.0
    """Gradient magnitude that counts as full ridge contrast, percentile of the image."""
    segment_threshold: float = 0.2
    """Share of that contrast below which a pixel is background."""
    segment_close: int = 6
    """Radius of the closing that joins ridges into one area."""
    segment_open: int = 12
    """Radius of the opening that cuts off protrusions."""
    normalise_sigma: float = 8.0
    """Window of local mean and contrast, about one ridge period."""
    normalise_floor: float = 4.0
    """Gray levels added to the local contrast so that flat areas stay flat."""
    denoise_sigma: float = 0.6
    """Blur before gradients."""
    orientation_sigmas: tuple[float, float] = (7.0, 16.0)
    """Fine and coarse window of the structure tensor."""
    orientation_coarse_weight: float = 0.35
    """Weight of the coarse window."""
    orientation_smooth: float = 2.5
    """Blur of the combined doubled-angle field."""
    frequency_step: int = 8
    """Grid of the ridge period."""
    frequency_half: int = 24
    """Half the signature across the ridges, about 2.5 periods each way."""
    frequency_along: int = 10
    """Half the averaging along the ridges."""
    period_min: float = 5.0
    """Shortest ridge period believed."""
    period_max: float = 16.0
    """Longest ridge period believed."""
    period_smooth: float = 3.0
    """Blur of the period, grid steps."""
    gabor_across: float = 0.45
    """Gaussian across the ridges, in ridge periods."""
    gabor_along: float = 4.0
    """Gaussian along the ridges."""
    island_area: int = 30
    """Ridge pieces of fewer pixels are dropped."""
    hole_area: int = 14
    """Valley pieces of fewer pixels (pores) are filled."""
    border: float = 12.0
    """Minutiae nearer to the edge of the finger area are dropped."""
    trace: int = 16
    """Length of ridge followed from a minutia, pixels."""
    spur: int = 10
    """Shortest ridge that makes an ending."""
    fork: int = 8
    """Shortest branch that makes a bifurcation."""
    gap: float = 14.0
    """Two endings facing each other over less than this are a broken ridge."""
    opposite: float = 8.0
    """Two minutiae of opposite direction nearer than this are an artefact."""
    duplicate: float = 6.0
    """Of minutiae nearer than this only the best is kept."""
    min_area: int = 4000
    """Least area of ridge pattern, pixels (0.1 cm2); below it extraction fails."""
    min_minutiae: int = 4
    """Fewest minutiae of a template; below it extraction fails."""


IMAGE = ImageParameters()
TEMPLATE = TemplateParameters()
MINUTIAE = MinutiaeParameters()


def digest(*sections: Any) -> str:
    """SHA-256 over the given parameter sections, as 16 hexadecimal digits."""
    payload = [[type(s).__name__, dataclasses.asdict(s)] for s in sections]
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
