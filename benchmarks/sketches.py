"""What codes of minutiae are worth in the lists of an index: folded ones and a learned one.

    python -m benchmarks.list_codes CODE.npz [DATA] [--fingers 30000] [--every 1] [--cache FOLDER]

CODE.npz is what `training.list_code` writes. Whole prints of the sets that it left out, FVC2000
DB3, FVC2002 DB1 and sd4, are searched in their fingers' first impressions and synthetic fingers:
which share of the entries of the lists that are looked into counts, and how many mates are not
among the first 0.2, 0.4, 0.8 and 1.6 % of the rows by the votes of the lists alone. Minutes to an
hour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA
from fpmatch.bench.gallery import background, joined, probe_set
from fpmatch.descriptor import pack
from fpmatch.index.quantizer import quantizer
from fpmatch.index.ranking import lists_for
from fpmatch.parameters import EFFORT_BALANCED, INDEX
from training.list_code import LISTS, ListCode, inputs
from training.quantizer import COHORT, synthetic_codes

LEFT_OUT = ("fvc2000/DB3_B", "fvc2002/DB1_B")
Z = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
SHARES = (0.002, 0.004, 0.008, 0.016)


def fold(codes):
    """Codes folded onto 128 bits, as lists of version 2 have them: parities of bits 128 apart."""
    return np.stack([codes[:, 0] ^ codes[:, 2] ^ codes[:, 4], codes[:, 1] ^ codes[:, 3]], axis=1)


def near(angle, others):
    """Whether directions lie within the window of a vote."""
    away = np.abs((angle.astype(np.int64) - others.astype(np.int64) + 128 & 255) - 128)
    return away <= INDEX.window


def distances(code, others):
    """Hamming distances of a code to others."""
    return np.bitwise_count(code ^ others).sum(axis=-1).astype(np.int64)


def worth(codes, angle, cohort):
    """Votes for each distance and the z-score of each, (P, 321): as `fpmatch.index.votes`."""
    others, turns, offsets = cohort
    best = np.full((len(codes), len(offsets) - 1), 64 * codes.shape[1])
    for row, (code, turn) in enumerate(zip(codes, angle, strict=True)):
        found = np.where(near(turn, turns), distances(code, others), 64 * codes.shape[1])
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


def measure(label, code_of, found, lists, gallery, cohort, every):
    """Print the table of one code."""
    entries = code_of(gallery)[lists.order]
    cohort = (code_of(cohort), cohort.angle, cohort.offsets)
    ranks, counted, looked = [], np.zeros(len(Z)), 0
    for number in range(0, len(found.probes), every):
        probe = found.probes[number]
        if probe is None:
            continue
        most = lists_for(EFFORT_BALANCED, LISTS, len(probe))
        into = quantizer(LISTS).nearest(probe.codes, most)
        votes, more, seen = lists.votes(entries, code_of(probe), probe.angle, into, cohort)
        own = np.flatnonzero(found.mate_identity == found.identity[number])
        mate = votes[:, own].max(axis=1, keepdims=True)
        ranks.append(np.where(mate[:, 0] > 0, (votes > mate).sum(axis=1), lists.count))
        counted, looked = counted + more, looked + seen
    for k, least in enumerate(Z):
        lost = [int((np.array(ranks)[:, k] >= s * lists.count).sum()) for s in SHARES]
        print(f"{label:12s} z {least:.1f}: {100 * counted[k] / looked:5.2f} % count; of "
              f"{len(ranks)} lost {lost}", flush=True)  # fmt: skip


def main() -> None:
    """Make the gallery, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", type=Path)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--fingers", type=int, default=30_000)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    ppi = asked.data / "ppi.json"
    found = joined(*(
        probe_set([asked.data / folder for folder in folders], ppi_map=ppi)
        for folders in (LEFT_OUT, ("sd4",))
    ))  # fmt: skip
    rows = [form for part in background(asked.fingers, cache=asked.cache) for form in part]
    gallery = pack([*found.mates, *rows])
    lists, cohort = Lists(gallery), synthetic_codes(0, COHORT)
    with np.load(asked.code) as stored:
        code = ListCode(stored["projections"], stored["medians"])
    print(f"{lists.count} fingers, {len(gallery.angle)} minutiae")
    measure("folded 128", lambda f: fold(f.codes), found, lists, gallery, cohort, asked.every)
    measure("full", lambda f: f.codes, found, lists, gallery, cohort, asked.every)

    def learned(forms):
        parts = forms if hasattr(forms, "offsets") else [forms]
        return np.concatenate([code.of(inputs(form)) for form in parts])

    measure("learned", learned, found, lists, gallery, cohort, asked.every)


if __name__ == "__main__":
    main()
