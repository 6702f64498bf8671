"""What the re-alignment that bends does, on prints that its numbers were not fitted on, paired.

    python -m benchmarks.bending CACHE [DATA] [--extractor classical] \\
        [--groups whole unseen touches sensors spoilt moved skin8 skin16]

Compares the matcher in force with its first evidence alone, as scores were before anything bent,
and with a second evidence without bending.
Groups of pairs: all of the nine development sets (``whole``); of these the sets that the learned
extractor has not seen (``unseen``); touches of 10 minutiae and more of parts of prints against
whole ones (``touches``); FVC2000 DB1 B against DB2 B, the same people on two sensors
(``sensors``); prints spoilt by `training.faults` against prints as they are (``spoilt``);
synthetic prints with the strongest distortion (``moved``); and prints whose skin was moved by
random fields against prints as they are (``skin``; the number is how far, in pixels). What is
fitted, is fitted on other sets than are measured: every set under numbers of the others, two
sensors under those of all but these two, synthetic prints under those of the nine. That is the
weights, offsets by size and curve after bending, and the same fitted to what was matched before
anything bent (``refitted``); of the first evidence it is the offsets and the curve, for its weights
in force have seen all sets.

Prints mean EER over sets, FNMR at FMR 1 in 1 000 and 1 in 10 000 of the group's pairs, the share of
mated pairs under 40, and the change of the two FNMR with 95 % intervals over fingers. Templates are
extracted once into CACHE (a quarter of an hour); the rest takes some minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, identities
from benchmarks.fit_sizes import SEEDS
from benchmarks.hard_prints import SKIN, templates
from fpmatch.descriptor import encode, pack
from fpmatch.evaluate import verification_metrics
from fpmatch.evaluate.bootstrap import percentile_interval
from fpmatch.matcher._kernels import feature_rows
from fpmatch.matcher.compare import _columns, _geometry
from fpmatch.matcher.tables import scratch, tables
from fpmatch.parameters import DESCRIPTOR, EVALUATE, MATCHER
from training.left_out import Compared, fit_numbers, groups, people, values_by
from training.matcher import first_scores, raw_scores
from training.sizes import (
    FIRST_RATES,
    TOUCH_MINUTIAE,
    first_pairs,
    fit_curve,
    fit_offsets,
    raw_of,
    touch,
)

SEED = 15
REPLICATES = 300
RATES = (1e-3, 1e-4)
UNSEEN = ("fvc2000/DB3_B", "fvc2002/DB1_B", "sd4")
TWO_SENSORS = ("fvc2000/DB1_B", "fvc2000/DB2_B")
TOUCHES = 3
"""Of each print."""
TOUCH_LEAST = 10
SIDES = ("first", "refitted", "bent")
SKINS = tuple(f"skin{strength:g}" for strength in SKIN)
GROUPS = ("whole", "unseen", "touches", "sensors", "spoilt", "moved", *SKINS)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of a group: their prints, fingers and sets."""

    jobs: list
    gallery: object
    one: np.ndarray
    other: np.ndarray
    group: np.ndarray

    def compared(self) -> Compared:
        """Features of all pairs."""
        work = scratch(DESCRIPTOR.max_minutiae, DESCRIPTOR.max_minutiae)
        found = []
        for form, rows in self.jobs:
            out = np.zeros((len(rows), 8), np.int32)
            own = _columns(form), *_geometry(form)
            args = _columns(self.gallery), self.gallery.offsets, rows, tables(), work, out
            feature_rows(*own, *args)
            found.append(out)
        return Compared(np.concatenate(found), self.one == self.other, self.group)


def _pairs(jobs, gallery, identity, folder, group=None):
    """Jobs are (number of the probe's print, its form, rows)."""
    at = np.concatenate([np.full(len(rows), i) for i, _, rows in jobs])
    row = np.concatenate([rows for _, _, rows in jobs])
    names = folder[row] if group is None else np.full(len(row), group)
    return Pairs([(f, r) for _, f, r in jobs], gallery, identity[at], identity[row], names)


def all_pairs(args) -> dict[str, Pairs]:
    """Pairs by group; whole prints and touches always, for numbers are fitted on them."""
    prints = templates("base", args.data, args.extractor, args.cache)
    names = list(prints)
    folder = np.array([n.rsplit("/", 1)[0] for n in names])
    identity = identities(args.data, names)
    forms = [encode(t) for t in prints.values()]
    gallery, n = pack(forms), len(names)

    def others(i, after=0):
        rows = np.flatnonzero(folder == folder[i])
        return rows[(rows != i) & (rows >= after)]

    found = {}
    jobs = [(i, forms[i], others(i, i)) for i in range(n)]
    found["whole"] = _pairs([job for job in jobs if len(job[2])], gallery, identity, folder)
    rng = np.random.default_rng(SEEDS[0])
    jobs = [
        (i, encode(touch(t, rng)), others(i))
        for _ in range(TOUCHES)
        for i, t in enumerate(prints.values())
        if len(t) >= TOUCH_MINUTIAE[0]
    ]
    jobs = [job for job in jobs if len(job[1]) >= MATCHER.fewest]
    found["touches"] = _pairs(jobs, gallery, identity, folder)
    if "sensors" in args.groups:
        one, other = (np.flatnonzero(folder == f) for f in TWO_SENSORS)
        jobs = [(i, forms[i], other) for i in one]
        found["sensors"] = _pairs(jobs, gallery, identity, folder, "sensors")
    if "spoilt" in args.groups:
        worse = templates("spoilt", args.data, args.extractor, args.cache)
        jobs = [(i, encode(worse[k]), others(i)) for i, k in enumerate(names) if k in worse]
        found["spoilt"] = _pairs(jobs, gallery, identity, folder)
    for kind in SKINS:
        if kind in args.groups:
            worse = templates(kind, args.data, args.extractor, args.cache)
            jobs = [(i, encode(worse[k]), others(i)) for i, k in enumerate(names) if k in worse]
            found[kind] = _pairs(jobs, gallery, identity, folder)
    if "moved" in args.groups:
        made = templates("synth", args.data, args.extractor, args.cache)
        forms = [encode(t) for t in made.values()]
        finger = np.unique([k.rsplit("_", 1)[0] for k in made], return_inverse=True)[1]
        jobs = [(i, f, np.arange(i + 1, len(forms))) for i, f in enumerate(forms[:-1])]
        kinds = np.full(len(forms), "moved")
        found["moved"] = _pairs(jobs, pack(forms), finger, kinds)
    return found


def as_if_unbent(pairs: Compared) -> Compared:
    """The same with what was matched before bending in place of what is matched after it."""
    features = pairs.features.copy()
    bent = features[:, 5] >= 0
    features[bent, 5:7] = features[bent, 2:4]
    features[:, 7] = 0
    return dataclasses.replace(pairs, features=features)


def unbent_numbers(whole: Compared, touches: Compared):
    """Offsets and curve of the first evidence."""
    nonmated = [part.of(~part.mated) for part in (whole, touches)]
    names = np.concatenate([part.folder for part in nonmated])
    unit, say = people(names)
    pairs = first_pairs(np.concatenate([part.features for part in nonmated]), unit, say=say)
    offsets = fit_offsets(pairs, FIRST_RATES)
    return offsets, fit_curve(raw_of(pairs, offsets), pairs)


def unbent_values(numbers, pairs: Compared) -> np.ndarray:
    """Values by these."""
    offsets, curve = numbers
    return np.interp(raw_of(first_pairs(pairs.features, pairs.folder), offsets), *curve)


def values_of(found: dict[str, Compared], fit, value) -> dict[str, np.ndarray]:
    """Values of all pairs, each under numbers that it had no part in."""
    whole, touches = found["whole"], found["touches"]
    values = {name: np.full(len(c.mated), np.nan) for name, c in found.items()}
    rounds = [(measured, unseen) for _, measured, unseen in groups(whole.folder, "database")]
    if "sensors" in found:
        rounds.append((["sensors"], TWO_SENSORS))
    if "moved" in found:
        rounds.append((["moved"], []))
    for measured, unseen in rounds:
        seen = [part.of(~np.isin(part.folder, unseen)) for part in (whole, touches)]
        numbers = fit(*seen)
        for name, c in found.items():
            here = np.isin(c.folder, measured)
            if here.any():
                values[name][here] = value(numbers, c.of(here))
    return values


class Counted:
    """Misses of one group at its own false match rates, with fingers counted by weights."""

    def __init__(self, pairs: Pairs, keep: np.ndarray) -> None:
        one, other = pairs.one[keep], pairs.other[keep]
        self.mated = one == other
        self.finger, self.one, self.other = one[self.mated], one[~self.mated], other[~self.mated]

    def misses(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(B, 3): misses at each of `RATES`, and mated pairs."""
        mated, alien = values[self.mated], values[~self.mated]
        order, top = np.argsort(mated), np.argsort(-alien)
        high = alien[top]
        last = np.append(np.flatnonzero(np.diff(high)), len(high) - 1)
        out = np.zeros((len(weights), 3))
        for k, w in enumerate(weights):
            over = np.cumsum(w[self.one[top]] * w[self.other[top]])
            under = np.concatenate([[0], np.cumsum(w[self.finger[order]])])
            for r, rate in enumerate(RATES):
                # The highest score that is no longer accepted.
                at = np.searchsorted(over[last], int(over[-1] * rate), side="right")
                level = high[last[at]] if at < len(last) else -np.inf
                out[k, r] = under[np.searchsorted(mated[order], level, side="right")]
            out[k, 2] = under[-1]
        return out


def draws(identity: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(1 + B, I) how often every finger counts: once, then drawn anew within its set."""
    rng = np.random.default_rng(SEED)
    fingers, at = np.unique(identity, return_index=True)
    weights = np.ones((1 + REPLICATES, int(fingers[-1]) + 1), np.int64)
    for name in np.unique(group[at]):
        own = fingers[group[at] == name]
        chance = np.full(len(own), 1 / len(own))
        weights[1:, own] = rng.multinomial(len(own), chance, REPLICATES)
    return weights


def _interval(change: np.ndarray) -> str:
    low, high = percentile_interval(change[1:].tolist(), EVALUATE.level)
    return f"{change[0]:+.2f} [{low:+.2f}, {high:+.2f}]"


def _show(group: str, counts: list[np.ndarray]) -> None:
    *before, after = [100 * c[:, :2] / c[:, 2:] for c in counts]
    for label, rates in zip(SIDES, before, strict=False):
        by = ", ".join(_interval(after[:, k] - rates[:, k]) for k in (0, 1))
        shown = [f"{r[0, 0]:.2f}, {r[0, 1]:.2f}" for r in (rates, after)]
        print(f"{group:8s} FNMR {label} {shown[0]}; bent {shown[1]}: {by}", flush=True)


def report(found: dict[str, Pairs], compared, sides, wanted) -> np.ndarray:
    """Some lines a group; returns the counts of all added up but of a part of another: of groups
    without skin moved by random fields, and of all.
    """
    base = found["whole"]
    pooled = np.zeros((2, len(sides), 1 + REPLICATES, 3))
    for group in wanted:
        name = "whole" if group == "unseen" else group
        pairs, keep = found[name], np.ones(len(found[name].one), bool)
        if group == "unseen":
            keep = np.isin(pairs.group, UNSEEN)
        if group == "touches":
            sizes = np.repeat([len(f) for f, _ in pairs.jobs], [len(r) for _, r in pairs.jobs])
            keep = sizes >= TOUCH_LEAST
        source = pairs if name == "moved" else base
        weights = draws(source.one, source.group)
        counted = Counted(pairs, keep)
        counts = [counted.misses(side[name][keep], weights) for side in sides]
        sets, mated = pairs.group[keep], counted.mated
        parts = [sets == s for s in np.unique(sets)]
        for side, label in zip(sides, SIDES, strict=True):
            v = side[name][keep]
            eer = np.mean([verification_metrics(v[s & mated], v[s & ~mated]).eer for s in parts])
            print(
                f"{group:8s} {label:9s} {mated.sum()} mated: mean EER {eer:.2f}, under 40 "
                f"{100 * np.mean(v[mated] < 40):.2f}, non-mated at 30 and more "
                f"{1e3 * np.mean(v[~mated] >= 30):.2f} in 1000"
            )
        _show(group, counts)
        pooled[0] += np.array(counts) * (group not in ("unseen", *SKINS))
        pooled[1] += np.array(counts) * (group != "unseen")
        as_they_are = [
            counted.misses(scores(compared[name].features)[keep], weights[:1])[0]
            for scores in (first_scores, raw_scores)
        ]
        print(
            f"{group:8s} in force, tuned on all: FNMR first and bent "
            + "; ".join("{:.2f}, {:.2f}".format(*(100 * c[:2] / c[2])) for c in as_they_are)
        )
    return pooled


def main() -> None:
    """Extract, compare, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--extractor", nargs="*", default=["neural", "classical"])
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=GROUPS)
    args = parser.parse_args()
    total = []
    for extractor in args.extractor:
        print(f"{extractor}:")
        found = all_pairs(argparse.Namespace(**{**vars(args), "extractor": extractor}))
        compared = {name: pairs.compared() for name, pairs in found.items()}
        flat = {name: as_if_unbent(c) for name, c in compared.items()}
        sides = [
            values_of(compared, unbent_numbers, unbent_values),
            values_of(flat, fit_numbers, values_by),
            values_of(compared, fit_numbers, values_by),
        ]
        total.append(report(found, compared, sides, args.groups))
        _show("all", list(total[-1][0]))
        _show("and skin", list(total[-1][1]))
    if len(total) > 1:
        _show("of all extractors", list(sum(t[1] for t in total)))


if __name__ == "__main__":
    main()
