"""What sketches are worth in the lists of an index, beside the codes that lists are made by.

    python -m benchmarks.sketches [DATA] [--sketch SKETCH.npz] [--templates CACHE.npz]
        [--fingers 30000] [--every 1] [--cache FOLDER]

SKETCH.npz is what `training.sketch` writes; those that ship where none is named. Prints of the sets
that it left out, FVC2000 DB3, FVC2002 DB1 and sd4, are searched in their fingers' first impressions
and synthetic fingers, whole and cut down to touches of 8 to 23 minutiae that lie together: which
share of the entries of the lists that are looked into counts, and how many mates are not among the
first 0.2, 0.4, 0.8 and 1.6 % of the rows by the votes of the lists alone. Some minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, read_templates
from fpmatch.bench.gallery import background
from fpmatch.descriptor import SearchTemplate, encode, pack
from fpmatch.descriptor.sketch import read_projections, shipped, sketch, surroundings
from fpmatch.index.quantizer import CELLS, quantizer
from fpmatch.index.ranking import lists_for
from fpmatch.parameters import EFFORT_BALANCED, INDEX
from training.quantizer import COHORT, synthetic_codes
from training.sketch import LISTS

LEFT_OUT = ("fvc2000/DB3_B", "fvc2002/DB1_B", "sd4")
Z = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
SHARES = (0.002, 0.004, 0.008, 0.016)
SEED = 5
MINUTIAE = (8, 24)
"""Fewest minutiae of a touch, and one more than the most."""


def touch(template, rng):
    """The minutiae nearest to one of them, as many as `MINUTIAE` says."""
    count = int(rng.integers(*MINUTIAE))
    if len(template) <= count:
        return template
    away = template.xy.astype(np.int64) - template.xy[rng.integers(len(template))]
    kept = np.sort(np.argsort((away**2).sum(axis=1), kind="stable")[:count])
    columns = {name: getattr(template, name)[kept] for name in ("xy", "angle", "kind", "quality")}
    return dataclasses.replace(template, **columns)


def prints_of(read):
    """First impressions; the others, whole and as touches; and the number of each one's mate."""
    rng = np.random.default_rng(SEED)
    fingers = {}
    for name in sorted(read):
        if name.rsplit("/", 1)[0] in LEFT_OUT:
            fingers.setdefault(name.rsplit("_", 1)[0], []).append(read[name])
    mates, whole, touches, own = [], [], [], []
    for number, (first, *others) in enumerate(fingers.values()):
        mates.append(encode(first))
        for other in others:
            whole.append(encode(other))
            touches.append(encode(touch(other, rng)))
            own.append(number)
    return mates, whole, touches, own


def near(angle, others):
    """Whether directions lie within the window of a vote."""
    away = np.abs((angle.astype(np.int64) - others.astype(np.int64) + 128 & 255) - 128)
    return away <= INDEX.window


def distances(code, others):
    """Hamming distances of a code to others."""
    return np.bitwise_count(code ^ others).sum(axis=-1).astype(np.int64)


def worth(codes, angle, cohort):
    """Votes for each distance and the z-score of each, (P, 321), as `fpmatch.index.votes`."""
    others, turns, offsets = cohort
    most = 8 * codes.shape[1] * codes.itemsize
    best = np.full((len(codes), len(offsets) - 1), most)
    for row, (code, turn) in enumerate(zip(codes, angle, strict=True)):
        found = np.where(near(turn, turns), distances(code, others), most)
        best[row] = np.minimum.reduceat(found, offsets[:-1])
    deviation = best.std(axis=1) + INDEX.deviation_least
    z = (best.mean(axis=1)[:, None] - np.arange(321)) / deviation[:, None]
    return np.rint(INDEX.vote_unit * np.maximum(z - INDEX.z_least, 0) ** 1.5), z


class Lists:
    """The entries of all lists in order: place among all minutiae, row and direction."""

    def __init__(self, gallery):
        lists = np.zeros(len(gallery.angle), np.uint16)
        quantizer(LISTS).assign(gallery.codes, lists)
        self.order = np.argsort(lists, kind="stable")
        self.starts = np.searchsorted(lists[self.order], np.arange(LISTS + 1))
        rows = np.repeat(np.arange(len(gallery)), np.diff(gallery.offsets))
        self.rows, self.angle, self.count = (
            rows[self.order],
            gallery.angle[self.order],
            len(gallery),
        )

    def votes(self, entries, codes, angle, lists, cohort):
        """Votes of all rows by least z-score, entries that count by it, and entries looked at."""
        table, z = worth(codes, angle, cohort)
        total, counted, looked = np.zeros((len(Z), self.count)), np.zeros(len(Z)), 0
        for i, nearest in enumerate(lists):
            at = np.concatenate([np.arange(*self.starts[k : k + 2]) for k in nearest])
            at = at[near(angle[i], self.angle[at])]
            far = distances(codes[i], entries[at])
            looked += len(at)
            for k, least in enumerate(Z):
                kept = z[i, far] >= least
                counted[k] += kept.sum()
                best = np.zeros(self.count)
                np.maximum.at(best, self.rows[at[kept]], table[i, far[kept]])
                total[k] += best
        return total, counted, looked


def measure(label, code_of, prints, own, lists, gallery, every):
    """Print the table of one code."""
    entries = code_of(gallery)[lists.order]
    others = synthetic_codes(0, COHORT)
    cohort = (code_of(others), others.angle, others.offsets)
    ranks, counted, looked = [], np.zeros(len(Z)), 0
    for probe, mate in list(zip(prints, own, strict=True))[::every]:
        if not len(probe):
            continue
        most = lists_for(EFFORT_BALANCED, LISTS, len(probe))
        cells = np.ascontiguousarray(surroundings(pack([probe]))[:, :CELLS])
        into = quantizer(LISTS).likely(cells, most)
        votes, more, seen = lists.votes(entries, code_of(probe), probe.angle, into, cohort)
        mine = votes[:, mate, None]
        ranks.append(np.where(mine[:, 0] > 0, (votes > mine).sum(axis=1), lists.count))
        counted, looked = counted + more, looked + seen
    for k, least in enumerate(Z):
        lost = [int((np.array(ranks)[:, k] >= s * lists.count).sum()) for s in SHARES]
        print(f"{label:14s} z {least:.1f}: {100 * counted[k] / looked:5.2f} % count; of "
              f"{len(ranks)} lost {lost}", flush=True)  # fmt: skip


def main() -> None:
    """Make the gallery, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--sketch", type=Path)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--fingers", type=int, default=30_000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    read = read_templates(asked.data, asked.templates, "ppi.json")
    mates, whole, touches, own = prints_of(read)
    rows = [form for part in background(asked.fingers, cache=asked.cache) for form in part]
    gallery = pack([*mates, *rows[: asked.fingers]])
    lists = Lists(gallery)
    made = shipped() if asked.sketch is None else read_projections(asked.sketch)
    print(f"{lists.count} fingers, {len(gallery.angle)} minutiae")

    def sketches(forms):
        return sketch(pack([forms]) if isinstance(forms, SearchTemplate) else forms, made)

    for what, prints in (("whole", whole), ("touch", touches)):
        for label, of in (("code", lambda f: f.codes), ("sketch", sketches)):
            measure(f"{what} {label}", of, prints, own, lists, gallery, asked.every)


if __name__ == "__main__":
    main()
