"""FAISS's fast-scan product quantisation beside the lists of an index, in one run.

    python -m benchmarks.fast_scan [DATA] [--templates CACHE.npz] [--fingers 100000]
        [--cache FOLDER] [--every 1]

The projections that sketches are the signs of, as 96 numbers of each minutia, in an
`IndexIVFPQFastScan` with as many lists as ours, of which each minutia looks into as many; its
nearest k entries vote for their rows, the nearest of each row by how much nearer it is than the
last. Prints the time of a probe from its search form to the votes of rows, bytes of an entry, and
mates that are not among the first 0.2, 0.4, 0.8 and 1.6 % of the rows (prints of FVC2000 DB3,
FVC2002 DB1 and sd4, whole and as touches, as `benchmarks.sketches`). It knows no directions and no
finger positions, and masks only by a list of all entries that may be seen. Some ten minutes and
4 GB for 100 000 fingers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

from benchmarks.fit_calibration import DATA, read_templates
from benchmarks.sketches import SHARES, prints_of
from fpmatch.bench.gallery import background
from fpmatch.descriptor import pack
from fpmatch.descriptor.sketch import shipped, surroundings
from fpmatch.index import PartitionIndex, finger_shard
from fpmatch.index.quantizer import list_count
from fpmatch.index.ranking import lists_for, wanted_for

KINDS = ((24, 100), (24, 1000), (48, 100), (48, 1000))
"""Four-bit codes of a minutia (half a byte each), and nearest entries that vote."""
TRAINED = 200_000
ENTRY_ID = 8


def described(forms, scale=None):
    """The projections of every minutia, each of a standard deviation of one."""
    made = shipped()
    found = surroundings(forms).astype(np.float32) @ made.weights.astype(np.float32) - made.medians
    found = found.astype(np.float32)
    return found if scale is None else found / scale


def parts_of(mates, fingers, cache):
    """The rows of the gallery, mates first, some thousand at a time."""
    yield pack(mates)
    yield from background(fingers - len(mates), cache=cache)


def lost(ranks, rows):
    return [int((np.array(ranks) >= share * rows).sum()) for share in SHARES]


def by_fast_scan(index, owners, scale, probe, most, k, rows):
    """Votes of all rows."""
    index.nprobe = most
    apart, entry = index.search(described(pack([probe]), scale), k)
    votes = np.zeros(rows)
    for d, e in zip(apart, entry, strict=True):
        d, e = d[e >= 0], e[e >= 0]
        # Nearest first: the first of each row is its best.
        row, first = np.unique(owners[e], return_index=True)
        votes[row] += 1 - d[first] / max(d[-1], 1e-6)
    return votes


def main() -> None:
    """Build both, search, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--fingers", type=int, default=100_000)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    faiss.omp_set_num_threads(1)
    read = read_templates(asked.data, asked.templates, "ppi.json")
    mates, whole, touches, own = prints_of(read)
    rows, count = asked.fingers, list_count(asked.fingers)
    first = next(background(10_000, cache=asked.cache))
    scale = described(first).std(axis=0)
    found, owners, done = [], [], 0
    folder = tempfile.TemporaryDirectory()
    ours = PartitionIndex.create(Path(folder.name) / "index", expected_fingers=rows)
    for part in parts_of(mates, rows, asked.cache):
        ours.add(done + np.arange(len(part)), part, np.zeros(len(part), np.uint8))
        found.append(described(part, scale).astype(np.float16))
        owners.append(np.repeat(done + np.arange(len(part)), np.diff(part.offsets)))
        done += len(part)
    ours.compact()
    owners = np.concatenate(owners)
    print(f"{done} fingers, {len(owners)} minutiae, {count} lists")
    rng = np.random.default_rng(1)
    coarse = faiss.IndexFlatL2(96)
    trained = np.concatenate([f[:: max(1, len(owners) // TRAINED)] for f in found])
    kept = {}
    for codes in sorted({codes for codes, _ in KINDS}):
        start = time.process_time()
        index = faiss.IndexIVFPQFastScan(coarse, 96, count, codes, 4)
        index.cp.niter, index.cp.seed = 10, int(rng.integers(1 << 30))
        index.train(trained.astype(np.float32))
        for part in found:
            index.add(part.astype(np.float32))
        kept[codes] = index
        print(f"{codes} codes: made in {time.process_time() - start:.0f} s", flush=True)
    real, ranked = finger_shard.vote_by_lists, {}

    def spied(search, view, votes, lists, size):
        ranked["found"] = real(search, view, votes, lists, size)
        ranked["end"] = time.process_time()
        return ranked["found"]

    finger_shard.vote_by_lists = spied
    for what, prints in (("whole", whole), ("touch", touches)):
        some = [(p, m) for p, m in list(zip(prints, own, strict=True))[:: asked.every] if len(p)]
        ranks, spent = [], []
        for probe, mate in some:
            start = time.process_time()
            ours.shortlist(probe, effort="balanced")
            spent.append(ranked["end"] - start)
            ids, votes, _ = ranked["found"]
            mine = votes[ids == mate]
            ranks.append(int((votes > mine[0]).sum()) if len(mine) else rows)
        print(f"{what}: lists of the index, 15 bytes: {1e3 * np.median(spent):.1f} ms, of "
              f"{len(some)} lost {lost(ranks, rows)}", flush=True)  # fmt: skip
        for codes, k in KINDS:
            ranks, spent = [], []
            for probe, mate in some:
                most = lists_for(wanted_for("balanced", rows), count, len(probe))
                start = time.process_time()
                votes = by_fast_scan(kept[codes], owners, scale, probe, most, k, rows)
                spent.append(time.process_time() - start)
                mine = votes[mate]
                ranks.append(int((votes > mine).sum()) if mine > 0 else rows)
            print(f"{what}: fast scan, {codes // 2 + ENTRY_ID} bytes, {k} nearest: "
                  f"{1e3 * np.median(spent):.1f} ms, lost {lost(ranks, rows)}")  # fmt: skip
    ours.close()
    folder.cleanup()


if __name__ == "__main__":
    main()
