"""One finger out of a slap: turned upright, with nothing of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import takes
from fpmatch.checks import check_integer
from fpmatch.errors import InputError
from fpmatch.finger import SLAPS, FingerPosition
from fpmatch.image.finger_image import FingerImage
from fpmatch.image.ridges import find_ridges
from fpmatch.parameters import SLAP

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SlapFinger:
    """A single finger that was cut from a slap.

    Parameters
    ----------
    position : FingerPosition
        Which finger, by its place in the slap.
    slap : int
        Position code of the slap: 13, 14 or 15.
    corners : tuple of (float, float)
        Of the finger's box in the slap, x and y in pixels at 500 ppi: top left, top right, bottom
        right and bottom left of the finger itself; some may lie outside the picture.
    box : tuple of int
        Left, top, right and bottom of the smallest upright box of the picture that holds it, pixels
        at 500 ppi.
    rotation : float
        How far the finger is turned in the slap, radians, clockwise on the screen.
    image : FingerImage
        The cut, upright; its ``slap`` says that it is one.
    confidence : float
        How clearly it stands apart from its neighbours: 1 where nothing joins them, 0 where they
        cannot be told apart. 1 where the file says where it lies.
    stated : bool
        Whether the file says where it lies.
    notes : tuple of str
        What whoever uses it should know.
    """

    position: FingerPosition
    slap: int
    corners: tuple[Point, Point, Point, Point]
    box: tuple[int, int, int, int]
    rotation: float
    image: FingerImage
    confidence: float = 1.0
    stated: bool = False
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<SlapFinger {self.position.name} of position {self.slap}>"


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Where a finger lies in a slap.

    Parameters
    ----------
    points : (N, 2) float64
        What it holds, x and y in pixels.
    reach : float
        How far it goes on round each of them, pixels.
    angle : float
        Radians, clockwise.
    keep : (h, w) uint8 or None
        What is not blanked, in cells of the hand turned upright; None for all of the box.
    frame : (2, 3) float64
        Cells of the picture -> cells of the upright hand.
    """

    points: NDArray[np.float64]
    reach: float
    angle: float
    keep: NDArray[np.uint8] | None
    frame: NDArray[np.float64]


def cut_out(
    image: FingerImage,
    outline: Outline,
    finger: FingerPosition,
    slap: int,
    *,
    confidence: float = 1.0,
    stated: bool = False,
    notes: tuple[str, ...] = (),
) -> SlapFinger:
    """Cut a finger, and turn it upright where it is turned by more than a degree.

    Parameters
    ----------
    image : FingerImage
        The slap.
    outline : Outline
        Where it lies.
    finger : FingerPosition
        Which it is.
    slap : int
        Position code of the slap.
    confidence, stated, notes
        As in `SlapFinger`.
    """
    angle = outline.angle if abs(outline.angle) > SLAP.turn_least else 0.0
    back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    inside = outline.points @ back.T
    low, high = inside.min(axis=0) - outline.reach, inside.max(axis=0) + outline.reach
    room = SLAP.cell * SLAP.rim if outline.keep is not None else 0
    start = np.floor(low - room)
    width, height = (int(n) for n in np.ceil(high + room - start))
    into = np.column_stack((back, -start))
    paper = _paper(image.pixels)
    pixels = cv2.warpAffine(
        image.pixels, into, (width, height),
        flags=cv2.INTER_CUBIC if angle else cv2.INTER_NEAREST, borderValue=paper,
    )  # fmt: skip
    if outline.keep is not None:
        pixels = _blanked(pixels, outline, into, paper)
    box = np.array([low, [high[0], low[1]], high, [low[0], high[1]]]) @ back
    a, b, c, d = ((float(x), float(y)) for x, y in box)
    said = f"cut from a slap (position {slap})"
    cut = replace(
        image,
        pixels=pixels,
        ridges=find_ridges(pixels),
        notes=(*image.notes, said, *notes),
        slap=slap,
    )
    return SlapFinger(
        finger,
        slap,
        (a, b, c, d),
        _box(box, image.pixels.shape),
        float(angle),
        cut,
        confidence,
        stated,
        notes,
    )


def _box(corners: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    return (
        max(0, int(left)), max(0, int(top)), min(shape[1], int(right)), min(shape[0], int(bottom))
    )  # fmt: skip


@takes(image="FingerImage", outlines=Mapping)
def cut_stated(
    image: FingerImage, position: int, outlines: Mapping[FingerPosition, Sequence[Point]]
) -> tuple[SlapFinger, ...]:
    """Cut a slap where its file says that the fingers lie.

    Parameters
    ----------
    image : FingerImage
        At 500 ppi.
    position : int
        13, 14 or 15.
    outlines : mapping of FingerPosition to sequence of (float, float)
        Of each finger the corners of a box or polygon round it, x and y in pixels of ``image``.

    Returns
    -------
    tuple of SlapFinger
        From left to right.

    Raises
    ------
    InputError
        If there is none, a finger is none of the slap's, an outline is too small, lies outside the
        picture or over another one, or the fingers do not stand in a hand's order.
    """
    code = check_integer("position", position, 0, 255)
    if code not in SLAPS:
        raise InputError(f"position {code} is no plain slap of several fingers")
    if not outlines or not set(outlines) <= set(SLAPS[code]):
        said = ", ".join(str(int(one)) for one in list(outlines)[:10]) or "none"
        raise InputError(f"the fingers stated ({said}) are not those of position {code}")
    polygons = {}
    for finger in (one for one in SLAPS[code] if one in outlines):
        try:
            points = np.array(outlines[finger], np.float64)
        except (TypeError, ValueError):
            points = np.empty((0, 2))
        if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 3 or not _finite(points):
            raise InputError(f"the outline of {finger.name} has no three points")
        polygons[finger] = points
    _check(polygons, image.pixels.shape)
    out = []
    for finger, points in polygons.items():
        angle = _angle(points)
        outline = Outline(points, 0.0, angle, None, np.eye(2, 3))
        out.append(cut_out(image, outline, finger, code, stated=True))
    return tuple(out)


def _finite(points: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(points).all())


def _check(polygons: Mapping[FingerPosition, NDArray[np.float64]], shape: tuple[int, ...]) -> None:
    height, width = shape[:2]
    places: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for finger, points in polygons.items():
        low, high = points.min(axis=0), points.max(axis=0)
        if (low < -SLAP.slack).any() or (high > np.array([width, height]) + SLAP.slack).any():
            raise InputError(f"{finger.name} is stated outside the picture")
        if min(high - low) < SLAP.stated_least:
            raise InputError(f"{finger.name} is stated too small for a finger")
        for other_low, other_high in places:
            shared = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None)
            least = min(np.prod(high - low), np.prod(other_high - other_low))
            if np.prod(shared) > 0.5 * least:
                raise InputError(f"{finger.name} is stated where another finger lies")
        if places and (low + high)[0] <= (places[-1][0] + places[-1][1])[0]:
            raise InputError("the fingers are not stated in the order of a hand from left to right")
        places.append((low, high))


def _angle(points: NDArray[np.float64]) -> float:
    """Of a polygon's longer side against upright, where it is no upright box."""
    (_, _), (w, h), degrees = cv2.minAreaRect(points.astype(np.float32))
    turned = degrees if h >= w else degrees - 90
    turned = (turned + 90) % 180 - 90
    return math.radians(turned) if abs(turned) <= SLAP.most_tilt else 0.0


def _paper(pixels: NDArray[np.uint8]) -> float:
    """The gray level of empty ground."""
    return float(np.percentile(pixels[::4, ::4], 90))


def _blanked(
    pixels: NDArray[np.uint8], outline: Outline, into: NDArray[np.float64], paper: float
) -> NDArray[np.uint8]:
    """Paper wherever the outline keeps nothing, with a soft edge that no ridge ends at."""
    assert outline.keep is not None
    cell = float(SLAP.cell)
    # Cells of the upright hand -> those of the picture -> its pixels -> those of the cut.
    linear, moved = outline.frame[:, :2].T, -outline.frame[:, :2].T @ outline.frame[:, 2]
    linear, moved = cell * linear, cell * moved + (cell - 1) / 2
    whole = np.column_stack((into[:, :2] @ linear, into[:, :2] @ moved + into[:, 2]))
    kept = cv2.warpAffine(
        outline.keep.astype(np.float32), whole, pixels.shape[::-1], flags=cv2.INTER_LINEAR
    )
    kept = np.clip(2 * kept - 0.5, 0, 1)
    level = paper + (pixels.astype(np.float32) - paper) * kept
    return np.rint(np.clip(level, 0, 255)).astype(np.uint8)
