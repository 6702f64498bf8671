"""Errors of the matcher under numbers that were fitted without what is measured.

    python -m benchmarks.left_out [DATA] [--templates CACHE.npz]

Every set of FVC2000, FVC2002 DB1-4 B and sd4 in turn, and every kind of sensor in turn, is scored
with weights, offsets by size and a curve that were fitted on the others; sets of the same people
are never apart. Prints EER and FMR1000 of each, their means and those of all pairs together, with
95 % intervals over fingers, beside the numbers in force, which were tuned on all of them. The
extractor and the matcher's other parameters have seen all sets all the same. A minute or two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, identities, read_templates
from benchmarks.fit_sizes import compare_rows, touch_pairs
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate.bootstrap import percentile_interval
from fpmatch.evaluate.metrics import Comparisons, summarise
from fpmatch.matcher.tables import TURNS
from fpmatch.parameters import EVALUATE
from training.fingers import draws
from training.left_out import SENSORS, Compared, left_out_values
from training.matcher import raw_scores
from training.sizes import value_of

RATES = ("eer", "fmr1000")
TOUCHES = 12
"""Of each print."""


def whole_pairs(forms, folder):
    """Pairs of whole prints within sets: rows, and their features."""
    gallery = pack(forms)
    first, second = np.triu_indices(len(forms), 1)
    same = folder[first] == folder[second]
    first, second = first[same], second[same]
    found = [
        compare_rows(forms[i], gallery, second[first == i], TURNS["upright"])[0]
        for i in np.unique(first)
    ]
    return first, second, np.concatenate(found)


class Part:
    """Pairs of one set or of all, with the fingers behind them."""

    def __init__(self, scores, one, other):
        mated = one == other
        self.comparisons = Comparisons(scores[mated], scores[~mated])
        self.mated, self.one, self.other = one[mated], one[~mated], other[~mated]

    def rates(self, w=None):
        """EER and FMR1000, percent, with fingers counted so often."""
        counts = (
            self.comparisons.counts()
            if w is None
            else self.comparisons.counts(w[self.mated], w[self.one] * w[self.other])
        )
        found = summarise(counts)
        return np.array([getattr(found, rate) for rate in RATES])


def table(label, scores, one, other, group, weights):
    """Rates by group, their mean and those of all pairs, each with its interval."""
    names = np.unique(group)
    parts = [Part(scores[group == n], one[group == n], other[group == n]) for n in names]
    pool = Part(scores, one, other)
    each = [p.rates() for p in parts]
    rows = [*each, np.mean(each, axis=0), pool.rates()]
    drawn = []
    for w in weights:
        again = [p.rates(w) for p in parts]
        drawn.append([*again, np.mean(again, axis=0), pool.rates(w)])
    print(f"{label}: EER %, FMR1000 %")
    for k, name in enumerate([*names, "mean", "pooled"]):
        cells = []
        for r in range(len(RATES)):
            low, high = percentile_interval([d[k][r] for d in drawn], EVALUATE.level)
            cells.append(f"{rows[k][r]:5.2f} [{low:.2f}-{high:.2f}]")
        print(f"  {name:14s} " + "   ".join(f"{c:18s}" for c in cells), flush=True)


def main() -> None:
    """Fit without, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    arguments = parser.parse_args()

    templates = read_templates(arguments.data, arguments.templates, "ppi.json")
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    identity = identities(arguments.data, names)
    forms = [encode(t) for t in templates.values()]
    first, second, features = whole_pairs(forms, folder)
    one, other, group = identity[first], identity[second], folder[first]
    whole = Compared(features, one == other, group)
    sources, rows, found = touch_pairs(
        list(templates.values()), forms, folder, TOUCHES, turns=TURNS["upright"]
    )
    touches = Compared(found[0], identity[sources] == identity[rows], folder[rows])
    print(
        f"{len(names)} impressions, {whole.mated.sum()} mated and {(~whole.mated).sum()} "
        f"non-mated pairs; {(~touches.mated).sum()} non-mated touches"
    )
    weights = draws(folder, identity)
    in_force = value_of(raw_scores(features))
    table("in force, tuned on all", in_force, one, other, group, weights)
    by_database = left_out_values(whole, touches, "database")
    table("left out by database", by_database, one, other, group, weights)
    by_sensor = left_out_values(whole, touches, "sensor")
    table("left out by sensor", by_sensor, one, other, group, weights)
    kinds = np.array([SENSORS[g] for g in group])
    table("the same, by kind of sensor", by_sensor, one, other, kinds, weights)


if __name__ == "__main__":
    main()
