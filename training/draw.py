"""The pictures of ``docs/neural.md``: the curve, and the extractor beside the truth.

    python -m training.draw --net out/net --out docs/images

Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from fpmatch.minutiae import extract_minutiae
from fpmatch.synthetic import impression, master

PARTS = ("heat", "offset", "direction", "flow", "held")
PRINTS = ((81, "optical"), (82, "capacitive"), (83, "ink"))
"""Master seeds that training never draws, and sensors."""


def curve(log: Path, out: Path) -> None:
    """Each part of the loss over the steps; ``held`` is the whole loss of the unseen database."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for part in PARTS:
        points = [(r["step"], r[part]) for r in rows if part in r]
        name = "all parts, unseen database" if part == "held" else part
        axes.plot(*zip(*points, strict=True), label=name, lw=2 if part == "held" else 1)
    axes.set(xlabel="steps of 16 crops", ylabel="loss", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out, dpi=110)


def overlay(out: Path) -> None:
    """True minutiae, claims that are not true, and clear ones that were missed."""
    figure, axes = plt.subplots(1, len(PRINTS), figsize=(13, 5), constrained_layout=True)
    for (seed, sensor), ax in zip(PRINTS, axes, strict=True):
        touched = impression(master(seed), 0, sensor=sensor)
        found = extract_minutiae(touched.image, extractor="neural")
        truth = touched.truth
        apart = np.hypot(*(found.xy[:, None] - truth.xy[None]).transpose(2, 0, 1))
        turn = np.cos(found.angle[:, None] - truth.angle[None])
        agree = (apart < 10) & (turn > np.cos(np.pi / 6))
        missed = ~agree.any(axis=0) & (truth.quality > 0.5)
        ax.imshow(touched.pixels, cmap="gray", vmin=-150, vmax=255)
        right = agree.any(axis=1)
        for group, colour in ((right, "tab:blue"), (~right, "tab:orange")):
            _mark(ax, found.xy[group], found.angle[group], colour)
        _mark(ax, truth.xy[missed], truth.angle[missed], "deeppink")
        ax.set_title(f"{sensor}: {right.sum()} true, {(~right).sum()} false, {missed.sum()} missed")
        ax.axis("off")
    figure.savefig(out, dpi=110)


def _mark(ax: plt.Axes, xy: np.ndarray, angle: np.ndarray, colour: str) -> None:
    ax.plot(xy[:, 0], xy[:, 1], "o", mfc="none", ms=6, color=colour)
    ax.quiver(
        xy[:, 0], xy[:, 1], np.cos(angle), -np.sin(angle),
        color=colour, scale=28, width=0.004, headwidth=1, headlength=0,
    )  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", type=Path, required=True, help="folder of training.train")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    curve(args.net / "log.csv", args.out / "neural_curve.png")
    overlay(args.out / "neural_overlay.png")


if __name__ == "__main__":
    main()
