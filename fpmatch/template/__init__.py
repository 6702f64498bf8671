"""Templates: the stored form of one impression."""

from fpmatch.template.build import extract, quantise
from fpmatch.template.quality import ImageQuality, quality
from fpmatch.template.template import QUALITY_UNKNOWN, Template

__all__ = ["QUALITY_UNKNOWN", "ImageQuality", "Template", "extract", "quality", "quantise"]
