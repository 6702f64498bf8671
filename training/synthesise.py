"""Synthetic prints with exact labels, as one ``.npz``.

python -m training.synthesise --fingers 100 --impressions 3 --seed 50000 --out out/synthetic.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.synthetic import impression, master

SENSORS = ("optical", "capacitive", "ink")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=100)
    parser.add_argument("--impressions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=50_000, help="first master seed")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    arrays: dict[str, NDArray] = {}
    for finger in range(args.seed, args.seed + args.fingers):
        grown = master(finger)
        for i in range(args.impressions):
            touched = impression(grown, i, sensor=SENSORS[(finger + i) % len(SENSORS)])
            truth = touched.truth
            # Quality falls to 0 at the rim, where no one could tell a minutia from the border.
            labels = np.c_[truth.xy, truth.angle, truth.kind, truth.quality]
            arrays[f"{finger}_{i}_img"] = touched.pixels
            arrays[f"{finger}_{i}_min"] = labels.astype(np.float32)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {len(arrays) // 2} impressions")


if __name__ == "__main__":
    main()
