"""Make the confidence a probability: fitted on prints that no weight has seen.

    python -m training.calibrate --net out/net --labels out/teacher/fvc2002_DB1_B.npz \\
        --truth out/unseen.npz

A claim is right if a label lies within `NEAR` pixels and `TURN` radians, one to one. Writes
``confidence.json`` into the folder of the net, and prints how often claims of each confidence are
right before and after.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from fpmatch.errors import ExtractionError
from fpmatch.minutiae.area import finger_area
from fpmatch.minutiae.decode import decode
from fpmatch.parameters import NeuralParameters
from training.export import load_average
from training.network import STRIDE
from training.prints import Print, read
from training.targets import normalise
from training.teach import NEAR, TURN

CLEAR = 0.2
"""Labels of less confidence (or quality) neither confirm nor refute a claim."""
LEAST = NeuralParameters(threshold=0.02)
"""What the claims that are looked at must reach."""


@torch.no_grad()
def claims(net: torch.nn.Module, source: Print) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence of every claim on a print that its labels decide, and whether it is right."""
    area = finger_area(source.pixels)
    normal = normalise(area.pixels.astype(np.float32))
    padded = np.pad(normal, [(0, -n % 16) for n in normal.shape])
    maps = net(torch.from_numpy(padded[None, None]))[0].numpy()
    found = decode(maps, area.inside, STRIDE, LEAST)
    labels = source.minutiae
    apart = np.hypot(*(found[:, None, :2] + area.corner - labels[None, :, :2]).transpose(2, 0, 1))
    turn = np.abs(np.angle(np.exp(1j * (found[:, None, 2] - labels[None, :, 2]))))
    near = (apart <= NEAR) & (turn <= TURN)
    right, open_ = np.zeros((2, len(found)), np.bool_)
    free = labels[:, 4] >= CLEAR
    for i in np.argsort(-found[:, 4], kind="stable"):
        mine = np.flatnonzero(near[i] & free)
        if len(mine):
            right[i] = True
            free[mine[np.argmin(apart[i, mine])]] = False
        else:
            open_[i] = bool((near[i] & (labels[:, 4] < CLEAR)).any())
    return found[~open_, 4].astype(np.float64), right[~open_]


def fit(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the log-odds, by maximum likelihood (Platt 1999)."""
    logit = np.log(confidence / (1 - confidence))

    def cost(x: NDArray[np.float64]) -> float:
        z = x[0] * logit + x[1]
        return float(np.mean(np.logaddexp(0, z) - right * z))

    slope, offset = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return round(float(slope), 4), round(float(offset), 4)


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Iterable[str]:
    """A line for each tenth of confidence."""
    for low in np.arange(0, 1, 0.1):
        some = (confidence >= low) & (confidence < low + 0.1)
        if some.any():
            share = right[some].mean()
            yield f"{low:.1f}-{low + 0.1:.1f}: {some.sum():6d} claims, {share:.3f} right"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True, help="folder of training.train")
    parser.add_argument("--labels", type=Path, nargs="*", default=[], help="of training.teach")
    parser.add_argument("--truth", type=Path, nargs="*", default=[], help="of synthesise")
    args = parser.parse_args()
    net, _ = load_average(args.net)
    pairs = []
    for file in (*args.labels, *args.truth):
        for source in read(file).values():
            try:
                pairs.append(claims(net, source))
            except ExtractionError:
                continue
    confidence = np.concatenate([c for c, _ in pairs])
    right = np.concatenate([r for _, r in pairs])
    slope, offset = fit(confidence, right)
    after = 1 / (1 + np.exp(-(slope * np.log(confidence / (1 - confidence)) + offset)))
    for name, values in (("before", confidence), ("after", after)):
        print(name, *reliability(values, right), sep="\n  ")
    (args.net / "confidence.json").write_text(json.dumps({"slope": slope, "offset": offset}))
    print(f"slope {slope}, offset {offset}, from {len(pairs)} prints")


if __name__ == "__main__":
    main()
