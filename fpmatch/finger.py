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


PLAIN_THUMBS = {11: FingerPosition.RIGHT_THUMB, 12: FingerPosition.LEFT_THUMB}
"""Codes of thumbs that were taken plain beside a slap."""
_RIGHT, _LEFT = tuple(FingerPosition)[1:6], tuple(FingerPosition)[6:]
BOTH_THUMBS = 15
SLAPS: dict[int, tuple[FingerPosition, ...]] = {
    13: _RIGHT[1:],
    14: _LEFT[:0:-1],
    BOTH_THUMBS: (FingerPosition.LEFT_THUMB, FingerPosition.RIGHT_THUMB),
}
"""The fingers of each plain slap (ANSI/NIST-ITL 1-2011 table 8), from left to right as they lie in
the picture.

A picture shows the skin as it touched the platen, seen through the back of the hand: the palm is
down, so a right hand has its thumb, and with it the index finger, to the left of the others, a left
hand to the right, and of two thumbs laid down together the left hand's is on the left. Ten-print
cards are laid out in the same way (ANSI/NIST-ITL 1-2011, annex on the layout of cards).
"""
