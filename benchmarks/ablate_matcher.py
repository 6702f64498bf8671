"""What each step of the matcher is worth in errors and microseconds, minutiae held fixed.

    python -m benchmarks.ablate_matcher [DATA] [--templates CACHE.npz]

Prints the table of docs/matching.md. The weights of the last steps are those in the parameters,
so the steps before the last are not tuned for themselves.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, identities, rank_one, read_templates
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate import verification_metrics
from fpmatch.parameters import MATCHER
from training.matcher import pair_features, raw_scores

CYLINDERS = {"cylinder_weight": 1.0, "texture_weight": 0.0, "least_similarity": 0.3}
MIXED = {"least_similarity": 0.45}
STEPS = [
    ("cylinders, greedy assignment, no relaxation", {**CYLINDERS, "sweeps": 0}, None),
    ("+ relaxation (5 sweeps)", CYLINDERS, None),
    ("+ orientation texture (0.6 : 0.4)", MIXED, None),
    ("+ only pairs more similar than 0.575", {}, None),
    ("+ consensus", {}, {"matched_weight": 0.0, "unmatched_weight": 0.0}),
    ("+ matched minutiae after re-alignment", {}, {"unmatched_weight": 0.0}),
    ("+ unmatched minutiae", {}, {}),
    ("all, gate 0", {"gate": 0}, {}),
    ("all, window 45 degrees", {"window": 32}, {}),
]


def main() -> None:
    """Print one line a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    arguments = parser.parse_args()
    templates = read_templates(arguments.data, arguments.templates)
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    identity = identities(arguments.data, names)
    gallery = pack([encode(t) for t in templates.values()])
    pair_features(pack(list(gallery)[:4]))
    print("| step | mean EER % | pooled FMR1000 % | rank-1 % | us per comparison |")
    print("|---|---|---|---|---|")
    for label, change, weights in STEPS:
        p = dataclasses.replace(MATCHER, **change)
        start = time.process_time()
        first, second, features = pair_features(gallery, p)
        cost = (time.process_time() - start) / len(first) * 1e6
        scores = features[:, 0].astype(np.int64)
        if weights is not None:
            scores = raw_scores(features, dataclasses.replace(p, **weights))
        same = folder[first] == folder[second]
        mated = identity[first] == identity[second]
        eers = [
            verification_metrics(scores[part & mated], scores[part & ~mated]).eer
            for part in (same & (folder[first] == name) for name in np.unique(folder))
        ]
        pooled = verification_metrics(scores[same & mated], scores[same & ~mated])
        rank = rank_one(scores, first, second, names, identity)
        print(
            f"| {label} | {np.mean(eers):.2f} | {pooled.fmr1000:.2f} | {rank:.2f} | {cost:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
