"""Where labelled prints come from: teacher-labelled real images and synthetic ones with truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.augment import CROP, crop
from training.network import STRIDE
from training.targets import maps, normalise

Print = tuple[NDArray[np.uint8], NDArray[np.float32]]


def load(files: Sequence[Path], min_confidence: float = 0.1) -> list[Print]:
    """Read the ``.npz`` files that `training.teach` and `training.synthesise` write."""
    prints: list[Print] = []
    for file in files:
        with np.load(file) as archive:
            for key in sorted(k for k in archive.files if k.endswith("_img")):
                labels = archive[key[:-4] + "_min"].astype(np.float32)
                prints.append((archive[key], labels[labels[:, 4] >= min_confidence]))
    return prints


def batch(
    groups: Sequence[list[Print]],
    shares: Sequence[float],
    size: int,
    rng: np.random.Generator,
    spread: float = 0.17,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw `size` crops; `shares` says how often each group is drawn from."""
    images = np.zeros((size, 1, CROP, CROP), np.float32)
    targets = np.zeros((size, 7, CROP // STRIDE, CROP // STRIDE), np.float32)
    for i in range(size):
        group = groups[rng.choice(len(groups), p=np.asarray(shares) / np.sum(shares))]
        pixels, labels = group[rng.integers(len(group))]
        image, moved = crop(pixels, labels, rng, spread)
        images[i, 0] = normalise(image)
        targets[i] = maps(moved, CROP // STRIDE)
    return images, targets
