"""Slaps: the fingers of a hand pressed down together, with the truth of where each lies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_flag, check_integer, check_number
from fpmatch.errors import InputError
from fpmatch.finger import SLAPS, FingerPosition
from fpmatch.synthetic.noise import smooth_noise, stream
from fpmatch.synthetic.touch import Print

_LAYING = 6
_DROP = {2: 120.0, 3: 0.0, 4: 55.0, 5: 260.0}
"""How much lower than the middle finger's each tip lies, pixels; thumbs lie level."""
_SIZE = {2: 0.96, 3: 1.0, 4: 0.97, 5: 0.84}
"""Size of a finger as a share of the middle one's."""
_CREASE, _PHALANX = 16, (0.84, 0.95)
"""Pixels between two phalanges; sides of the second as shares of the first one's width."""
_PERIOD, _PAPER, _MARGIN = 10.0, 252.0, 60


@dataclass(frozen=True, slots=True)
class SlapTruth:
    """Where one finger lies in a synthetic slap.

    Parameters
    ----------
    position : FingerPosition
    corners : tuple of (float, float)
        Of the box round the first phalanx, x and y in pixels: top left, top right, bottom right
        and bottom left of the finger itself.
    angle : float
        How far it is turned, radians, clockwise on the screen.
    """

    position: FingerPosition
    corners: tuple[tuple[float, float], ...]
    angle: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slap:
    """Several fingers in one picture.

    Parameters
    ----------
    pixels : (H, W) uint8
        500 ppi, ridges dark.
    position : int
        13, 14 or 15.
    fingers : tuple of SlapTruth
        From left to right.
    """

    pixels: NDArray[np.uint8]
    position: int
    fingers: tuple[SlapTruth, ...]


@takes(prints=Mapping)
def slap(
    prints: Mapping[FingerPosition, Print],
    position: int,
    *,
    tilt: float = 0.0,
    gap: float = 40.0,
    fan: float = 0.06,
    phalanges: bool = True,
    noise: float = 2.0,
    seed: int = 0,
) -> Slap:
    """Lay single prints side by side as a hand does.

    Parameters
    ----------
    prints : mapping of FingerPosition to Print
        A print for each finger that is there, upright or nearly so; those that are left out are
        missing, and leave their place empty.
    position : int
        13 (right four fingers), 14 (left four fingers) or 15 (thumbs).
    tilt : float
        Of the whole hand, radians, clockwise, -1.6 to 1.6.
    gap : float
        Pixels between the prints of two neighbours, -80 to 400; under 0 they overlap.
    fan : float
        Radians between the directions of two neighbours, -0.3 to 0.3.
    phalanges : bool
        Whether the second phalanges touch too.
    noise : float
        Standard deviation of the sensor's own noise, gray levels, 0 to 64.
    seed : int
        Of that noise.

    Returns
    -------
    Slap

    Raises
    ------
    InputError
        If there is no print, one is of a finger that the slap does not show, or a value is out of
        range.
    """
    code = check_integer("position", position, 0, 99)
    if code not in SLAPS:
        raise InputError(f"position {code} is no slap: {', '.join(map(str, SLAPS))}")
    tilt, gap = check_number("tilt", tilt, -1.6, 1.6), check_number("gap", gap, -80, 400)
    fan, noise = check_number("fan", fan, -0.3, 0.3), check_number("noise", noise, 0, 64)
    check_flag("phalanges", phalanges)
    if not prints or any(key not in SLAPS[code] for key in prints):
        raise InputError(f"prints must be of {', '.join(p.name for p in SLAPS[code])}")
    if not all(isinstance(one, Print) for one in prints.values()):
        raise InputError("prints must be of type Print, as impression gives them")
    rng = stream(seed, _LAYING, code)
    parts = {p: _part(one, phalanges, rng) for p, one in prints.items()}
    frames = _frames(SLAPS[code], parts, gap, fan, tilt)
    ends = np.concatenate([_through(frames[p], _corners(parts[p])) for p in parts])
    low = ends.min(axis=0) - _MARGIN
    width, height = (int(n) for n in np.ceil(ends.max(axis=0) + _MARGIN - low))
    canvas = np.full((height, width), _PAPER, np.float32)
    truth = []
    for finger in SLAPS[code]:
        if finger not in parts:
            continue
        frame = frames[finger].copy()
        frame[:, 2] -= low
        drawn = cv2.warpAffine(
            parts[finger].pixels, frame, (width, height),
            flags=cv2.INTER_CUBIC, borderValue=_PAPER,
        )  # fmt: skip
        canvas = np.minimum(canvas, drawn)
        tip = _through(frame, _corners(parts[finger], first=True))
        corners = tuple((float(x), float(y)) for x, y in tip)
        truth.append(SlapTruth(finger, corners, math.atan2(frame[1, 0], frame[0, 0])))
    canvas += rng.normal(0, noise, canvas.shape).astype(np.float32) if noise else np.float32(0)
    return Slap(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), code, tuple(truth))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A finger by itself: its pixels, the box of its first phalanx and the end of its last."""

    pixels: NDArray[np.float32]
    box: tuple[float, float, float, float]
    end: float


def _part(one: Print, phalanges: bool, rng: np.random.Generator) -> _Part:
    rows, columns = np.flatnonzero(one.mask.any(axis=1)), np.flatnonzero(one.mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = one.pixels[top:bottom, left:right].astype(np.float32)
    inside = cv2.dilate(one.mask[top:bottom, left:right].astype(np.uint8), np.ones((5, 5)))
    pixels = np.where(inside > 0, cut, np.float32(_PAPER))
    height, width = pixels.shape
    if phalanges:
        below = np.full((_CREASE, width), _PAPER, np.float32)
        pixels = np.vstack((pixels, below, _second(width, rng)))
    return _Part(np.ascontiguousarray(pixels), (0, 0, width, height), float(pixels.shape[0]))


def _second(width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A second phalanx: ridges that run across it, fainter than those of the first."""
    height = int(_PHALANX[1] * width)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    bend = 6.0 * smooth_noise(rng, (height, width), 90.0)
    ridge = np.cos(2 * np.pi * (y + bend + 0.06 * (x - width / 2)) / _PERIOD)
    ink = np.clip(0.62 + 0.3 * smooth_noise(rng, (height, width), 30.0), 0.1, 1) * (ridge > 0)
    across = np.abs(x - width / 2) / (_PHALANX[0] * width / 2)
    along = np.abs(y - height / 2) / (height / 2)
    ink *= across**4 + along**6 < 1
    return (_PAPER - 150 * cv2.GaussianBlur(ink, (0, 0), 0.8)).astype(np.float32)


def _frames(
    shown: tuple[FingerPosition, ...],
    parts: Mapping[FingerPosition, _Part],
    gap: float,
    fan: float,
    tilt: float,
) -> dict[FingerPosition, NDArray[np.float64]]:
    """The affine map of each part into the plane of the hand; absent fingers keep their place."""
    typical = float(np.median([part.box[2] for part in parts.values()]))
    middle = (len(shown) - 1) / 2
    x, frames = 0.0, {}
    turn = _turned(tilt)
    for number, finger in enumerate(shown):
        kind = (int(finger) - 1) % 5 + 1
        size = _SIZE.get(kind, 1.0)
        part = parts.get(finger)
        width = size * (part.box[2] if part else typical)
        if part is not None:
            own = _turned(fan * (number - middle))
            foot = np.array([x + width / 2, _DROP.get(kind, 0.0)])
            # Turned about a point far down in its own direction, as fingers spread from a palm.
            held = np.array([part.box[2] / 2, part.box[3]])
            linear = turn @ own * size
            at = turn @ (foot + np.array([0.0, size * part.box[3]]))
            frames[finger] = np.column_stack((linear, at - linear @ held))
        x += width + gap
    return frames


def _turned(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _corners(part: _Part, *, first: bool = False) -> NDArray[np.float64]:
    left, top, right, bottom = part.box
    bottom = bottom if first else part.end
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _through(frame: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = points @ frame[:, :2].T + frame[:, 2]
    return out
