"""How much of a slap is ridges, cell by cell, and which way the hand points."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.image.ridges import ridge_map
from fpmatch.parameters import RIDGES, SLAP

Map = NDArray[np.float32]


def strength(pixels: NDArray[np.uint8]) -> Map:
    """Cells of `SLAP.cell` pixels, 0 (no ridges) to 1 (ridges in full strength).

    Parameters
    ----------
    pixels : (H, W) uint8
        At 500 ppi.

    Returns
    -------
    (h, w) float32
        All zero where nothing shows ridges. What varies strongly without being one wave, as
        writing, is faint in it.
    """
    seen = ridge_map(pixels)
    ridges = (seen.share > RIDGES.share_least) & (seen.contrast > RIDGES.contrast_least)
    h, w = (-(-side // SLAP.cell) for side in pixels.shape)
    if not ridges.any():
        return np.zeros((h, w), np.float32)
    half = SLAP.cell // 2
    level = cv2.resize(pixels, (w * half, h * half), interpolation=cv2.INTER_AREA)
    level = level.astype(np.float32)
    wave = level - cv2.GaussianBlur(level, (0, 0), SLAP.blur)
    power = cv2.GaussianBlur(wave * wave, (0, 0), SLAP.blur / 2)
    deep = np.sqrt(cv2.resize(power, (w, h), interpolation=cv2.INTER_AREA))
    least = 0.15 * float(np.percentile(seen.contrast[ridges], 90))
    clear = deep[deep > least]
    full = float(np.percentile(clear, 75)) if len(clear) else least
    low, high = SLAP.share
    share = cv2.resize(seen.share, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    share = cv2.copyMakeBorder(share, 0, 2, 0, 2, cv2.BORDER_REPLICATE)[:h, :w]
    one = np.clip((share - low) / (high - low), 0, 1)
    found = (np.clip(deep / (SLAP.full * full), 0, 1) * one).astype(np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SLAP.stroke, SLAP.stroke))
    out: Map = cv2.morphologyEx(found, cv2.MORPH_OPEN, disc, borderType=cv2.BORDER_REPLICATE)
    return out


def turned(shape: tuple[int, ...], angle: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The affine map that undoes a turn, and the width and height of what comes out.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of what is turned back.
    angle : float
        Radians, clockwise on the screen.
    """
    c, s = math.cos(angle), math.sin(angle)
    back = np.array([[c, s], [-s, c]])
    h, w = shape[:2]
    ends = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64) @ back.T
    low = ends.min(axis=0)
    size = np.ceil(ends.max(axis=0) - low).astype(int) + 1
    return np.column_stack((back, -low)), (int(size[0]), int(size[1]))


def tilt_of(ridges: Map, fingers: int) -> float:
    """The direction of a hand: seen along it, the gaps between the fingers are deepest.

    Parameters
    ----------
    ridges : (h, w) float32
        From `strength`.
    fingers : int
        How many are there.

    Returns
    -------
    float
        Radians, clockwise on the screen.
    """
    found = []
    for degrees in range(SLAP.tilts[0], SLAP.tilts[1] + 1, SLAP.tilt_step):
        frame, size = turned(ridges.shape, math.radians(degrees))
        side = cv2.warpAffine(ridges, frame, size).sum(axis=0)
        side = cv2.blur(side[None], (5, 1))[0]
        deep = _depth(side, fingers) if fingers > 1 else _narrow(side)
        found.append((deep - SLAP.upright * abs(degrees), degrees))
    best = max(range(len(found)), key=lambda i: found[i][0])
    near = found[max(0, best - 2) : best + 3]
    floor = min(score for score, _ in near)
    weight = sum(score - floor for score, _ in near)
    if weight <= 0:
        return math.radians(found[best][1])
    return math.radians(sum((score - floor) * degrees for score, degrees in near) / weight)


def _narrow(side: Map) -> float:
    total = float(side.sum())
    return float((side**2).sum()) / max(total, 1e-6) / max(float(side.max()), 1e-6)


def _depth(side: Map, fingers: int) -> float:
    """Mean depth, as a share, of the gaps beside all but the highest of so many peaks."""
    owner = np.full(len(side), -1)
    peaks: list[float] = []
    depth: list[float] = []
    for i in np.argsort(-side, kind="stable"):
        if side[i] <= 0:
            break
        left = owner[i - 1] if i > 0 else -1
        right = owner[i + 1] if i + 1 < len(side) else -1
        if left < 0 and right < 0:
            owner[i] = len(peaks)
            peaks.append(float(side[i]))
            depth.append(1.0)
        elif left >= 0 and right >= 0 and left != right:
            more, less = (left, right) if peaks[left] >= peaks[right] else (right, left)
            depth[less] = 1 - float(side[i]) / peaks[less]
            owner[owner == less] = more
            owner[i] = more
        else:
            owner[i] = max(left, right)
    if not peaks:
        return 0.0
    least = 0.25 * max(peaks)
    deepest = sorted((d for d, p in zip(depth, peaks, strict=True) if p >= least), reverse=True)
    return sum(deepest[1:fingers]) / (fingers - 1)
