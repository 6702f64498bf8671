"""A plain slap -> its single fingers: found, told apart, named from left to right, and cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer, quoted
from fpmatch.errors import ExtractionError, InputError
from fpmatch.finger import BOTH_THUMBS, SLAPS, FingerPosition
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.foreign import no_foreign
from fpmatch.image.slap_columns import columns_of, regions_of
from fpmatch.image.slap_cut import Outline, SlapFinger, cut_out
from fpmatch.image.slap_map import Map, strength, tilt_of, turned
from fpmatch.image.slap_tip import Tip, tip_of
from fpmatch.parameters import SLAP

_INDEX, _MIDDLE, _LITTLE = 2, 3, 5
"""Fingers of either hand, numbered as the right one's are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """One finger of the upright hand."""

    tip: Tip
    number: int
    clear: float

    @property
    def top(self) -> int:
        return int(np.flatnonzero(self.tip.area.any(axis=1))[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Hand:
    """A slap in cells, turned upright, and its fingers from left to right."""

    ridges: Map
    owner: NDArray[np.uint8]
    angle: float
    fingers: list[_Found]


@takes(image="FingerImage")
def segment_slap(
    image: FingerImage,
    position: int,
    *,
    missing: Iterable[FingerPosition] = (),
) -> tuple[SlapFinger, ...]:
    """Cut the picture of several fingers of a hand into single fingers.

    Parameters
    ----------
    image : FingerImage
        A plain slap at 500 ppi, up to 25 million pixels; the fingers point up, or up to 45 degrees
        to either side.
    position : int
        What it shows (ANSI/NIST-ITL table 8): 13 right four fingers, 14 left four fingers, 15 both
        thumbs.
    missing : iterable of FingerPosition
        Fingers that are amputated, bandaged or not in the picture; those of the other hand, as a
        list of all ten may have them, say nothing here.

    Returns
    -------
    tuple of SlapFinger
        From left to right, one for each finger that is not missing.

    Raises
    ------
    ExtractionError
        If another number of fingers is found than expected (with what was found and where), a
        finger is as wide as two, the hand is tilted further than 45 degrees, or stands as the
        other hand does. Nothing is guessed: a wrong position would be a wrong finger.
    InputError
        If the image is no `FingerImage` or too large for a slap, the position is no slap, or no
        finger is left to be found.

    Notes
    -----
    Of a picture of the palm side laid down the right hand's fingers are index to little from left
    to right, the left hand's little to index, and the left thumb lies left of the right one. Which
    hand it is, is believed as stated unless the little finger would stand higher than the index
    finger; nothing tells two thumbs apart, or shows that a picture is upside down or mirrored.
    O(H W); memory about 12 bytes a pixel.
    """
    shown = _expected(position, missing)
    if image.pixels.size > SLAP.most_pixels:
        raise InputError(
            f"{image.pixels.shape[1]}x{image.pixels.shape[0]} pixels at 500 ppi are no slap: up to "
            f"{SLAP.most_pixels} are taken"
        )
    with no_foreign(ExtractionError):
        hand = _hand(image.pixels, len(shown))
        found = _settled(hand, shown, int(position))
        if abs(hand.angle) > math.radians(SLAP.most_tilt):
            raise ExtractionError(
                f"the hand seems tilted by more than 45 degrees ({math.degrees(hand.angle):.0f}): "
                "turn the picture upright"
            )
        _check_hand(found, shown, int(position))
        return tuple(
            _cut(image, hand, one, finger, int(position))
            for one, finger in zip(found, shown, strict=True)
        )


def _expected(position: object, missing: object) -> tuple[FingerPosition, ...]:
    code = check_integer("position", position, 0, 255)
    if code not in SLAPS:
        known = ", ".join(str(one) for one in SLAPS)
        raise InputError(f"position {code} is no plain slap of several fingers: {known}")
    absent = fingers_missing(missing)
    shown = tuple(finger for finger in SLAPS[code] if finger not in absent)
    if not shown:
        raise InputError(f"all fingers of position {code} are said to be missing")
    return shown


def fingers_missing(missing: object) -> set[int]:
    """What is said to be missing, as finger positions; InputError where it is no list of them."""
    if isinstance(missing, str | bytes) or not isinstance(missing, Iterable):
        raise InputError(f"missing must be a list of finger positions, not {quoted(missing)}")
    return {check_integer("missing", one, 1, max(FingerPosition)) for one in missing}


def _hand(pixels: NDArray[np.uint8], fingers: int) -> _Hand:
    ridges = strength(pixels)
    if not (ridges > 0).any():
        raise ExtractionError("no ridges seen: capture the slap again")
    angle = tilt_of(ridges, fingers)
    frame, size = turned(ridges.shape, angle)
    upright = cv2.warpAffine(ridges, frame, size)
    columns = columns_of(upright, fingers)
    owner, clear = regions_of(upright, columns)
    beside = (1.0, *clear, 1.0)
    found = []
    for number in range(1, len(columns) + 1):
        tip = tip_of(upright, owner == number)
        if tip is not None:
            found.append(_Found(tip, number, min(beside[number - 1 : number + 1])))
    return _Hand(ridges, owner, angle, found)


def _settled(hand: _Hand, shown: Sequence[FingerPosition], position: int) -> list[_Found]:
    """As many fingers as are expected, each of a finger's width; else an error that says why."""
    found = hand.fingers
    if len(found) == len(shown) + 1 and len(shown) > 1:
        usual = float(np.median([one.tip.width for one in found]))
        whole = [one for one in found if not _sliver(hand, one, usual)]
        found = whole if len(whole) == len(shown) else found
    if len(found) != len(shown):
        missing = "" if len(found) > len(shown) else "; missing= says which are not there"
        raise ExtractionError(
            f"{_places(hand, found)} where position {position} shows {len(shown)}{missing}"
        )
    usual = float(np.median([one.tip.width for one in found]))
    low, high = (share * usual for share in SLAP.unequal)
    odd = sum(not low <= one.tip.width <= high for one in found)
    if odd:
        raise ExtractionError(
            f"{_places(hand, found)}, of which {odd} cannot be a finger beside the others: "
            "two that touch, or none"
        )
    return found


def _check_hand(found: Sequence[_Found], shown: Sequence[FingerPosition], position: int) -> None:
    """Refuse a hand whose little finger would stand higher than its index or middle finger."""
    tips = {(int(finger) - 1) % 5 + 1: one for finger, one in zip(shown, found, strict=True)}
    little, first = tips.get(_LITTLE), tips.get(_INDEX, tips.get(_MIDDLE))
    if little is None or first is None:
        return
    usual = float(np.median([one.tip.width for one in found]))
    higher = (first.top - little.top) / usual
    if higher > SLAP.wrong_hand:
        other = next(code for code in SLAPS if code not in (position, BOTH_THUMBS))
        raise ExtractionError(
            f"the fingers stand as those of the other hand do (position {other}), "
            f"not as position {position} is stated: look which hand it is"
        )


def _sliver(hand: _Hand, one: _Found, usual: float) -> bool:
    """Whether the picture's side cuts it to a part of a finger."""
    x = _in_picture(hand, one)[:, 0]
    width = hand.ridges.shape[1]
    return one.tip.width < SLAP.sliver * usual and bool(x.min() < 1 or x.max() > width - 2)


def _in_picture(hand: _Hand, one: _Found) -> NDArray[np.float64]:
    """The cells of a finger, x and y, in cells of the picture as it is."""
    y, x = np.nonzero(one.tip.area)
    frame, _ = turned(hand.ridges.shape, hand.angle)
    out: NDArray[np.float64] = (np.column_stack((x, y)) - frame[:, 2]) @ frame[:, :2]
    return out


def _places(hand: _Hand, found: Sequence[_Found]) -> str:
    """How many, and where in the picture, for a message."""
    spots = ((_in_picture(hand, one).mean(axis=0) + 0.5) * SLAP.cell for one in found[:8])
    where = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in spots)
    return f"{len(found)} finger(s) found" + (f" at {where}" if where else "")


def _cut(
    image: FingerImage, hand: _Hand, one: _Found, finger: FingerPosition, position: int
) -> SlapFinger:
    """Its own cells and a few round them, none of a neighbour's, turned upright."""
    angle = hand.angle + one.tip.lean
    own = one.tip.area.astype(np.uint8)
    keep = cv2.dilate(own, np.ones((2 * SLAP.rim + 1, 2 * SLAP.rim + 1)))
    last = int(np.flatnonzero(own.any(axis=1))[-1])
    keep[last + 2 :] = 0
    keep[hand.owner != one.number] = 0
    frame, _ = turned(hand.ridges.shape, hand.angle)
    notes = () if one.tip.crease else ("no crease seen below the first phalanx",)
    return cut_out(
        image,
        Outline(
            points=(_in_picture(hand, one) + 0.5) * SLAP.cell - 0.5,
            reach=SLAP.cell / 2,
            angle=angle,
            keep=keep,
            frame=frame,
        ),
        finger,
        position,
        confidence=one.clear,
        notes=notes,
    )
