"""Fit the matcher's evidence weights on the FVC development sets, and see what they give.

    python -m benchmarks.fit_calibration [DATA] [--templates CACHE.npz] [--weights]

Extracts every impression with the default extractor (or reads the templates from the cache, which
is made if absent), compares all pairs, and prints the errors, the curve of pairs of all sensors
alike (the one in force is fitted by `benchmarks.fit_sizes`), and the false match rate at a fixed
score by minutiae count. With
``--weights`` the weights of the first evidence are fitted too, and cross-checked by fitting on one
half of the sets and testing on the other. Takes about a minute.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import json
import os
from pathlib import Path

import numpy as np

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.errors import ExtractionError
from fpmatch.evaluate import verification_metrics
from fpmatch.parameters import MATCHER
from fpmatch.template import Template
from training.matcher import (
    first_scores,
    fit_calibration,
    fit_weights,
    pair_features,
    raw_scores,
)

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data"))


def read_templates(
    data: Path, cache: Path | None, folders: str = "fvc.json"
) -> dict[str, Template]:
    """Templates by ``folder/finger_impression``; failures to extract are left out.

    ``folders`` is the file of `data` that names the folders and their resolutions.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as stored:
            return {name: Template.from_bytes(stored[name].tobytes()) for name in stored.files}
    templates = {}
    for folder, ppi in json.loads((data / folders).read_text()).items():
        for path in sorted((data / folder).glob("*.[tp][in][fg]")):
            try:
                templates[f"{folder}/{path.stem}"] = fp.extract(fp.read_image(path, ppi=ppi))
            except ExtractionError as error:
                print(f"{folder}/{path.stem}: {error}")
    if cache is not None:
        np.savez(cache, **{k: np.frombuffer(t.to_bytes(), np.uint8) for k, t in templates.items()})
    return templates


def identities(data: Path, names: list[str]) -> np.ndarray:
    """One number per identity; fingers that identities.csv joins share theirs."""
    joined = {}
    with (data / "identities.csv").open() as lines:
        for row in csv.DictReader(lines):
            joined[f"{row['folder']}/{row['finger']}"] = (
                f"{row['same_as_folder']}/{row['same_as_finger']}"
            )
    fingers = [name.rsplit("_", 1)[0] for name in names]
    _, number = np.unique([joined.get(f, f) for f in fingers], return_inverse=True)
    return number


def report(scores, first, second, folder, finger, label):
    """Errors within folders (mean and pooled) and rank-1."""
    same = folder[first] == folder[second]
    mated = finger[first] == finger[second]
    parts = []
    for name in np.unique(folder):
        inside = same & (folder[first] == name)
        parts.append(verification_metrics(scores[inside & mated], scores[inside & ~mated]))
    pooled = verification_metrics(scores[same & mated], scores[same & ~mated])
    print(
        f"{label:24s} mean EER {np.mean([m.eer for m in parts]):.2f} "
        f"FMR1000 {np.mean([m.fmr1000 for m in parts]):.2f} | pooled EER {pooled.eer:.2f} "
        f"FMR100 {pooled.fmr100:.2f} FMR1000 {pooled.fmr1000:.2f} Zero {pooled.zerofmr:.2f} | by "
        "set " + " ".join(f"{m.eer:.1f}" for m in parts)
    )


def cross_check(features, mated, first, second, folder):
    """Fit on half of the sets, score the other half, both ways."""
    names = np.unique(folder)
    scores = np.full(len(first), -1, np.int64)
    for half in (names[::2], names[1::2]):
        train = np.isin(folder[first], half) & np.isin(folder[second], half)
        test = ~np.isin(folder[first], half) & ~np.isin(folder[second], half)
        weights = fit_weights(features[train], mated[train])
        print("  half:", weights)
        p = dataclasses.replace(MATCHER, **dataclasses.asdict(weights))
        scores[test] = first_scores(features[test], p)
    return scores


def rank_one(scores, first, second, names, identity):
    """Share of later impressions whose best first impression is of their finger, percent."""
    n = len(names)
    matrix = np.zeros((n, n))
    matrix[first, second] = matrix[second, first] = scores
    gallery = np.array([name.endswith("_1") for name in names])
    score = matrix[~gallery][:, gallery]
    own = identity[~gallery][:, None] == identity[gallery][None]
    best = np.where(own, score, -1).max(axis=1) > np.where(own, -1, score).max(axis=1)
    return 100 * best.mean()


def by_size(raw, nonmated, sizes):
    """False match rate at the pooled 1 in 1000 threshold, by minutiae of the smaller side."""
    threshold = np.quantile(raw[nonmated], 0.999)
    edges = [0, 15, 20, 25, 30, 35, 40, 50, 65]
    print("FMR at the score of 30, by minutiae of the smaller side:")
    for low, high in itertools.pairwise(edges):
        part = nonmated & (sizes >= low) & (sizes < high)
        if part.sum() > 1000:
            rate = (raw[part] > threshold).mean()
            print(f"  {low:2d}..{high - 1:2d}: {part.sum():7d} pairs, FMR {rate:.5f}")


def main() -> None:
    """Fit, print, check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--weights", action="store_true")
    arguments = parser.parse_args()

    templates = read_templates(arguments.data, arguments.templates)
    names = list(templates)
    finger = np.array([name.rsplit("_", 1)[0] for name in names])
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    identity = identities(arguments.data, names)
    forms = [encode(t) for t in templates.values()]
    first, second, features = pair_features(pack(forms))
    mated = identity[first] == identity[second]
    print(f"{len(names)} impressions, {mated.sum()} mated and {(~mated).sum()} non-mated pairs")
    print(f"past the gate: {(features[~mated, 1] >= 0).mean():.3f} of the non-mated,", end=" ")
    print(f"{(features[mated, 1] >= 0).mean():.4f} of the mated")
    report(features[:, 0], first, second, folder, finger, "relaxation alone")
    if arguments.weights:
        crossed = cross_check(features, mated, first, second, folder)
        report(crossed, first, second, folder, finger, "fitted on the other half")
        print(fit_weights(features, mated))
    scores = raw_scores(features)
    report(scores, first, second, folder, finger, "all evidence")
    print(f"rank-1 {rank_one(scores, first, second, names, identity):.2f} %")
    print(f"{len(np.unique(scores[~mated]))} distinct non-mated scores")
    raw, value = fit_calibration(scores[~mated])
    print(f"    raw: tuple[int, ...] = {raw}\n    value: tuple[float, ...] = {value}")
    minutiae = np.array([len(f) for f in forms])
    by_size(scores, ~mated, np.minimum(minutiae[first], minutiae[second]))


if __name__ == "__main__":
    main()
