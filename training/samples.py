"""Batches of augmented crops, drawn from labelled prints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.augment import CROP, crop
from training.network import STRIDE
from training.prints import Print
from training.targets import TARGETS, maps, normalise


def batch(
    groups: Sequence[Sequence[Print]],
    shares: Sequence[float],
    size: int,
    rng: np.random.Generator,
    *,
    faults: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw `size` crops; `shares` says how often each group is drawn from, `faults` how many of
    the crops can suffer faults: the others are as the sensor gave them."""
    chance = np.asarray(shares) / np.sum(shares)

    def draw() -> Print:
        group = groups[rng.choice(len(groups), p=chance)]
        return group[rng.integers(len(group))]

    side = CROP // STRIDE
    images = np.zeros((size, 1, CROP, CROP), np.float32)
    targets = np.zeros((size, TARGETS, side, side), np.float32)
    for i in range(size):
        image, labels, flow = crop(draw(), rng, draw() if rng.random() < faults else None)
        images[i, 0] = normalise(image)
        targets[i] = maps(labels, flow)
    return images, targets
