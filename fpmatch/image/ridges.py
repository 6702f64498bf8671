"""Where ridges run in a picture, however large it is and however little of it they fill.

One look at small windows answers three questions: where the finger is, whether there are several,
and how far apart the ridges are, which says what resolution a picture can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import array_of, takes
from fpmatch.parameters import RIDGES, RidgeParameters

_AT_ONCE = 2048
"""Windows transformed at once: 20 MB."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_ALIKE = 0.25
"""Periods within this share of each other are one."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class RidgeMap:
    """Windows of a picture, one every `RidgeParameters.step` pixels.

    Parameters
    ----------
    share : (h, w) float32
        Of the window's variation that is one wave, 0 to 1; mean of a window and its neighbours.
    contrast : (h, w) float32
        Standard deviation in the window, gray levels.
    """

    share: NDArray[np.float32]
    contrast: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ridges:
    """What a picture shows.

    Parameters
    ----------
    fingers : tuple of (int, int, int, int)
        Left, top, right, bottom of every finger seen, pixels, widest first. A finger and what
        hangs together with it is one box; empty where nothing shows ridges.
    area : int
        Pixels of ridges in all of them.
    palm : bool
        Whether the widest is wider or longer than any finger.
    period : float or None
        Median distance of the ridges, pixels; None where there are none, or no two windows say
        the same.
    """

    fingers: tuple[Box, ...]
    area: int
    palm: bool
    period: float | None


@takes(pixels=array_of("uint8", 2))
def find_ridges(pixels: NDArray[np.uint8], parameters: RidgeParameters = RIDGES) -> Ridges:
    """Find the fingers in a picture and measure their ridges.

    Parameters
    ----------
    parameters : RidgeParameters
        Thresholds; see `fpmatch.parameters`.
    pixels : (H, W) uint8
        Gray, at about 500 ppi; ridges of half to twice the usual distance are seen.

    Notes
    -----
    A window shows ridges where much of its Fourier spectrum is one pair of peaks (as in Cappelli,
    Maltoni & Turroni 2010, who match whole waves); fingers are told apart by how far one can go
    into the area from its edge. No threshold is a share of the picture. O(H W); memory beside
    the pixels: about one byte a pixel and 40 MB.
    """
    p = parameters
    found = ridge_map(pixels, p)
    ridges = (found.share > p.share_least) & (found.contrast > p.contrast_least)
    if not ridges.any():
        return Ridges((), 0, False, None)
    full = float(np.percentile(found.contrast[ridges], 90))
    ridges &= found.contrast > p.contrast_share * full
    label, order, widest = _fingers(_area(ridges), found.contrast > p.gap_contrast * full, p)
    boxes = tuple(_box(label == k, pixels.shape, p) for k in order)
    return Ridges(
        fingers=boxes,
        area=int((label > 0).sum()) * p.step * p.step,
        palm=widest > p.palm or any(_too_long(box, p) for box in boxes[:1]),
        period=_period(pixels, found.share * ridges, p),
    )


def ridge_map(pixels: NDArray[np.uint8], parameters: RidgeParameters = RIDGES) -> RidgeMap:
    """Look at every window, at half resolution; see `find_ridges`.

    Parameters
    ----------
    pixels : ndarray of uint8
        (H, W) gray levels.
    parameters : RidgeParameters
        Thresholds; see `fpmatch.parameters`.
    """
    p = parameters
    side, step = p.window // 2, p.step // 2
    size = (-(-pixels.shape[1] // 2), -(-pixels.shape[0] // 2))
    half = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    r = side // 2
    frame = cv2.copyMakeBorder(half, r, r, r, r, cv2.BORDER_REPLICATE)
    windows = np.lib.stride_tricks.sliding_window_view(frame, (side, side))[::step, ::step]
    rows, columns = windows.shape[:2]
    share = np.empty((rows, columns), np.float32)
    contrast = np.empty_like(share)
    band = max(1, _AT_ONCE // columns)
    for top in range(0, rows, band):
        part = slice(top, top + band)
        flat = windows[part].reshape(-1, side, side)
        one, two = _waves(flat, p)
        share[part], contrast[part] = one.reshape(-1, columns), two.reshape(-1, columns)
    return RidgeMap(cv2.blur(share, (3, 3)), contrast)


def _waves(
    windows: NDArray[np.uint8], p: RidgeParameters
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share of the strongest wave, and contrast, of (n, s, s) windows."""
    count, side = windows.shape[:2]
    taper, band = _basis(side, p.shortest / 2, p.longest / 2)
    level = windows.astype(np.float32)
    level -= (np.einsum("nij,ij->n", level, taper) / taper.sum())[:, None, None]
    level *= taper
    energy = np.einsum("nij,nij->n", level, level)
    spectrum = np.fft.rfft2(level)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    peak = (power * band).reshape(count, -1).argmax(axis=1)
    y, x = np.divmod(peak, band.shape[1])
    total = np.zeros(count, np.float32)
    n = np.arange(count)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            # Beyond its last column the half spectrum is its own mirror image.
            i, j = (y + dy) % side, x + dx
            mirrored = (j < 0) | (j > side // 2)
            i, j = np.where(mirrored, -i % side, i), np.where(mirrored, -j % side, j)
            total += power[n, i, j] * band[i, j]
    whole = np.maximum(energy * side * side, 1e-6)
    deviation = np.sqrt(energy / float((taper * taper).sum()))
    return (2 * total / whole).astype(np.float32), deviation.astype(np.float32)


@lru_cache(maxsize=8)
def _basis(
    side: int, shortest: float, longest: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    line = np.hanning(side + 2)[1:-1]
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    band = (radius >= 1 / longest) & (radius <= min(0.5, 1 / shortest))
    return np.outer(line, line).astype(np.float32), band.astype(np.float32)


def _area(ridges: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The windows without specks, gaps and holes, in an empty border of two."""
    area = cv2.copyMakeBorder(ridges.astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    area = cv2.morphologyEx(area, cv2.MORPH_OPEN, _CROSS)
    area = cv2.morphologyEx(area, cv2.MORPH_CLOSE, _CROSS)
    _, outside = cv2.connectedComponents(1 - area, connectivity=4)
    return (outside != outside[0, 0]).astype(np.uint8)


def _fingers(
    area: NDArray[np.uint8], inked: NDArray[np.bool_], p: RidgeParameters
) -> tuple[NDArray[np.int32], list[int], float]:
    """Labels of the windows by finger (0 none), widest first, and half the greatest width."""
    inner = (slice(2, -2), slice(2, -2))
    depth = cv2.distanceTransform(area, cv2.DIST_L2, 3) * np.float32(p.step)
    widest = float(depth.max())
    _, piece = cv2.connectedComponents(area, connectivity=4)
    if widest <= 0:
        return piece[inner] * 0, [], 0.0
    count, core = cv2.connectedComponents((depth >= p.neck * widest).astype(np.uint8))
    reach = {k: float(depth[core == k].max()) for k in range(1, count)}
    order = sorted(reach, key=lambda k: (-reach[k], k))
    kept = [k for k in order[1:] if reach[k] >= max(p.core_least, p.core * widest)]
    kept = [order[0], *kept]
    if len(kept) > 1:
        held = np.isin(core, kept)
        y, x = np.nonzero(held)
        short, long = sorted(p.step * int(np.ptp(side)) for side in (y, x))
        if short <= p.card[0] and long <= p.card[1]:
            kept = _apart(core[inner], kept, inked)
    label = np.zeros_like(piece)
    for k in reversed(kept):
        own = core == k
        if len(kept) == 1:
            reached = 2 * (p.scatter // p.step) + 1
            own = cv2.dilate(own.astype(np.uint8) | _with(piece, own), np.ones((reached, reached)))
        label[_with(piece, own > 0) > 0] = k
    for k in kept:
        label[core == k] = k
    return label[inner], kept, widest


def _with(piece: NDArray[np.int32], own: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Every piece that some windows touch, whole."""
    touched = np.unique(piece[own])
    return np.isin(piece, touched[touched > 0]).astype(np.uint8)


def _apart(core: NDArray[np.int32], kept: list[int], inked: NDArray[np.bool_]) -> list[int]:
    """Of some fingers, those that paler ground separates from wider ones."""
    _, ink = cv2.connectedComponents(inked.astype(np.uint8), connectivity=4)
    seen: set[int] = set()
    out = []
    for k in kept:
        own = set(np.unique(ink[core == k]).tolist()) - {0}
        if not own & seen:
            out.append(k)
        seen |= own
    return out


def _too_long(box: Box, p: RidgeParameters) -> bool:
    short, long = sorted((box[2] - box[0], box[3] - box[1]))
    return short > p.longest_finger[0] or long > p.longest_finger[1]


def _box(own: NDArray[np.bool_], shape: tuple[int, ...], p: RidgeParameters) -> Box:
    x, y, w, h = cv2.boundingRect(own.astype(np.uint8))
    half = p.window // 2
    return (
        max(0, x * p.step - half),
        max(0, y * p.step - half),
        min(shape[1], (x + w - 1) * p.step + half),
        min(shape[0], (y + h - 1) * p.step + half),
    )


def _period(
    pixels: NDArray[np.uint8], clear: NDArray[np.float32], p: RidgeParameters
) -> float | None:
    """Median over windows spread over the clearer half of the ridges."""
    side = p.sample_side
    if min(pixels.shape) < side:
        return None
    y, x = np.nonzero(clear)
    best = np.argsort(-clear[y, x], kind="stable")
    best = np.sort(best[: max(p.samples, len(best) // 2)])
    best = best[:: max(1, len(best) // p.samples)][: p.samples]
    top = np.clip(y[best] * p.step - side // 2, 0, pixels.shape[0] - side)
    left = np.clip(x[best] * p.step - side // 2, 0, pixels.shape[1] - side)
    level = np.stack([pixels[i : i + side, j : j + side] for i, j in zip(top, left, strict=True)])
    taper, _ = _basis(side, p.shortest, p.longest)
    centred = level.astype(np.float32)
    centred -= (np.einsum("nij,ij->n", centred, taper) / taper.sum())[:, None, None]
    spectrum = np.fft.rfft2(centred * taper)
    power = spectrum.real**2 + spectrum.imag**2
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    # Rings half a frequency step wide; a column that stands for two counts twice.
    ring = np.rint(np.hypot(fy, fx) * 2 * side).astype(np.intp).ravel()
    twice = np.broadcast_to(np.where((fx > 0) & (fx < 0.5), 2.0, 1.0), power.shape[1:]).ravel()
    kernel = np.array([0.25, 0.5, 1.0, 0.5, 0.25])
    low, high = int(np.ceil(2 * side / p.longest)), int(2 * side / p.shortest)
    found = []
    for one in power:
        # Weighed by frequency: uneven ink and the edge of the print are long waves.
        rings = np.convolve(np.bincount(ring, one.ravel() * twice * ring), kernel, "same")
        at = low + int(np.argmax(rings[low:high]))
        near = np.arange(at - 2, at + 3)
        found.append(2 * side * rings[near].sum() / (near * rings[near]).sum())
    median = float(np.median(found))
    close = np.abs(np.array(found) / median - 1) < _ALIKE
    return median if close.mean() >= p.agreement else None
