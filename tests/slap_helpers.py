"""Synthetic hands, each made once a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from fpmatch.finger import SLAPS, FingerPosition
from fpmatch.image import SlapFinger
from fpmatch.synthetic import Print, Slap, impression, master, slap


@functools.cache
def print_of(finger: int, number: int) -> Print:
    """Impression ``number`` of the made-up finger ``finger``, upright."""
    return impression(master(700 + finger), number, rotation=0.0)


def hand(
    position: int = 13, *, missing: Sequence[int] = (), number: int = 1, **laid: float
) -> Slap:
    """A slap of the made-up hand; of either hand the same four fingers."""
    prints = {
        finger: print_of((int(finger) - 1) % 5, number)
        for finger in SLAPS[position]
        if finger not in missing
    }
    return slap(prints, position, **laid)


def right_of(cuts: Sequence[SlapFinger], truth: Slap) -> int:
    """How many cuts are the finger that they are called, whole and no more than it."""
    by = {one.position: one for one in truth.fingers}
    return sum(one.position in by and overlap(one, by[one.position].corners) > 0.7 for one in cuts)


def overlap(cut: SlapFinger, corners: Sequence[tuple[float, float]]) -> float:
    """Shared area of two boxes, as a share of what both cover."""
    masks = []
    for box in (cut.corners, corners):
        mask = np.zeros((1500, 1500), np.uint8)
        cv2.fillConvexPoly(mask, np.rint(np.array(box) / 2 + 50).astype(np.int32), 1)
        masks.append(mask > 0)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def single(finger: FingerPosition, number: int) -> Print:
    """Another impression of a finger of the hand, by itself."""
    return print_of((int(finger) - 1) % 5, number)
