"""Synthetic prints on sensors drawn at random, with exact labels, as one ``.npz``.

python -m training.synthesise --fingers 500 --impressions 5 --seed 50000 --out out/synthetic.npz
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from fpmatch.synthetic import impression, master
from fpmatch.synthetic.sensors import SENSORS, Sensor
from training.prints import CELL, Print, write

KINDS = ("optical", "capacitive", "ink")


def draw_sensor(rng: np.random.Generator) -> Sensor:
    """A sensor like one of the three kinds, but dry or wet, sharp or dull, even or worn."""
    base = SENSORS[KINDS[rng.integers(len(KINDS))]]

    def about(value: float, spread: float) -> float:
        return float(value * np.exp(rng.normal(0, spread)))

    return dataclasses.replace(
        base,
        name="drawn",
        contact=(about(base.contact[0], 0.1), about(base.contact[1], 0.1)),
        paper=base.paper + float(rng.normal(0, 12)),
        ink=max(0.0, base.ink + float(rng.normal(0, 15))),
        moisture=(base.moisture[0] + float(rng.normal(0, 0.15)), base.moisture[1] * 1.3),
        blotch=about(base.blotch, 0.35),
        grain=tuple(about(g, 0.35) for g in base.grain),  # type: ignore[arg-type]
        softness=about(base.softness, 0.3),
        pores=float(rng.uniform(0.1, 1.3)),
        creases=float(rng.uniform(0.8, 2.2)),
        blur=about(base.blur, 0.35),
        haze=float(rng.uniform(0.0, 0.3)),
        noise=about(max(base.noise, 1.0), 0.6),
        stripes=float(rng.uniform(0, 3)) if rng.random() < 0.3 else 0.0,
        shade=about(base.shade, 0.5),
        specks=about(base.specks, 0.5),
        levels=int(rng.choice([32, 64, 128, 256])),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingers", type=int, default=500)
    parser.add_argument("--impressions", type=int, default=5)
    parser.add_argument("--seed", type=int, default=50_000, help="first master seed")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    prints: dict[str, Print] = {}
    for finger in range(args.seed, args.seed + args.fingers):
        grown = master(finger)
        rng = np.random.default_rng([finger, 7])
        for i in range(args.impressions):
            touched = impression(grown, i, sensor=draw_sensor(rng))
            truth = touched.truth
            # Quality falls to 0 at the rim, where no one could tell a minutia from the border.
            labels = np.c_[truth.xy, truth.angle, truth.kind, truth.quality]
            field = touched.orientation[CELL // 2 :: CELL, CELL // 2 :: CELL]
            prints[f"{finger}_{i}"] = Print.of(touched.pixels, labels, field)
    write(args.out, prints)
    print(f"{args.out}: {len(prints)} impressions")


if __name__ == "__main__":
    main()
