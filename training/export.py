"""Checkpoint -> model file that the package ships.

    python -m training.export --net out/net --name fpnet --version 1 --statement "..." \\
        --out fpmatch/minutiae/models/fpnet-1.fpnet
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from fpmatch.minutiae.model_file import ModelHeader, read_model, write_model
from training.network import STRIDE, MinutiaNet
from training.targets import NORMALISE_FLOOR, NORMALISE_SIGMA, NORMALISE_STEP


def onnx_bytes(net: torch.nn.Module) -> bytes:
    """Export with batch normalisation folded into the convolutions and free image size."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "net.onnx"
        torch.onnx.export(
            net.eval(),
            (torch.zeros(1, 1, 64, 64),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=["maps"],
            dynamic_axes={"image": {2: "h", 3: "w"}, "maps": {2: "h", 3: "w"}},
        )
        return path.read_bytes()


def in_blocks(network: bytes) -> bytes:
    """The same network, its first convolution over blocks of 2x2 pixels (`ModelHeader.block`).

    A kernel of 3x3 that moves by 2 pixels is one of 2x2 that moves by one block, with zeros where
    the block above and to the left has pixels that the kernel does not reach.
    """
    model = onnx.load_from_string(network)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    weight = next(t for t in model.graph.initializer if t.name == first.input[1])
    kernel = np.pad(numpy_helper.to_array(weight)[:, 0], ((0, 0), (1, 0), (1, 0)))
    # channel, block's row, row in it, block's column, column in it
    kernel = kernel.reshape(-1, 2, 2, 2, 2).transpose(0, 2, 4, 1, 3).reshape(-1, 4, 2, 2)
    weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(kernel), weight.name))
    for attribute in first.attribute:
        changed = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [1, 1, 0, 0]}
        if attribute.name in changed:
            attribute.ints[:] = changed[attribute.name]
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    return bytes(model.SerializeToString())


def load_average(folders: Sequence[Path]) -> tuple[MinutiaNet, int]:
    """The averaged weights of folders of training.train, and the steps that they took together.

    Runs that went on from the same model file, with different seeds, are averaged: better than
    each of them, and better still on what none has seen (Wortsman et al. 2022).
    """
    states = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in folders]
    arguments = json.loads((folders[0] / "arguments.json").read_text())
    net = MinutiaNet(tuple(arguments["widths"]))
    # Batch statistics are averaged with the weights.
    mean = {
        name: torch.stack([s["average"][f"module.{name}"].double() for s in states]).mean(0)
        for name in net.state_dict()
    }
    net.load_state_dict(mean)
    return net.eval(), sum(int(s["step"]) for s in states)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--net", type=Path, nargs="+", required=True, help="folders of training.train"
    )
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--statement", required=True, help="what it was trained on")
    parser.add_argument(
        "--like", type=Path, help="model file whose scale of the confidence to keep"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    net, steps = load_average(args.net)
    header = ModelHeader(
        name=args.name,
        version=args.version,
        trained_on=args.statement,
        steps=steps,
        stride=STRIDE,
        normalise_sigma=NORMALISE_SIGMA,
        normalise_floor=NORMALISE_FLOOR,
        normalise_step=NORMALISE_STEP,
        block=2,
    )
    if args.like is not None:
        kept = read_model(args.like)[0]
        header = dataclasses.replace(
            header,
            confidence_slope=kept.confidence_slope,
            confidence_offset=kept.confidence_offset,
        )
    write_model(args.out, header, in_blocks(onnx_bytes(net)))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {header}")


if __name__ == "__main__":
    main()
