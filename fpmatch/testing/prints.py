"""Prints made from a name: the same minutiae on every machine and in every version of NumPy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer, check_text, quoted
from fpmatch.errors import InputError
from fpmatch.finger import FingerPosition
from fpmatch.reference import ReferenceForm, compare, encode
from fpmatch.template import Template

T = TypeVar("T")
SIDE = (2400, 2880)
"""Width and height of a print's image, eighths of a pixel."""
MARGIN = 240
"""Minutiae keep this far from the border, so that a turned touch stays inside; eighths."""
APART = 72
"""Least distance of two minutiae of a finger, eighths of a pixel: nine pixels, a ridge's width."""
TURN, SHIFT, JITTER, LOST = 0.12, 80, 6, 8
"""A touch is turned by at most so many radians, shifted and its minutiae moved by at most so many
eighths, and misses one minutia in so many."""


class Numbers:
    """Whole numbers drawn from a name; no generator whose stream a new version may change.

    Parameters
    ----------
    *name : object
        What they are drawn for.
    """

    def __init__(self, *name: object) -> None:
        self._name = "\x00".join(str(part) for part in name)
        self._block = 0
        self._left = b""

    def below(self, limit: int) -> int:
        """The next number, from 0 to one less than the limit (at most 2**32)."""
        if len(self._left) < 8:
            text = f"fpmatch.testing\x00{self._name}\x00{self._block}"
            self._left = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(1024)
            self._block += 1
        number, self._left = int.from_bytes(self._left[:8], "big"), self._left[8:]
        return number * limit >> 64

    def within(self, most: int) -> int:
        """The next number, from -most to most."""
        return self.below(2 * most + 1) - most

    def one_of(self, choices: Sequence[T]) -> T:
        """The next choice."""
        return choices[self.below(len(choices))]


def print_of(
    person: int | str,
    touch: int = 0,
    position: FingerPosition = FingerPosition.RIGHT_INDEX,
    *,
    minutiae: int = 28,
) -> Template:
    """One touch of a made-up person's finger.

    Touches of one finger resemble each other: turned, shifted, distorted a little, some minutiae
    missing and others added. By the reference they score above 60, other fingers below 40.

    Parameters
    ----------
    person : int or str
        Any number or label: each is another person.
    touch : int
        0 is the finger itself; each number another touch of it, up to 10**6.
    position : FingerPosition
        Which finger of the person.
    minutiae : int
        Of the finger, 8 to 100; touches have a few more or less.

    Raises
    ------
    InputError
        If a value is of another type or out of range.
    """
    if isinstance(person, bool) or not isinstance(person, int | str):
        raise InputError(f"person must be a number or a label, not {quoted(person)}")
    if isinstance(person, str):
        check_text("person", person)
    else:
        check_integer("person", person, -(2**63), 2**63 - 1)
    if not isinstance(position, FingerPosition):
        raise InputError(f"position must be a FingerPosition, not {quoted(position)}")
    number = check_integer("touch", touch, 0, 10**6)
    return _print(str(person), number, position, check_integer("minutiae", minutiae, 8, 100))


@lru_cache(maxsize=8192)
def _print(person: str, touch: int, position: FingerPosition, minutiae: int) -> Template:
    points = _finger(person, int(position), minutiae)
    if touch:
        points = _touched(points, Numbers("touch", person, int(position), touch))
    array = np.array(points, np.int64).reshape(-1, 3)
    return Template(
        xy=array[:, :2].astype(np.uint16),
        angle=(array[:, 2] % 65536).astype(np.uint16),
        kind=np.ones(len(array), np.uint8),
        quality=np.full(len(array), 60, np.uint8),
        width=SIDE[0] // 8,
        height=SIDE[1] // 8,
        position=position,
        extractor="fpmatch.testing",
    )


def _finger(person: str, position: int, minutiae: int) -> list[tuple[int, int, int]]:
    """x, y in eighths of a pixel and angle in 65536ths of a turn of each minutia."""
    numbers = Numbers("finger", person, position)
    points: list[tuple[int, int, int]] = []
    for _ in range(100 * minutiae):
        x = MARGIN + numbers.below(SIDE[0] - 2 * MARGIN)
        y = MARGIN + numbers.below(SIDE[1] - 2 * MARGIN)
        angle = numbers.below(65536)
        if all((x - a) ** 2 + (y - b) ** 2 >= APART**2 for a, b, _ in points):
            points.append((x, y, angle))
        if len(points) == minutiae:
            break
    return points


def _touched(points: list[tuple[int, int, int]], numbers: Numbers) -> list[tuple[int, int, int]]:
    """The finger as another touch shows it."""
    turn = numbers.within(1000) / 1000 * TURN
    across, down = numbers.within(SHIFT), numbers.within(SHIFT)
    middle_x, middle_y = SIDE[0] / 2, SIDE[1] / 2
    out = []
    for x, y, angle in points:
        lost = numbers.below(LOST) == 0
        at_x = (x - middle_x) * math.cos(turn) - (y - middle_y) * math.sin(turn) + middle_x
        at_y = (x - middle_x) * math.sin(turn) + (y - middle_y) * math.cos(turn) + middle_y
        new_x = round(at_x) + across + numbers.within(JITTER)
        new_y = round(at_y) + down + numbers.within(JITTER)
        new_angle = angle + round(turn * 65536 / math.tau) + numbers.within(800)
        if not lost and 0 <= new_x < SIDE[0] and 0 <= new_y < SIDE[1]:
            out.append((new_x, new_y, new_angle))
    for _ in range(len(points) // 16):
        out.append((numbers.below(SIDE[0]), numbers.below(SIDE[1]), numbers.below(65536)))
    return out


@takes(count=int)
def mates(
    count: int, touches: int = 2, position: FingerPosition = FingerPosition.RIGHT_INDEX
) -> list[tuple[Template, ...]]:
    """Touches of the fingers of persons 0 to count - 1: those of one tuple are of one finger.

    Parameters
    ----------
    count : int
        Persons, 1 to 10 000.
    touches : int
        Of each, 1 to 100.
    position : FingerPosition
        Which finger.

    Raises
    ------
    InputError
        If a value is out of range.
    """
    persons = check_integer("count", count, 1, 10_000)
    each = check_integer("touches", touches, 1, 100)
    return [tuple(print_of(p, t, position) for t in range(each)) for p in range(persons)]


@takes(probe=Template, candidate=Template)
def score(probe: Template, candidate: Template) -> float:
    """The reference's score of two prints, -10*log10 of the false match rate; computed once."""
    return _score(probe, candidate)


@lru_cache(maxsize=65536)
def _score(probe: Template, candidate: Template) -> float:
    return compare(_form(probe), _form(candidate)).value


@lru_cache(maxsize=8192)
def _form(template: Template) -> ReferenceForm:
    return encode(template)


def bytes_of(template: Template) -> tuple[bytes, ...]:
    """What no answer, message or file may hold of a print that is not to be seen.

    Pieces of its stored form that other prints have not, and its coordinates.
    """
    whole, nobody = template.to_bytes(), print_of("nobody").to_bytes()
    pieces = [whole[i : i + 16] for i in range(0, len(whole) - 16, 16)]
    arrays: tuple[NDArray[np.uint16], ...] = (template.xy, template.angle)
    return tuple(p for p in [*pieces, *(a.tobytes()[:24] for a in arrays)] if p not in nobody)
