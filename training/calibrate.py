"""Make the confidence of a model file a probability: fitted on prints that no weight has seen.

    python -m training.calibrate --model fpmatch/minutiae/models/fpnet-4.fpnet \\
        --labels out/teacher/fvc2002_DB1_B.npz --truth out/unseen.npz

A claim is right if a label lies within `NEAR`
pixels and `TURN` radians, one to one. Writes the header anew, and prints how often claims of each
confidence are right before and after.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fpmatch.errors import ExtractionError
from fpmatch.image import FingerImage
from fpmatch.minutiae.model_file import read_model, write_model
from fpmatch.minutiae.neural import extract_neural
from fpmatch.parameters import NeuralParameters
from training.prints import Print, read
from training.teach import NEAR, TURN

CLEAR = 0.2
"""Labels of less confidence (or quality) neither confirm nor refute a claim."""
LEAST = NeuralParameters(threshold=0.02, second_look=0.0)
"""What the claims that are judged must reach; the network looks once."""


def claims(source: Print, model: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence of every claim on a print that its labels decide, and whether it is right."""
    least = dataclasses.replace(LEAST, model=model)
    found = extract_neural(FingerImage(source.pixels), None, least)
    labels = source.minutiae
    apart = np.hypot(*(found.xy[:, None] - labels[None, :, :2]).transpose(2, 0, 1))
    turn = np.abs(np.angle(np.exp(1j * (found.angle[:, None] - labels[None, :, 2]))))
    near = (apart <= NEAR) & (turn <= TURN)
    right, open_ = np.zeros((2, len(found)), np.bool_)
    free = labels[:, 4] >= CLEAR
    for i in np.argsort(-found.quality, kind="stable"):
        mine = np.flatnonzero(near[i] & free)
        if len(mine):
            right[i] = True
            free[mine[np.argmin(apart[i, mine])]] = False
        else:
            open_[i] = bool((near[i] & (labels[:, 4] < CLEAR)).any())
    return found.quality[~open_].astype(np.float64), right[~open_]


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
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--labels", type=Path, nargs="*", default=[], help="of training.teach")
    parser.add_argument("--truth", type=Path, nargs="*", default=[], help="of synthesise")
    args = parser.parse_args()
    header, network = read_model(args.model)
    pairs = []
    for file in (*args.labels, *args.truth):
        for source in read(file).values():
            try:
                pairs.append(claims(source, str(args.model.resolve())))
            except ExtractionError:
                continue
    confidence = np.concatenate([c for c, _ in pairs])
    confidence = np.clip(confidence, 1e-6, 1 - 1e-6)
    right = np.concatenate([r for _, r in pairs])
    slope, offset = fit(confidence, right)
    after = 1 / (1 + np.exp(-(slope * np.log(confidence / (1 - confidence)) + offset)))
    for name, values in (("before", confidence), ("after", after)):
        print(name, *reliability(values, right), sep="\n  ")
    header = dataclasses.replace(
        header,
        confidence_slope=round(slope * header.confidence_slope, 4),
        confidence_offset=round(slope * header.confidence_offset + offset, 4),
    )
    write_model(args.model, header, network)
    print(f"{len(pairs)} prints, {len(right)} claims; {header}")


if __name__ == "__main__":
    main()
