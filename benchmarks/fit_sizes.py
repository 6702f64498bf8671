"""Fit the scale of scores by size on the development sets; hold its claims against what is seen.

    python -m benchmarks.fit_sizes [DATA] [--templates CACHE.npz]

Compares whole prints with whole prints, and touches of parts of them with whole prints, of
FVC2000, FVC2002 DB1-4 B and sd4. Prints the offsets and the curve to put in
`fpmatch/parameters.py`, and observed by claimed false match rates by size: those of every set
under the scale that was fitted on the other sets. Takes some minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, identities, read_templates, report
from fpmatch.descriptor import encode, pack
from fpmatch.matcher._kernels import feature_rows
from fpmatch.matcher.compare import _columns, _geometry
from fpmatch.matcher.tables import TURNS, scratch, tables
from fpmatch.parameters import DESCRIPTOR, MATCHER
from training.left_out import PEOPLE
from training.matcher import raw_scores
from training.sizes import (
    SHOWN,
    TOUCH_MINUTIAE,
    Pairs,
    by_size,
    fit_curve,
    fit_offsets,
    ratios,
    raw_of,
    touch,
)

SEED = 20
TOUCHES = 3


def compare_rows(probe, gallery, rows, turns=TURNS["any"]):
    """Features of one print against rows, at each of the turns: (turns, K, 5) int32."""
    work = scratch(DESCRIPTOR.max_minutiae, DESCRIPTOR.max_minutiae)
    out = np.zeros((len(turns), len(rows), 5), np.int32)
    for turned, into in zip(turns, out, strict=True):
        feature_rows(
            _columns(probe), *_geometry(probe), _columns(gallery), gallery.offsets, rows,
            tables(turned=turned), work, into,
        )  # fmt: skip
    return out


def plain_evidence(features):
    """Raw score above the gate before anything is taken off for size; -1 below the gate."""
    t = tables()
    raw = raw_scores(features) - np.where(features[:, 1] < 0, 0, t.size[features[:, 4]])
    return np.where(features[:, 1] < 0, -1, raw - MATCHER.gate)


def pairs_of(features, unit):
    """A turn's pairs as `training.sizes` takes them."""
    size = features[:, 4].astype(np.int64)
    return Pairs(plain_evidence(features), features[:, 0].astype(np.int64), size, unit)


def best_raw(features, unit, offsets):
    """Raw scores at any rotation."""
    return np.max([raw_of(pairs_of(one, unit), offsets) for one in features], axis=0)


def whole_pairs(forms):
    """All pairs of whole prints: rows, and features at four turns."""
    gallery = pack(forms)
    found = [
        compare_rows(forms[i], gallery, np.arange(i + 1, len(forms))) for i in range(len(forms) - 1)
    ]
    return *np.triu_indices(len(forms), 1), np.concatenate(found, axis=1)


def touch_pairs(templates, forms, folder, turns=TURNS["any"]):
    """Touches against the whole prints of their set but the one they are of: sources, rows,
    features.
    """
    rng = np.random.default_rng(SEED)
    gallery = pack(forms)
    sources, rows, found = [], [], []
    for _ in range(TOUCHES):
        for i, template in enumerate(templates):
            if len(template) < TOUCH_MINUTIAE[0]:
                continue
            form = encode(touch(template, rng))
            others = np.flatnonzero(folder == folder[i])
            others = others[others != i]
            if len(form) >= MATCHER.fewest:
                sources.append(np.full(len(others), i))
                rows.append(others)
                found.append(compare_rows(form, gallery, others, turns))
    return np.concatenate(sources), np.concatenate(rows), np.concatenate(found, axis=1)


def show(label, values, size):
    """A table of observed by claimed rates."""
    print(f"{label}: observed / claimed FMR at " + ", ".join(map(str, SHOWN)))
    for name, count, found in [*by_size(values, size), ("all", len(values), ratios(values))]:
        print(f"  {name:9s} {count:8d}  " + "  ".join(f"{r:6.2f}" for r in found))


def main() -> None:
    """Fit, print, check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    arguments = parser.parse_args()

    templates = read_templates(arguments.data, arguments.templates, "ppi.json")
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    unit = np.array([PEOPLE.get(f, f) for f in folder])
    identity = identities(arguments.data, names)
    forms = [encode(t) for t in templates.values()]
    first, second, whole = whole_pairs(forms)
    sources, rows, part = touch_pairs(list(templates.values()), forms, folder)
    mated, sensor = identity[first] == identity[second], folder[first] == folder[second]
    fitted = sensor & ~mated
    other = identity[sources] != identity[rows]
    both = np.concatenate([whole[:, fitted], part[:, other]], axis=1)
    units = np.concatenate([unit[first[fitted]], unit[rows[other]]])
    pairs = pairs_of(both[0], units)
    print(f"{len(names)} prints; {(~mated).sum() + other.sum()} non-mated pairs in all")

    offsets = fit_offsets(pairs)
    print("size_evidence:", np.round(offsets / 1000, 2).tolist())
    offsets = np.array(MATCHER.size_evidence) * 1000
    print("with the offsets in force:")
    raw = raw_of(pairs, offsets)
    print(*fit_curve(raw, pairs), sep="\n")
    print("any rotation:", *fit_curve(best_raw(both, units, offsets), pairs), sep="\n")

    values = np.full(len(raw), np.nan)
    score = np.where(whole[0][:, 1] < 0, whole[0][:, 0], plain_evidence(whole[0]) + MATCHER.gate)
    finger = np.array([name.rsplit("_", 1)[0] for name in names])
    report(score, first, second, folder, finger, "with no regard to size")
    crossed = score.copy()
    for name in np.unique(unit):
        rest = pairs.of(np.unique(unit[unit != name]))
        own = fit_offsets(rest)
        curve = fit_curve(raw_of(rest, own), rest)
        inside = pairs.unit == name
        values[inside] = np.interp(raw_of(pairs, own)[inside], *curve)
        here = sensor & (unit[first] == name)
        crossed[here] = raw_of(pairs_of(whole[0][here], unit[first[here]]), own)
    report(crossed, first, second, folder, finger, "by size, cross-fitted")
    report(raw_scores(whole[0]), first, second, folder, finger, "by size, in force")
    show("every set under the scale of the others", values, pairs.size)
    for name in np.unique(unit):
        own = pairs.unit == name
        print(f"  {name}: {own.sum()} pairs", " ".join(f"{r:.2f}" for r in ratios(values[own])))


if __name__ == "__main__":
    main()
