"""Fit the scale of scores by size on the development sets; hold its claims against what is seen.

    python -m benchmarks.fit_sizes [DATA] [--templates CACHE.npz] [--seeds 20 21 22] [--touches 12]
                                   [--refits 100]

Compares whole prints with whole prints, and touches of parts of them with whole prints, of
FVC2000, FVC2002 DB1-4 B and sd4. Prints the offsets of the first evidence, weights and offsets of
that after bending, and the curves, each fitted with what goes before it as it stands in
`fpmatch/parameters.py`: put them there in this order. Then observed by claimed false match rates by
size, by set and within the classes of sd4: every set under numbers that were fitted on the other
sets, and all in force, with 95 % intervals over the fingers that are measured. `--refits` fits
offsets and curves so often anew to the fingers drawn, for intervals that hold what was fitted for
chance as well. Every seed is so many touches of each print more. Takes some minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, identities, read_templates, report
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate.bootstrap import percentile_interval
from fpmatch.matcher._kernels import feature_rows
from fpmatch.matcher.compare import _columns, _geometry
from fpmatch.matcher.tables import TURNS, scratch, tables
from fpmatch.parameters import CALIBRATION, DESCRIPTOR, EVALUATE, MATCHER
from training.fingers import drawn_ratios, draws, refitted_ratios
from training.left_out import PEOPLE, Compared, fit_numbers, people, values_by
from training.matcher import first_scores, raw_scores
from training.sizes import (
    FIRST_RATES,
    SHOWN,
    TOUCH_MINUTIAE,
    bent_pairs,
    first_pairs,
    fit_curve,
    fit_offsets,
    ratios,
    raw_of,
    sizes,
    touch,
)

SEEDS = (20, 21, 22)
TOUCHES = 12


def compare_rows(probe, gallery, rows, turns=TURNS["any"]):
    """Features of one print against rows, at each of the turns: (turns, K, 8) int32."""
    work = scratch(DESCRIPTOR.max_minutiae, DESCRIPTOR.max_minutiae)
    out = np.zeros((len(turns), len(rows), 8), np.int32)
    for turned, into in zip(turns, out, strict=True):
        feature_rows(
            _columns(probe), *_geometry(probe), _columns(gallery), gallery.offsets, rows,
            tables(turned=turned), work, into,
        )  # fmt: skip
    return out


def best_raw(features, unit, offsets):
    """Raw scores at any rotation."""
    return np.max([raw_of(bent_pairs(one, unit), offsets) for one in features], axis=0)


def whole_pairs(forms):
    """All pairs of whole prints: rows, and features at four turns."""
    gallery = pack(forms)
    found = [
        compare_rows(forms[i], gallery, np.arange(i + 1, len(forms))) for i in range(len(forms) - 1)
    ]
    return *np.triu_indices(len(forms), 1), np.concatenate(found, axis=1)


def touch_pairs(templates, forms, folder, touches, seed=SEEDS[0], turns=TURNS["any"]):
    """So many touches of each print against the whole prints of their set but the one they are of:
    sources, rows, features.
    """
    rng = np.random.default_rng(seed)
    gallery = pack(forms)
    sources, rows, found = [], [], []
    for _ in range(touches):
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


def classes(names):
    """The class of every print of sd4, as its file is named; of others nothing."""
    return np.array([Path(n).name[0] if n.startswith("sd4") else "" for n in names])


def groups_of(size, units, kind):
    """Every group that is shown: its name, and which pairs are of it."""
    out = [*sizes(size)]
    out += [(f"set {name}", units == name) for name in np.unique(units)]
    out += [(f"class of sd4 {name}", kind == name) for name in np.unique(kind[kind != ""])]
    return [*out, ("all", np.ones(len(size), bool))]


def show(label, values, groups, drawn):
    """A table of observed by claimed rates; `drawn` holds the replicates of each group."""
    print(f"{label}: observed / claimed FMR at " + ", ".join(map(str, SHOWN)))
    for k, (name, own) in enumerate(groups):
        cells = []
        for found, again in zip(ratios(values[own]), drawn[k].T, strict=True):
            low, high = percentile_interval(again.tolist(), EVALUATE.level)
            cells.append(f"{found:5.2f} [{low:.2f}-{high:.2f}]")
        print(f"  {name:17s} {own.sum():8d}  " + " ".join(f"{c:18s}" for c in cells), flush=True)


def print_numbers(both, units, of_one, touches):
    """What is fitted, each with what goes before it as it stands in force."""
    unit, say = people(units)
    offsets = fit_offsets(first_pairs(both[0], unit, say=say), FIRST_RATES)
    print("size_evidence:", np.round(offsets / 1000, 2).tolist())
    print("with these in force:", fit_numbers(of_one, touches).weights)
    pairs = bent_pairs(both[0], unit, say=say)
    print("and these: bent_size_evidence:", np.round(fit_offsets(pairs) / 1000, 2).tolist())
    offsets = np.array(MATCHER.bent_size_evidence) * 1000
    print("and these:")
    upright = fit_curve(raw_of(pairs, offsets), pairs)
    print(*upright, sep="\n")
    at, value = fit_curve(best_raw(both, unit, offsets), pairs)
    # The tail falls as the upright one does, so that the best of four never claims more.
    slope = np.diff(upright[1])[-1] / np.diff(upright[0])[-1]
    value = (*value[:-1], round(value[-2] + float(slope) * (at[-1] - at[-2]), 4))
    print("any rotation:", at, value, sep="\n", flush=True)


def read_arguments():
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the touches")
    parser.add_argument("--touches", type=int, default=TOUCHES, help="of each print and seed")
    parser.add_argument("--refits", type=int, default=0, help="how often to fit anew")
    return parser.parse_args()


def main() -> None:
    """Fit, print, check."""
    arguments = read_arguments()
    templates = read_templates(arguments.data, arguments.templates, "ppi.json")
    names = list(templates)
    folder = np.array([name.rsplit("/", 1)[0] for name in names])
    unit = np.array([PEOPLE.get(f, f) for f in folder])
    identity = identities(arguments.data, names)
    forms = [encode(t) for t in templates.values()]
    first, second, whole = whole_pairs(forms)
    found = [
        touch_pairs(list(templates.values()), forms, folder, arguments.touches, seed)
        for seed in arguments.seeds
    ]
    sources, rows = (np.concatenate([f[k] for f in found]) for k in (0, 1))
    part = np.concatenate([f[2] for f in found], axis=1)
    mated, sensor = identity[first] == identity[second], folder[first] == folder[second]
    of_one = Compared(whole[0][sensor], mated[sensor], folder[first[sensor]])
    touches = Compared(part[0], identity[sources] == identity[rows], folder[rows])
    fitted = sensor & ~mated
    other = ~touches.mated
    both = np.concatenate([whole[:, fitted], part[:, other]], axis=1)
    units = np.concatenate([unit[first[fitted]], unit[rows[other]]])
    print(f"{len(names)} prints; {(~mated).sum() + other.sum()} non-mated pairs in all")
    print_numbers(both, units, of_one, touches)

    finger = np.array([name.rsplit("_", 1)[0] for name in names])
    report(first_scores(whole[0]), first, second, folder, finger, "by the first evidence")
    report(raw_scores(whole[0]), first, second, folder, finger, "in force")
    values = np.interp(raw_scores(both[0]), CALIBRATION.raw, CALIBRATION.value)
    score, compared = np.full(len(units), np.nan), Compared(both[0], np.zeros(len(units)), units)
    crossed, numbers = np.full(len(of_one.mated), np.nan), {}
    for k, measured in enumerate(np.unique(unit)):
        seen = [p.of(~np.isin(p.folder, folder[unit == measured])) for p in (of_one, touches)]
        numbers[k] = fit_numbers(*seen)
        for found, pairs_of, own in (
            (score, compared, units == measured),
            (crossed, of_one, np.isin(of_one.folder, folder[unit == measured])),
        ):
            found[own] = values_by(numbers[k], pairs_of.of(own))
    report(crossed, first[sensor], second[sensor], folder, finger, "cross-fitted")
    one, two = (
        np.concatenate(r) for r in ((first[fitted], sources[other]), (second[fitted], rows[other]))
    )
    kind = classes(names)
    groups = groups_of(both[0][:, 4], units, np.where(kind[one] == kind[two], kind[one], ""))
    fingers, drawn = (identity[one], identity[two]), draws(folder, identity)
    for label, shown in (("every set under numbers of the others", score), ("in force", values)):
        again = [drawn_ratios(shown[g], *(f[g] for f in fingers), drawn) for _, g in groups]
        show(label, shown, groups, again)
    if arguments.refits:
        of, masks = people(units), [g for _, g in groups]
        again = refitted_ratios(numbers, both[0], of, fingers, masks, drawn[: arguments.refits])
        show("every set, fitted anew to the fingers drawn", score, groups, again.transpose(1, 0, 2))


if __name__ == "__main__":
    main()
