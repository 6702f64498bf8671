"""Templates: the stored form of one impression."""

from fpmatch.template.build import extract, quantise
from fpmatch.template.template import QUALITY_UNKNOWN, Template

__all__ = ["QUALITY_UNKNOWN", "Template", "extract", "quantise"]
