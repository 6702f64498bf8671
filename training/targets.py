"""Labels of a crop -> target maps, and the loss against them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from fpmatch.minutiae import neural
from training.network import STRIDE

SPREAD = 0.75
"""Standard deviation of a minutia's bump in the heat map, cells."""
NORMALISE_SIGMA = 12.0
"""Local normalisation of the input: Gaussian window, pixels at 500 ppi."""
NORMALISE_FLOOR = 10.0
"""Gray levels added to the local deviation, so that flat background stays flat."""


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The extractor's own normalisation, with the numbers that the model file will carry."""
    return neural.normalise(image, NORMALISE_SIGMA, NORMALISE_FLOOR)


def maps(labels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(7, side, side): heat, offset x and y (cells), cos, sin, is-bifurcation, weight."""
    out = np.zeros((7, side, side), np.float32)
    cy, cx = np.mgrid[:side, :side].astype(np.float32) + 0.5
    for x, y, angle, kind, confidence in labels[np.argsort(labels[:, 4])]:
        # A pixel's centre is at its integer coordinate, a cell's at half a cell.
        dx, dy = (x + 0.5) / STRIDE - cx, (y + 0.5) / STRIDE - cy
        bump = np.exp(-(dx * dx + dy * dy) / (2 * SPREAD**2))
        out[0] = np.maximum(out[0], confidence * bump)
        near = (np.abs(dx) <= 1) & (np.abs(dy) <= 1) & (bump > out[6])
        for channel, value in enumerate((dx, dy, np.cos(angle), np.sin(angle), kind == 2, bump), 1):
            out[channel][near] = value[near] if isinstance(value, np.ndarray) else value
    return out


def loss(output: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Quality focal loss on the heat, weighted squared error on offset and direction."""
    heat = torch.sigmoid(output[:, 0])
    truth = target[:, 0]
    cross = torch.nn.functional.binary_cross_entropy_with_logits(
        output[:, 0], truth, reduction="none"
    )
    weight = target[:, 6] * (truth > 0.05)
    total = weight.sum() + 1.0
    direction = ((output[:, 3:5] - target[:, 3:5]) ** 2).sum(1)
    kind = torch.nn.functional.binary_cross_entropy_with_logits(
        output[:, 5], target[:, 5], reduction="none"
    )
    offset = ((output[:, 1:3] - target[:, 1:3]) ** 2).sum(1)
    return {
        "heat": (cross * (truth - heat).abs().pow(2)).sum() / total * 2,
        "offset": (offset * weight).sum() / total,
        "direction": (direction * weight).sum() / total,
        "type": 0.2 * (kind * weight).sum() / total,
    }
