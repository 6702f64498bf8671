"""Errors of the learned extractor on sets that a model file's training left out.

    python -m benchmarks.extractor_left_out MODEL.fpnet [MODEL.fpnet ...] \\
        [--sets fvc2000/DB3_B sd4] [--whole] [--data DATA] [--window 200 152] [--coarse 300]

Extracts every impression with each of the files in turn and compares all pairs of each set under
the scale in force. Prints EER and FMR1000 of each set, their mean and those of all pairs together,
with 95 % intervals over fingers; the share of mated pairs under a score of 40; and, which is
steadier than either where errors are few, the mean score of mated pairs, of which what lies over
60 counts as 60. What a file was trained on it says itself: it is printed first.

Measured are the prints that `training.split` keeps back: all of FVC2000 DB3 B and every second
finger of `sd4`; `--whole` measures whole sets, for files that learnt from less, and `--seen` what
is not kept back, for changes that no weight has learnt.

Of several files the changes from the first one follow, paired: the same fingers are drawn for both,
and a pair scores 0 where a file finds too few minutiae in one of its prints.

`--window` and `--coarse` make the prints what a small sensor of few pixels an inch would have
given: the middle of the print, so many pixels high and wide, sampled at so many pixels an inch.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from pathlib import Path

import cv2
import numpy as np

import fpmatch as fp
from benchmarks.fit_calibration import DATA, identities
from benchmarks.left_out import Part, table, whole_pairs
from fpmatch.descriptor import encode
from fpmatch.errors import ExtractionError
from fpmatch.minutiae.extract import EXTRACTORS
from fpmatch.minutiae.network import model
from fpmatch.minutiae.neural import extract_neural
from fpmatch.parameters import NEURAL
from training.fingers import draws
from training.matcher import raw_scores
from training.sizes import value_of
from training.split import HALVED, LEFT_OUT, left_out

CAP = 60.0
DECISION = 40.0


def use(path: Path) -> None:
    """Extract with this model file from now on, in this process."""
    parameters = dataclasses.replace(NEURAL, model=str(path.resolve()))
    EXTRACTORS["neural"] = functools.partial(extract_neural, parameters=parameters)


def middle(pixels: np.ndarray, window: list[int]) -> np.ndarray:
    """The middle of the print's darker part."""
    dark = cv2.GaussianBlur(255.0 - pixels, (0, 0), 40)
    h, w = (min(a, b) for a, b in zip(window, pixels.shape, strict=True))
    row, column = np.unravel_index(np.argmax(dark), dark.shape)
    top = int(np.clip(row - h // 2, 0, pixels.shape[0] - h))
    left = int(np.clip(column - w // 2, 0, pixels.shape[1] - w))
    return np.ascontiguousarray(pixels[top : top + h, left : left + w])


def changed(image, args):
    """The print as another sensor would have given it."""
    pixels = image.pixels
    if args.window:
        pixels = middle(pixels, args.window)
    if args.coarse:
        size = [round(s * args.coarse / 500) for s in pixels.shape[::-1]]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, pixels.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return fp.FingerImage(pixels)


def read_templates(args) -> dict[str, fp.Template]:
    """Templates by ``set/finger_impression``; what cannot be read is said."""
    ppi = json.loads((args.data / "ppi.json").read_text())
    templates = {}
    for folder in args.sets:
        paths = sorted((args.data / folder).glob("*.[tp][in][fg]"))
        kept = left_out(folder, [path.stem for path in paths])
        for path in paths:
            if (path.stem in kept) == args.seen and not args.whole:
                continue
            try:
                image = changed(fp.read_image(path, ppi=ppi[folder]), args)
                templates[f"{folder}/{path.stem}"] = fp.extract(image)
            except ExtractionError as error:
                print(f"{folder}/{path.stem}: {error}")
    return templates


def report(templates: dict[str, fp.Template], args) -> dict[tuple[str, str], float]:
    """Rates, misses and mean mated scores; the scores of all pairs, by their names."""
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    identity = identities(args.data, names)
    first, second, features = whole_pairs([encode(t) for t in templates.values()], folder)
    one, other, group = identity[first], identity[second], folder[first]
    value = value_of(raw_scores(features))
    mated = one == other
    table("  rates", value, one, other, group, draws(folder, identity))
    for name in [*np.unique(folder), "all"]:
        own = value[mated & ((group == name) | (name == "all"))]
        alien = value[~mated & ((group == name) | (name == "all"))]
        print(
            f"  {name:14s} {len(own)} mated pairs, under {DECISION:.0f}: "
            f"{100 * np.mean(own < DECISION):.2f} %; mean score {np.minimum(own, CAP).mean():.2f}; "
            f"{len(alien)} non-mated, over 30: {1e3 * np.mean(alien >= 30):.2f} in 1000"
        )
    quality = np.array([t.image_quality for t in templates.values()])
    print(f"  image quality, median {np.median(quality):.0f}, lowest tenth under "
          f"{np.quantile(quality, 0.1):.0f}; minutiae, median "
          f"{np.median([len(t) for t in templates.values()]):.0f}", flush=True)  # fmt: skip
    return {(names[i], names[j]): v for i, j, v in zip(first, second, value, strict=True)}


class Measured:
    """Pairs of one set or of all, under one file."""

    def __init__(self, values, one, other):
        self.part = Part(values, one, other)
        self.own = np.minimum(values[one == other], CAP)

    def figures(self, weight=None) -> np.ndarray:
        """EER, FMR1000 and the mean mated score, fingers counted so often."""
        often = None if weight is None else weight[self.part.mated]
        return np.array([*self.part.rates(weight), np.average(self.own, weights=often)])


def changes(scores: list[dict[tuple[str, str], float]], labels: list[str], args) -> None:
    """Each against the first, with intervals over fingers."""
    pairs = sorted(set().union(*scores))
    names = sorted({name for pair in pairs for name in pair})
    at = {name: i for i, name in enumerate(names)}
    identity = identities(args.data, names)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    rows = np.array([[at[a], at[b]] for a, b in pairs])
    one, other = identity[rows].T
    group, weights = folder[rows[:, 0]], draws(folder, identity)
    values = [np.array([found.get(pair, 0.0) for pair in pairs]) for found in scores]
    for name in [*np.unique(folder), "pooled"]:
        some = (group == name) | (name == "pooled")
        parts = [Measured(v[some], one[some], other[some]) for v in values]
        base = [part.figures() for part in parts]
        drawn = np.array([[part.figures(w) for part in parts] for w in weights])
        for k in range(1, len(parts)):
            low, high = np.percentile(drawn[:, k] - drawn[:, 0], [2.5, 97.5], axis=0)
            said = [
                f"{label} {new:.2f} ({new - old:+.2f} [{a:+.2f}, {b:+.2f}])"
                for label, new, old, a, b in zip(
                    ("EER", "FMR1000", "mean"), base[k], base[0], low, high, strict=True
                )
            ]
            print(f"  {name:14s} {labels[k]}: " + ", ".join(said), flush=True)


def add_prints(parser: argparse.ArgumentParser) -> None:
    """The options that say which prints are measured."""
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="*", default=[*LEFT_OUT, *HALVED])
    parser.add_argument("--whole", action="store_true", help="what is not kept back as well")
    parser.add_argument("--seen", action="store_true", help="what is not kept back, alone")
    parser.add_argument("--window", type=int, nargs=2, help="rows and columns, pixels")
    parser.add_argument("--coarse", type=float, help="pixels an inch")


def main() -> None:
    """Each file in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    add_prints(parser)
    args = parser.parse_args()
    scores = []
    for path in args.models:
        use(path)
        print(f"{path}: {model(str(path.resolve()))[0].trained_on}")
        scores.append(report(read_templates(args), args))
    if len(scores) > 1:
        print(f"changes from {args.models[0].name}")
        changes(scores, [path.name for path in args.models], args)


if __name__ == "__main__":
    main()
