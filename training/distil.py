"""A model file as teacher: its maps of a crop are asked for beside the crop's labels.

A list of minutiae says nothing between them, and is as sure of a faint one as of a clear one; a
larger network's maps say how sure one can be everywhere. It sees the very crop that the pupil sees,
faults and all (Beyer et al. 2022), so what no one could see is not asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.unfold import unfold

SURE = 0.05
"""Confidence of the teacher from which on its offset, direction and type count."""


def teacher(path: Path, crops: NDArray[np.float32]) -> nn.Module:
    """The network of a model file, not to be trained, with few operations.

    Parameters
    ----------
    path : Path
        A model file of `training.export`.
    crops : (B, 1, H, W) float32
        Normalised crops, as for `training.unfold`.

    Raises
    ------
    ValueError
        If the file holds other convolutions than `MinutiaNet`.
    """
    net = unfold(path, crops).eval()
    for one in net.modules():
        if isinstance(one, nn.Sequential) and len(one) > 1 and isinstance(one[1], nn.BatchNorm2d):
            one[0], one[1] = fuse_conv_bn_eval(one[0], one[1]), nn.Identity()  # type: ignore[type-var,arg-type]
    return net.requires_grad_(False)


def distance(output: torch.Tensor, taught: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far the pupil's maps are from the teacher's, part by part, weighted as `targets.loss`.

    Parameters
    ----------
    output, taught : (B, 9, h, w)
        Maps of `MinutiaNet`: confidence, type and finger as logits. 0 where both are the same.
    """
    heat, finger = torch.sigmoid(taught[:, 0]), torch.sigmoid(taught[:, 8])
    weight = heat * (heat > SURE)
    total = weight.sum() + 1.0
    square = (output - taught) ** 2
    return {
        "taught_heat": _divergence(output[:, 0], taught[:, 0]).sum() / total,
        "taught_offset": (square[:, 1:3].sum(1) * weight).sum() / total,
        "taught_direction": (square[:, 3:5].sum(1) * weight).sum() / total,
        "taught_type": 0.2 * (_divergence(output[:, 5], taught[:, 5]) * weight).sum() / total,
        "taught_flow": 0.5 * (square[:, 6:8].sum(1) * finger).sum() / (finger.sum() + 1.0),
        "taught_finger": 0.2 * _divergence(output[:, 8], taught[:, 8]).mean(),
    }


def _divergence(output: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler of two coins, from logits."""
    coin = torch.sigmoid(taught)
    binary = nn.functional.binary_cross_entropy_with_logits
    return binary(output, coin, reduction="none") - binary(taught, coin, reduction="none")
