"""A model file -> a network that can be trained on: batch normalisation put back.

The export folds each normalisation into its convolution. Here each gets back the mean and the
deviation that some crops give, and the weight and bias that undo them: the network computes what
the file computes, and can be trained like one that never left PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from fpmatch.minutiae.model_file import read_model
from training.network import MinutiaNet, Residual


def unfold(path: Path, crops: NDArray[np.float32]) -> MinutiaNet:
    """The network of a model file.

    Parameters
    ----------
    path : Path
        A model file of `training.export`.
    crops : (B, 1, H, W) float32
        Normalised crops like those to be trained on: their statistics become the running ones.

    Raises
    ------
    ValueError
        If the file holds other convolutions than `MinutiaNet`.
    """
    graph = onnx.load_from_string(read_model(path)[1]).graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    convolutions = [
        [torch.from_numpy(values[name].copy()) for name in node.input[1:]]
        for node in graph.node
        if node.op_type == "Conv"
    ]
    if convolutions[0][0].shape[1:] == (4, 2, 2):  # over blocks of pixels: `export.in_blocks`
        kernel = convolutions[0][0].reshape(-1, 2, 2, 2, 2).permute(0, 3, 1, 4, 2)
        convolutions[0][0] = kernel.reshape(-1, 1, 4, 4)[..., 1:, 1:].contiguous()
    # The first convolutions of strides 2 to 8 say how wide the file's network is.
    shapes = [weight.shape for weight, _ in convolutions]
    net = MinutiaNet((shapes[0][0], shapes[2][0], shapes[5][0], shapes[8][0])).eval()
    places = list(_places(net))
    if [p[0].weight.shape for p in places] != shapes:
        raise ValueError(f"{path} holds another network")
    seen: dict[nn.BatchNorm2d, torch.Tensor] = {}
    with torch.no_grad():
        for (convolution, norm), (weight, bias) in zip(places, convolutions, strict=True):
            convolution.weight.copy_(weight)
            if norm is None:
                convolution.bias.copy_(bias)  # type: ignore[union-attr]
                continue
            norm.bias.copy_(bias)
            norm.weight.fill_(np.sqrt(1 + norm.eps))
            norm.register_forward_pre_hook(lambda own, given: seen.update({own: given[0]}))
        net(torch.from_numpy(crops))
        for _, norm in places:
            if norm is None:
                continue
            variance, mean = torch.var_mean(seen[norm], (0, 2, 3), correction=0)
            norm.running_mean, norm.running_var = mean, variance
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)
            norm._forward_pre_hooks.clear()
    return net


def _places(net: MinutiaNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """Convolutions in the order of the forward pass, each with its normalisation."""

    def pair(two: nn.Sequential) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        return two[0], two[1]  # type: ignore[return-value]

    def residual(one: Residual) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
        return [pair(one.first), pair(one.second)]

    out: list[tuple[nn.Conv2d, nn.BatchNorm2d | None]] = [pair(net.stem[0]), pair(net.stem[1])]  # type: ignore[arg-type]
    for down in (net.down4, net.down8, net.down16):
        out += [pair(down[0]), *residual(down[1])]  # type: ignore[arg-type]
    out += [(net.lift8, None), *residual(net.up8), (net.lift4, None), *residual(net.up4)]
    return [*out, pair(net.head[0]), (net.head[1], None)]  # type: ignore[arg-type,list-item]
