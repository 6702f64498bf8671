"""Minutiae extraction: `FingerImage` -> `Minutiae`."""

from fpmatch.minutiae.extract import DEFAULT, EXTRACTORS, extract_minutiae
from fpmatch.minutiae.minutiae import Minutiae

__all__ = ["DEFAULT", "EXTRACTORS", "Minutiae", "extract_minutiae"]
