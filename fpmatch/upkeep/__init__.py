"""Keeping a gallery: everything checked against everything, and what is derived made anew."""

from fpmatch.upkeep.check import check
from fpmatch.upkeep.finding import Finding
from fpmatch.upkeep.repair import repair

__all__ = ["Finding", "check", "repair"]
