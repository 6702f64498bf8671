"""Consensus and local re-alignment once more, in plain NumPy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fpmatch.parameters import DESCRIPTOR, MATCHER, TEMPLATE
from fpmatch.reference.encode import ReferenceForm
from fpmatch.reference.geometry import away, heading

ONE = 1024
FARTHEST = 23000
"""Anchors farther than this along an axis weigh as if they were that far, 1/8 px."""


def consensus(
    support: NDArray[np.int64], fit: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64]]:
    """Summed agreement of all pairs with the chosen ones; the pairs that agree enough.

    Parameters
    ----------
    support : ndarray of int64
        (N, N) which pairs agree.
    fit : ndarray of int64
        Residuals.
    chosen : ndarray of int64
        Pairs in use.
    """
    weight = np.zeros_like(support)
    weight[chosen] = support[chosen]
    others = weight.sum() - weight
    agree = np.where(others > 0, fit @ weight // np.maximum(others, 1), 0)
    return int(agree.sum()), np.nonzero(agree >= round(ONE * MATCHER.anchor_agreement))[0]


def matches(
    a: ReferenceForm, b: ReferenceForm, anchors: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """(P, 2) minutiae that find each other after re-alignment; unmatched ones on common ground.

    anchors : (A, 2) pairs, at least two.

    Parameters
    ----------
    a : ReferenceForm
        Minutiae of one print.
    b : ReferenceForm
        Of the other.
    anchors : ndarray of int64
        Pairs that lay one over the other.
    """
    cosine, sine = _rotation(a.xy[anchors[:, 0]], b.xy[anchors[:, 1]])
    there, _ = _transfer(a, b, anchors, cosine, sine)
    back, _ = _transfer(b, a, anchors[:, ::-1], cosine, -sine)
    return _mutual(there, back)


def bent_matches(
    a: ReferenceForm, b: ReferenceForm, anchors: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int, int]:
    """The same after a re-alignment that bends; and the mean distance of minutiae that find each
    other, 1/16 px.

    Parameters
    ----------
    a : ReferenceForm
        Minutiae of one print.
    b : ReferenceForm
        Of the other.
    anchors : ndarray of int64
        (A, 2) minutiae that found each other, at least two.
    """
    cosine, sine = _rotation(a.xy[anchors[:, 0]], b.xy[anchors[:, 1]])
    there, off_a = _bend(a, b, anchors, cosine, sine)
    back, off_b = _bend(b, a, anchors[:, ::-1], cosine, -sine)
    pairs, unmatched = _mutual(there, back)
    total = int((off_a[pairs[:, 0]] + off_b[pairs[:, 1]]).sum())
    return pairs, unmatched, total // max(len(pairs), 1)


def _mutual(there: NDArray[np.int64], back: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """(P, 2) minutiae that find each other; others on common ground."""
    pairs = [(k, int(m)) for k, m in enumerate(there) if m >= 0 and back[m] == k]
    common = int((there >= -1).sum() + (back >= -1).sum())
    return np.array(pairs, np.int64).reshape(-1, 2), common - 2 * len(pairs)


def _rotation(a: NDArray[np.int64], b: NDArray[np.int64]) -> tuple[int, int]:
    """Cosine and sine, scaled by 2**14, of the least-squares rotation of (A, 2) a onto b."""
    n = len(a)
    da = n * a - a.sum(axis=0)
    db = n * b - b.sum(axis=0)
    along = float(int((da * db).sum()))
    aside = float(int((da[:, 0] * db[:, 1] - da[:, 1] * db[:, 0]).sum()))
    size = math.sqrt(along * along + aside * aside)
    if size == 0:
        return 0, 0
    cosine = int(abs(along) / size * 16384 + 0.5)
    sine = int(abs(aside) / size * 16384 + 0.5)
    return (cosine if along > 0 else -cosine), (sine if aside > 0 else -sine)


def _transfer(
    a: ReferenceForm, b: ReferenceForm, anchors: NDArray[np.int64], cosine: int, sine: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every minutia of `a`, moved with its nearest anchor: as `_found`."""
    from_anchor = a.xy[:, None, :] - a.xy[anchors[:, 0]][None, :, :]
    nearest = np.argmin((from_anchor**2).sum(axis=2), axis=1)
    dx, dy = from_anchor[np.arange(len(a)), nearest].T
    ex = (cosine * dx - sine * dy + 8192) // 16384
    ey = (sine * dx + cosine * dy + 8192) // 16384
    start = anchors[nearest, 1]
    return _found(a, b, start, b.xy[start] + np.stack([ex, ey], axis=1), (cosine, sine))


def _bend(
    a: ReferenceForm, b: ReferenceForm, anchors: NDArray[np.int64], cosine: int, sine: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every minutia of `a`, moved by the mean displacement of all anchors, the nearer the more:
    as `_found`.
    """
    anchors = anchors[np.argsort(anchors[:, 0])]
    turned = _turned(a.xy, cosine, sine)
    off = b.xy[anchors[:, 1]] - turned[anchors[:, 0]]
    apart = a.xy[:, None, :] - a.xy[anchors[:, 0]][None, :, :]
    nearest = np.argmin((apart**2).sum(axis=2), axis=1)
    far = (np.clip(apart, -FARTHEST, FARTHEST) ** 2).sum(axis=2)
    soft = round(MATCHER.bend_reach * TEMPLATE.subpixel) ** 2
    weight = (1 + 4096 * soft // (soft + far)) ** 2
    total = weight.sum(axis=1)[:, None]
    moved = (2 * (weight @ off) + total) // (2 * total)
    return _found(a, b, anchors[nearest, 1], turned + moved, (cosine, sine))


def _turned(xy: NDArray[np.int64], cosine: int, sine: int) -> NDArray[np.int64]:
    x, y = xy.T
    return np.stack([cosine * x - sine * y + 8192, sine * x + cosine * y + 8192], axis=1) // 16384


def _found(
    a: ReferenceForm,
    b: ReferenceForm,
    start: NDArray[np.int64],
    place: NDArray[np.int64],
    rotation: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The minutia of `b` at the place that each of `a` moves to, -1 inside the finger without, -2
    outside; and how far it is from there, 1/8 px.

    start : the anchor in `b` from whose disc inside is told.
    """
    ex, ey = (place - b.xy[start]).T
    far = ((place[:, None, :] - b.xy[None, :, :]) ** 2).sum(axis=2)
    turned = heading(np.array(rotation[0]), np.array(rotation[1]))
    off = away(a.angle[:, None] + turned - b.angle[None, :])
    reach = round(MATCHER.near_distance * TEMPLATE.subpixel)
    turn = round(MATCHER.near_turn * 128 / math.pi)
    far = np.where((far <= reach * reach) & (off <= turn), far, 1 << 60)
    match = np.where(far.min(axis=1) < 1 << 60, far.argmin(axis=1), -2)
    off_by = np.floor(np.sqrt(far.min(axis=1).astype(np.float64))).astype(np.int64)
    return np.where((match == -2) & _inside(ex, ey, start, b), -1, match), off_by


def _inside(
    ex: NDArray[np.int64], ey: NDArray[np.int64], start: NDArray[np.int64], b: ReferenceForm
) -> NDArray[np.bool_]:
    """Whether places relative to minutiae of `b` lie in their discs and inside the finger."""
    p = DESCRIPTOR
    cell = round(2 * p.radius * TEMPLATE.subpixel / p.side)
    cosine = np.array([round(16384 * math.cos(k * math.pi / 128)) for k in b.angle[start]])
    sine = np.array([round(16384 * math.sin(k * math.pi / 128)) for k in b.angle[start]])
    column = ((cosine * ex + sine * ey + 8192) // 16384 + p.side * cell // 2) // cell
    row = ((cosine * ey - sine * ex + 8192) // 16384 + p.side * cell // 2) // cell
    axis = ((np.arange(p.side) + 0.5) * 2 / p.side - 1) * p.radius
    disc = axis[None, :] ** 2 + axis[:, None] ** 2 <= p.radius**2
    number = np.where(disc, np.cumsum(disc).reshape(disc.shape) - 1, -1)
    grid = (column >= 0) & (column < p.side) & (row >= 0) & (row < p.side)
    place = np.where(grid, number[row % p.side, column % p.side], -1)
    valid = b.valid[start]
    unknown = valid.sum(axis=1) == 0
    inside = valid[np.arange(len(place)), np.maximum(place, 0)] == 1
    return (place >= 0) & (unknown | inside)
