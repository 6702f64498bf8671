"""The first phalanx of one finger of an upright hand: where it begins, ends and leans."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.image.slap_columns import INSIDE
from fpmatch.image.slap_map import Map
from fpmatch.parameters import SLAP

_CROSS = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Tip:
    """What is to be cut of one finger, in cells of the upright hand.

    Parameters
    ----------
    area : (h, w) bool
        The first phalanx.
    width : float
        Of it, cells.
    lean : float
        Its direction against the hand's, radians, clockwise.
    crease : bool
        Whether the crease below it was seen.
    """

    area: NDArray[np.bool_]
    width: float
    lean: float
    crease: bool


def tip_of(upright: Map, own: NDArray[np.bool_]) -> Tip | None:
    """Find the first phalanx of a finger.

    Parameters
    ----------
    upright : (h, w) float32
        Strength of the ridges.
    own : (h, w) bool
        The finger's part of the picture.

    Returns
    -------
    Tip or None
        None where no part of it is as wide and high as a fingertip.
    """
    ridges = np.where(own, upright, np.float32(0))
    inside = cv2.copyMakeBorder((ridges > INSIDE).astype(np.uint8), 1, 1, 1, 1, 0)
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, _CROSS)
    body = _topmost(inside)
    if body is None:
        return None
    width = _width(body)
    rows = np.flatnonzero(body.any(axis=1))
    end, crease = _end(ridges, body, int(rows[0]), width)
    area = body.copy()
    area[end:] = False
    if end - rows[0] < SLAP.flat * width:
        return None
    return Tip(area, width, _lean(area), crease)


def _topmost(inside: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """The uppermost of the parts that are as wide as a finger, without what is thin on it."""
    deep = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    widest = float(deep.max())
    if widest * SLAP.cell < SLAP.radius_least:
        return None
    reach = max(1, int(0.5 * widest))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    thick = cv2.morphologyEx(inside, cv2.MORPH_OPEN, disc, borderValue=0)
    count, part = cv2.connectedComponents(thick, connectivity=4)
    wide = [k for k in range(1, count) if deep[part == k].max() >= SLAP.tip * widest]
    if not wide:
        return None
    first = min(wide, key=lambda k: int(np.flatnonzero((part == k).any(axis=1))[0]))
    out: NDArray[np.bool_] = (part == first)[1:-1, 1:-1]
    return out


def _width(body: NDArray[np.bool_]) -> float:
    """Of the upper part of a finger, where it is widest: the 80th percentile of its rows."""
    rows = body.sum(axis=1)
    rows = rows[rows > 0]
    return float(np.percentile(rows[: max(3, int(1.3 * rows.max()))], 80))


def _end(ridges: Map, body: NDArray[np.bool_], first: int, width: float) -> tuple[int, bool]:
    """The row below the first phalanx, and whether a crease says so."""
    row = ridges.sum(axis=1)
    last = int(np.flatnonzero(body.any(axis=1))[-1]) + 1
    low, high = (first + round(share * width) for share in SLAP.phalanx)
    usual = float(np.median(row[first : max(first + 1, low)]))
    for y in range(low, min(high + 1, len(row) - 1)):
        # A crease is a dip: there are more ridges above it, and again below it.
        below = float(row[y : y + max(2, round(0.5 * width))].max())
        dip = row[y] <= row[y - 1] and row[y] < row[y + 1]
        crease = dip and row[y] < SLAP.crease * min(usual, below)
        if crease or row[y] < SLAP.ended * usual:
            return min(y, last), True
    if last <= high:
        return last, False
    return first + round(SLAP.phalanx_else * width), False


def _lean(area: NDArray[np.bool_]) -> float:
    """From the middles of the rows; 0 where the picture's side cuts the finger."""
    rows = np.flatnonzero(area.any(axis=1))
    if len(rows) < 8:
        return 0.0
    edge = np.array([np.flatnonzero(area[y])[[0, -1]] for y in rows], np.float64)
    middle = edge.mean(axis=1)
    keep = (edge[:, 1] - edge[:, 0]) >= 0.5 * np.median(edge[:, 1] - edge[:, 0])
    slope = float(np.polyfit(rows[keep], middle[keep], 1)[0])
    # What is as wide as it is high has no direction that its outline could tell.
    long = len(rows) / float(np.median(edge[:, 1] - edge[:, 0] + 1)) - 1
    told = float(np.clip(long / SLAP.longish, 0, 1))
    return told * float(np.clip(np.arctan(-slope), -SLAP.most_lean, SLAP.most_lean))
