"""A trained network -> a wider one that computes the same, and has room to learn more.

After Chen, Goodfellow and Shlens (2016), but with fresh channels in place of split ones: a new
channel gets random weights of its own and none towards the old ones, so that the result is the same
at first to rounding, and nothing has to break the symmetry of two equal halves.
"""

from __future__ import annotations

import torch
from torch import nn

from training.network import MinutiaNet

Widths = tuple[int, int, int, int]


def widen(net: MinutiaNet, widths: Widths) -> MinutiaNet:
    """The same function in more channels.

    Parameters
    ----------
    net : MinutiaNet
    widths : tuple of int
        Channels at strides 2, 4, 8 and 16, none fewer than the network has.

    Raises
    ------
    ValueError
        If a level would become narrower.
    """
    wide = MinutiaNet(widths)
    new = dict(wide.named_modules())
    with torch.no_grad():
        for name, old in net.named_modules():
            one = new[name]
            if isinstance(old, nn.Conv2d) and isinstance(one, nn.Conv2d):
                rows, columns = old.weight.shape[:2]
                if rows > one.weight.shape[0] or columns > one.weight.shape[1]:
                    raise ValueError(f"{name} has {rows} x {columns} channels: it cannot shrink")
                one.weight[:rows, columns:] = 0
                one.weight[:rows, :columns] = old.weight
                if old.bias is not None and one.bias is not None:
                    one.bias[:rows] = old.bias
            elif isinstance(old, nn.BatchNorm2d) and isinstance(one, nn.BatchNorm2d):
                for part in ("weight", "bias", "running_mean", "running_var"):
                    getattr(one, part)[: old.num_features] = getattr(old, part)
    return wide
