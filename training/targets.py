"""Labels of a crop -> target maps, and the loss against them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from fpmatch.minutiae import network
from training.network import STRIDE

SPREAD = 0.75
"""Standard deviation of a minutia's bump in the heat map, cells."""
REACH = 3
"""Cells round a minutia that its bump reaches."""
IGNORED = 2
"""Cells round a doubtful minutia where no heat is asked for, nor its absence."""
NORMALISE_SIGMA = 12.0
"""Local normalisation of the input: Gaussian window, pixels at 500 ppi."""
NORMALISE_FLOOR = 10.0
"""Gray levels added to the local deviation, so that flat background stays flat."""
NORMALISE_STEP = 2
"""Pixels whose means the window is laid over."""
TARGETS = 12
"""Target maps: heat, offset x and y (cells), cos, sin, is-bifurcation, their weight, weight of
the heat, cos and sin of twice the orientation, its weight, finger."""


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The extractor's own normalisation, with the numbers that the model file will carry."""
    return network.normalise(image, NORMALISE_SIGMA, NORMALISE_FLOOR, NORMALISE_STEP)


def maps(labels: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """(12, side, side) target maps of a crop.

    Parameters
    ----------
    labels : (M, 5) float32
        In crop coordinates. The heat is the square root of the confidence: the teacher's is low
        for minutiae that are worth having.
    flow : (2, side, side) float32
        Cosine and sine of twice the orientation; 0 outside the finger.
    """
    side = flow.shape[-1]
    out = np.zeros((TARGETS, side, side), np.float32)
    out[7] = 1
    length = np.hypot(flow[0], flow[1])
    out[8:10] = flow / np.maximum(length, 1e-6)
    out[10] = length
    out[11] = length > 0
    for x, y, angle, kind, confidence in labels[np.argsort(labels[:, 4])]:
        # A pixel's centre is at its integer coordinate, a cell's at half a cell.
        px, py = (x + 0.5) / STRIDE, (y + 0.5) / STRIDE
        reach = REACH if confidence > 0 else IGNORED
        top, left = max(0, int(py) - reach), max(0, int(px) - reach)
        part = out[:, top : int(py) + reach + 1, left : int(px) + reach + 1]
        dx = px - (np.arange(part.shape[2], dtype=np.float32) + left + 0.5)
        dy = py - (np.arange(part.shape[1], dtype=np.float32) + top + 0.5)
        dx, dy = np.broadcast_arrays(dx[None], dy[:, None])
        if confidence < 0:
            part[7][dx * dx + dy * dy <= IGNORED**2] = 0
            continue
        bump = np.exp(-(dx * dx + dy * dy) / (2 * SPREAD**2))
        np.maximum(part[0], np.sqrt(confidence) * bump, out=part[0])
        part[7][bump > 0.05] = 1
        near = (np.abs(dx) <= 1) & (np.abs(dy) <= 1) & (bump > part[6])
        for channel, value in enumerate((dx, dy, np.cos(angle), np.sin(angle), kind == 2, bump), 1):
            part[channel][near] = value[near] if isinstance(value, np.ndarray) else value
    return out


def loss(output: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Quality focal loss on the heat, weighted squared error on offset, direction and flow."""
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    heat = torch.sigmoid(output[:, 0])
    truth = target[:, 0]
    cross = binary(output[:, 0], truth, reduction="none")
    weight = target[:, 6] * (truth > 0.05)
    total = weight.sum() + 1.0
    direction = ((output[:, 3:5] - target[:, 3:5]) ** 2).sum(1)
    kind = binary(output[:, 5], target[:, 5], reduction="none")
    offset = ((output[:, 1:3] - target[:, 1:3]) ** 2).sum(1)
    flow = ((output[:, 6:8] - target[:, 8:10]) ** 2).sum(1)
    return {
        "heat": 2 * (cross * (truth - heat).abs().pow(2) * target[:, 7]).sum() / total,
        "offset": (offset * weight).sum() / total,
        "direction": (direction * weight).sum() / total,
        "type": 0.2 * (kind * weight).sum() / total,
        "flow": 0.5 * (flow * target[:, 10]).sum() / (target[:, 10].sum() + 1.0),
        "finger": 0.2 * binary(output[:, 8], target[:, 11]),
    }
