"""In which lists mated minutiae lie: how many are met for the entries that are read.

    python -m benchmarks.list_choice [DATA] [--templates CACHE.npz] [--fingers 30000]
        [--cache FOLDER]

Minutiae that the matcher pairs in prints of the sets that sketches are not learned from, FVC2000
DB3, FVC2002 DB1 and sd4. Prints `INDEX.cell_weights` anew, from the sets that they are learned
from; then, for several shares of the lists, the mates whose list is among those that a probe looks
into, of all 16 384, and how many entries of synthetic fingers lie in these lists: with lists by the
Hamming distance of codes to centroids, and by the weights. About two minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.fit_calibration import DATA, read_templates
from benchmarks.sketches import LEFT_OUT
from fpmatch.bench.gallery import background
from fpmatch.descriptor import encode, pack
from fpmatch.descriptor.sketch import surroundings
from fpmatch.index.quantizer import CELLS, quantizer
from fpmatch.parameters import INDEX
from training.sketch import LISTS, SEEN, mates

SHARES = (256, 192, 128, 96, 64, 32)
FEW = 3
"""A pair of prints of which fewer minutiae are met is counted."""


def couples_of(read, sets):
    """Forms of the prints of some sets, and the couples of those of one finger with their pairs."""
    names = [name for name in sorted(read) if name.rsplit("/", 1)[0] in sets]
    forms = [encode(read[name]) for name in names]
    fingers = [name.rsplit("_", 1)[0] for name in names]
    couples = []
    for i, one in enumerate(fingers):
        for j, other in enumerate(fingers):
            if i != j and one == other and len(pairs := mates(forms, i, j)):
                couples.append((i, j, pairs))
    return forms, couples


def cells_of(form):
    """What is seen in the cells about every minutia."""
    return np.ascontiguousarray(surroundings(pack([form]))[:, :CELLS])


def weights_by_rank(forms, couples):
    """Sixteenths of mated minutiae whose code has the cell of each rank about the other one."""
    total, count = np.zeros(CELLS), 0
    for i, j, pairs in couples:
        order = np.argsort(-cells_of(forms[i])[pairs[:, 0]], axis=1, kind="stable")
        code = np.ascontiguousarray(forms[j].codes[pairs[:, 1]]).view(np.uint8)
        bits = np.unpackbits(code.reshape(len(pairs), -1), axis=1, bitorder="little")[:, :CELLS]
        total += np.take_along_axis(bits, order, axis=1).sum(axis=0)
        count += len(pairs)
    return np.rint(16 * total / count).astype(int)


def nearest(made, form, most):
    """The lists of lowest Hamming distance to each code, nearest first, ties by number."""
    centroids = made._members.transpose(0, 2, 1).reshape(1, LISTS, -1)
    apart = np.bitwise_count(form.codes[:, None] ^ centroids).sum(axis=2)
    return np.argsort(apart, axis=1, kind="stable")[:, :most]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--fingers", type=int, default=30_000)
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    read = read_templates(asked.data, asked.templates, "ppi.json")
    learned = weights_by_rank(*couples_of(read, SEEN))
    print("weights", learned[: len(INDEX.cell_weights)].tolist())
    made = quantizer(LISTS)

    def lists_of(codes):
        out = np.zeros(len(codes), np.uint16)
        made.assign(codes, out)
        return out.astype(np.int64)

    entries = np.zeros(LISTS, np.int64)
    for part in background(asked.fingers, cache=asked.cache):
        entries += np.bincount(lists_of(part.codes), minlength=LISTS)
    forms, couples = couples_of(read, LEFT_OUT)
    lists = [lists_of(form.codes) for form in forms]
    wanted = {}
    for i, j, pairs in couples:
        wanted.setdefault(i, []).append((pairs[:, 0], lists[j][pairs[:, 1]]))
    print(f"{len(wanted)} prints, {len(couples)} couples, {entries.sum()} entries")
    looked = np.zeros((2, len(SHARES)))
    met: list[list[list[np.ndarray]]] = [[[] for _ in SHARES] for _ in range(2)]
    for i, many in wanted.items():
        form = forms[i]
        most = [max(8, int(LISTS / s * min(4, INDEX.cylinders / len(form)))) for s in SHARES]
        order, cells = nearest(made, form, max(most)), cells_of(form)
        for k, m in enumerate(most):
            for way, into in enumerate((order[:, :m], made.likely(cells, m))):
                looked[way, k] += entries[into].sum()
                found = np.zeros((len(form), LISTS), np.bool_)
                np.put_along_axis(found, into, True, axis=1)
                met[way][k] += [found[minutia, number] for minutia, number in many]
    for way, label in enumerate(("Hamming distance", "weights")):
        for k, s in enumerate(SHARES):
            share = 100 * np.concatenate(met[way][k]).mean()
            poor = sum(int(f.sum() < FEW) for f in met[way][k])
            print(f"{label:17s} 1/{s}: entries {looked[way, k] / len(wanted):9.0f}, met "
                  f"{share:.2f} %, couples with fewer than {FEW}: {poor}")  # fmt: skip


if __name__ == "__main__":
    main()
