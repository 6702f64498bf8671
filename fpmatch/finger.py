"""Finger positions, impression kinds and minutia types, numbered as in ANSI/NIST-ITL."""

from __future__ import annotations

import enum

from fpmatch.checks import quoted
from fpmatch.errors import InputError


class FingerPosition(enum.IntEnum):
    """Friction ridge position code (ANSI/NIST-ITL table 12); 0 means "any of one to ten"."""

    UNKNOWN = 0
    RIGHT_THUMB = 1
    RIGHT_INDEX = 2
    RIGHT_MIDDLE = 3
    RIGHT_RING = 4
    RIGHT_LITTLE = 5
    LEFT_THUMB = 6
    LEFT_INDEX = 7
    LEFT_MIDDLE = 8
    LEFT_RING = 9
    LEFT_LITTLE = 10


def parse_position(text: str) -> FingerPosition:
    """Read a finger position: its number or its name.

    Raises
    ------
    InputError
        If there is no such position.
    """
    name = text.strip().upper().replace("-", "_").replace(" ", "_")
    try:
        return FingerPosition(int(name)) if name.isdecimal() else FingerPosition[name]
    except (ValueError, KeyError):
        names = ", ".join(p.name.lower().replace("_", "-") for p in FingerPosition)
        raise InputError(
            f"{quoted(text)} is no finger position: 0 to 10 or one of {names}"
        ) from None


class Impression(enum.IntEnum):
    """Impression type (ANSI/NIST-ITL table 7, the codes that fpmatch distinguishes)."""

    PLAIN = 0
    ROLLED = 1
    NONLIVE_PLAIN = 2
    NONLIVE_ROLLED = 3
    LATENT = 4
    SWIPE = 8
    UNKNOWN = 29


class MinutiaType(enum.IntEnum):
    """Kind of a minutia (ISO/IEC 19794-2: 00 other, 01 ending, 10 bifurcation)."""

    OTHER = 0
    ENDING = 1
    BIFURCATION = 2
