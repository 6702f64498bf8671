"""Whether galleries made without images score as real prints do, to the tail of the non-mated.

    python benchmarks/compare_gallery.py --data ../shared/data --out docs/images

Prints a table of score quantiles and draws the quantile plot of docs/synthetic.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.errors import FpmatchError
from fpmatch.matcher import compare_many
from fpmatch.synthetic import mates, templates

FOLDERS = {
    "fvc2000/DB1_B": 500, "fvc2000/DB2_B": 500, "fvc2000/DB3_B": 500,
    "fvc2002/DB1_B": 500, "fvc2002/DB2_B": 569, "fvc2002/DB3_B": 500,
}  # fmt: skip
MATED = (1, 5, 10, 25, 50, 75, 90)
NONMATED = (50, 90, 99, 99.9)


def real_scores(data: Path) -> tuple[np.ndarray, np.ndarray]:
    mated, nonmated = [], []
    for folder, ppi in FOLDERS.items():
        who, forms = [], []
        for path in sorted((data / folder).glob("*.tif")):
            try:
                forms.append(encode(fp.extract(fp.read_image(path, ppi=ppi))))
            except FpmatchError:
                continue
            who.append(path.stem.split("_")[0])
        fingers = np.array(who)
        scores = np.array([compare_many(f, pack(forms), None) for f in forms])
        upper = np.triu(np.ones(scores.shape, bool), 1)
        same = fingers[:, None] == fingers[None, :]
        mated.append(scores[upper & same])
        nonmated.append(scores[upper & ~same])
    return np.concatenate(mated), np.concatenate(nonmated)


def gallery_scores(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every finger's mate against it, and a tenth of the mates against everyone else."""
    gallery = pack([encode(t) for t in templates(count, seed)])
    mated, nonmated = [], []
    for row, probe in enumerate(mates(count, seed)):
        form = encode(probe)
        if row % 10 == 0:
            scores = compare_many(form, gallery, None)
            mated.append(scores[row])
            nonmated.append(np.delete(scores, row))
        else:
            mated.append(compare_many(form, gallery, np.array([row]))[0])
    return np.array(mated), np.concatenate(nonmated)


def draw(real: tuple, made: tuple, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    tail = np.concatenate([np.linspace(1, 90, 90), 100 - np.logspace(1, -3, 60)])
    for axis, k, at, name in (
        (axes[0], 0, np.linspace(1, 99, 99), "mated"),
        (axes[1], 1, tail, "non-mated"),
    ):
        a, b = np.percentile(real[k], at), np.percentile(made[k], at)
        axis.plot([0, max(a[-1], b[-1])], [0, max(a[-1], b[-1])], color="#999999", linewidth=1)
        axis.plot(a, b, color="#0072b2", marker=".", linewidth=1)
        for mark in (50, 99, 99.9) if k else (5, 50, 95):
            x, y = np.percentile(real[k], mark), np.percentile(made[k], mark)
            axis.plot(x, y, marker="o", color="#d55e00")
            axis.annotate(f"{mark:g} %", (x, y), xytext=(8, -12), textcoords="offset points")
        axis.set(xlabel=f"real prints, {name} score", ylabel=f"gallery, {name} score")
        axis.set_title(f"{name} quantiles: {len(real[k])} real, {len(made[k])} synthetic")
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "synthetic_gallery_quantiles.png", dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--fingers", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    made = gallery_scores(args.fingers, args.seed)
    real = real_scores(args.data)
    head = [f"mated {q:g} %" for q in MATED] + [f"non-mated {q:g} %" for q in NONMATED]
    print("| | " + " | ".join(head) + " |")
    print("|---" * (len(head) + 1) + "|")
    for name, (mated, nonmated) in (("six FVC sets", real), ("gallery", made)):
        values = [*np.percentile(mated, MATED), *np.percentile(nonmated, NONMATED)]
        print(f"| {name} | " + " | ".join(f"{v:.0f}" for v in values) + " |")
    if args.out:
        draw(real, made, args.out)


if __name__ == "__main__":
    main()
