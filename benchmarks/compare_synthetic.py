"""How like real prints the synthetic ones are: statistics and score distributions side by side.

    python benchmarks/compare_synthetic.py --data ../shared/data --out docs/images

Generates prints, measures them and the FVC sets with the same extractor and both matchers, prints
a table and draws the plots of docs/synthetic.md. No pixel of a real print is drawn or kept.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

import fpmatch as fp
from fpmatch.descriptor import encode, pack
from fpmatch.errors import FpmatchError
from fpmatch.matcher import compare_many
from fpmatch.minutiae import extract_minutiae
from fpmatch.synthetic import write_prints
from fpmatch.template import quantise

REAL = {
    "FVC2002 DB1 (optical)": ("fvc2002/DB1_B", 500),
    "FVC2002 DB2 (optical)": ("fvc2002/DB2_B", 569),
    "FVC2000 DB1 (optical)": ("fvc2000/DB1_B", 500),
    "FVC2000 DB3 (optical)": ("fvc2000/DB3_B", 500),
    "FVC2000 DB2 (capacitive)": ("fvc2000/DB2_B", 500),
    "FVC2002 DB3 (capacitive)": ("fvc2002/DB3_B", 500),
    "FVC2000 DB4 (SFinGe)": ("fvc2000/DB4_B", 500),
    "FVC2002 DB4 (SFinGe)": ("fvc2002/DB4_B", 500),
}
STATISTICS = (
    "minutiae", "density", "endings", "area", "period", "period_spread", "coherence", "contrast",
    "darkness", "ridge_share", "clarity",
)  # fmt: skip


@dataclass
class Measured:
    """One set: a row of statistics an image, and scores."""

    rows: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in STATISTICS})
    mated: dict[str, np.ndarray] = field(default_factory=dict)
    nonmated: dict[str, np.ndarray] = field(default_factory=dict)
    failures: int = 0


def image_statistics(image: fp.FingerImage) -> tuple[dict[str, float], fp.Template]:
    stages: dict = {}
    found = extract_minutiae(image, stages=stages)
    mask = stages["mask"] > 0
    top, left, bottom, right = stages["window"]
    inner = mask[top:bottom, left:right]
    coarse = inner[::2, ::2]
    pixels = image.pixels.astype(np.float64)
    height, width = (n // 16 * 16 for n in mask.shape)
    blocks = pixels[:height, :width].reshape(height // 16, 16, width // 16, 16)
    full = mask[:height, :width].reshape(blocks.shape).all((1, 3))
    periods = stages["period"]
    period = periods.period[periods.peak > 0]
    coherence = stages["orientation"].coherence
    coarse = coarse[: coherence.shape[0], : coherence.shape[1]]
    area = float(mask.sum())
    return {
        "minutiae": float(len(found)),
        "density": 1000 * len(found) / area,
        "endings": float((found.kind == 1).mean()),
        "area": area / 1000,
        "period": float(np.median(period)),
        "period_spread": float(np.subtract(*np.percentile(period, [75, 25])) / np.median(period)),
        "coherence": float(np.mean(coherence[: coarse.shape[0], : coarse.shape[1]][coarse])),
        "contrast": float(blocks.std((1, 3))[full].mean()),
        "darkness": float(pixels[mask].mean()),
        "ridge_share": float(stages["ridges"][inner].mean()),
        "clarity": float(found.image_quality),
    }, quantise(found)


def measure(folder: Path, ppi: float, nbis: int) -> Measured:
    """``nbis``: how many impressions of each finger NBIS compares, for it is slow."""
    out = Measured()
    names = sorted(
        (p for p in folder.iterdir() if p.suffix in (".png", ".tif")),
        key=lambda p: tuple(int(n) for n in p.stem.split("_")),
    )
    fingers, forms, others = [], [], []
    for path in names:
        image = fp.read_image(path, ppi=ppi)
        try:
            row, template = image_statistics(image)
        except FpmatchError:
            out.failures += 1
            continue
        for key, value in row.items():
            out.rows[key].append(value)
        fingers.append(int(path.stem.split("_")[0]))
        forms.append(encode(template))
        if int(path.stem.split("_")[1]) <= nbis:
            others.append((len(fingers) - 1, nbis_minutiae(image)))
    who = np.array(fingers)
    scores = {"fpmatch": np.array([compare_many(f, pack(forms), None) for f in forms])}
    if nbis:
        scores["NBIS"] = np.full((len(who), len(who)), np.nan)
        for (i, a), (j, b) in combinations(others, 2):
            scores["NBIS"][i, j] = a.compare(b)
    upper = np.triu(np.ones((len(who), len(who)), bool), 1)
    same = who[:, None] == who[None, :]
    for name, matrix in scores.items():
        known = upper & ~np.isnan(matrix)
        out.mated[name] = matrix[known & same]
        out.nonmated[name] = matrix[known & ~same]
    return out


def nbis_minutiae(image: fp.FingerImage):
    import nbis
    from PIL import Image

    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    buffer = io.BytesIO()
    Image.fromarray(image.pixels).save(buffer, "PNG")
    return nbis.new_nbis_extractor(settings).extract_minutiae(buffer.getvalue())


def table(sets: dict[str, Measured]) -> str:
    lines = ["| set | " + " | ".join(STATISTICS) + " |", "|---" * (len(STATISTICS) + 1) + "|"]
    for name, m in sets.items():
        cells = [f"{np.mean(m.rows[s]):.2f} ± {np.std(m.rows[s]):.2f}" for s in STATISTICS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for matcher in next(iter(sets.values())).mated:
        lines += ["", f"| {matcher} scores | mated 5 % | 25 % | 50 % | 75 % | non-mated 50 % "
                  "| 90 % | 99 % | 99.9 % |", "|---" * 9 + "|"]  # fmt: skip
        for name, m in sets.items():
            a = np.percentile(m.mated[matcher], [5, 25, 50, 75])
            b = np.percentile(m.nonmated[matcher], [50, 90, 99, 99.9])
            lines.append(f"| {name} | " + " | ".join(f"{v:.0f}" for v in (*a, *b)) + " |")
    return "\n".join(lines)


def draw(sets: dict[str, Measured], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    out.mkdir(parents=True, exist_ok=True)
    shown = ("minutiae", "density", "period", "coherence", "contrast", "clarity")
    units = {
        "minutiae": "minutiae an image", "density": "minutiae per 1000 px",
        "period": "ridge period (px at 500 ppi)", "coherence": "orientation coherence",
        "contrast": "local contrast (gray levels)", "clarity": "image quality (0-100)",
    }  # fmt: skip
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for axis, key in zip(axes.flat, shown, strict=True):
        axis.boxplot(
            [m.rows[key] for m in sets.values()], orientation="horizontal", widths=0.6,
            showfliers=False, patch_artist=True,
            boxprops={"facecolor": "#dddddd"}, medianprops={"color": "black"},
        )  # fmt: skip
        for box, name in zip(axis.patches, sets, strict=True):
            if name.startswith("synthetic"):
                box.set_facecolor("#e69f00")
        first = axis in axes[:, 0]
        axis.set_yticks(range(1, len(sets) + 1), list(sets) if first else [""] * len(sets))
        axis.invert_yaxis()
        axis.set_xlabel(units[key])
    figure.savefig(out / "synthetic_statistics.png", dpi=90)
    plt.close(figure)
    matchers = list(next(iter(sets.values())).mated)
    figure, axes = plt.subplots(
        len(matchers), 2, figsize=(12, 4.2 * len(matchers)), layout="constrained", squeeze=False
    )
    for row, matcher in zip(axes, matchers, strict=True):
        for name, m in sets.items():
            ours = name.startswith("synthetic")
            style = {
                "color": "#d55e00" if ours else "#999999" if "SFinGe" in name else "#0072b2",
                "linestyle": "--" if "capacitive" in name else ":" if "DB4" in name else "-",
                "linewidth": 2.2 if ours else 1.0,
                "label": name,
            }
            values = np.sort(m.mated[matcher])
            row[0].plot(values, np.linspace(0, 1, len(values)), **style)
            values = np.sort(m.nonmated[matcher])[::-1]
            row[1].plot(values, np.arange(1, len(values) + 1) / len(values), **style)
        row[0].set(xlabel=f"{matcher} score", ylabel="share of mated pairs below")
        row[1].set(xlabel=f"{matcher} score", ylabel="share of non-mated pairs above", yscale="log")
        row[1].legend(fontsize=7)
    figure.savefig(out / "synthetic_scores.png", dpi=90)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fingers", type=int, default=10)
    parser.add_argument("--impressions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=5000)
    parser.add_argument("--only", default="", help="measure only sets whose name holds this")
    parser.add_argument(
        "--nbis", type=int, default=4, help="impressions a finger for NBIS; 0: none"
    )
    args = parser.parse_args()
    sets: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for k, sensor in enumerate(("optical", "capacitive", "ink")):
            name = f"synthetic {sensor}"
            if args.only not in name:
                continue
            folder = Path(scratch) / sensor
            seed = args.seed + 1000 * k
            write_prints(folder, args.fingers, args.impressions, seed, sensor=sensor)
            sets[name] = measure(folder, 500, args.nbis)
    for name, (path, ppi) in REAL.items():
        if args.only in name and (args.data / path).is_dir():
            sets[name] = measure(args.data / path, ppi, args.nbis)
    print(table(sets))
    if args.out:
        draw(sets, args.out)
    if args.json:
        args.json.write_text(
            json.dumps(
                {n: {s: list(map(float, v)) for s, v in m.rows.items()} for n, m in sets.items()}
            )
        )


if __name__ == "__main__":
    main()
