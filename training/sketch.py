"""The projections of sketches: along which minutiae of others differ most by how mated ones do.

    python -m training.sketch FOLDER [DATA] [--templates CACHE.npz]

After Strecha, Bronstein, Bronstein and Fua (2012): the directions along which minutiae of other
fingers that lie in the same neighbourhood of lists differ most, by how mated ones do, each cut at
its median. Mated are minutiae that the matcher pairs in two touches of synthetic fingers and, where
there is `DATA`, in the six sets of `SEEN`. A minute or two. What they are worth:
`benchmarks.sketches`, docs/indexing.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate, encode, pack
from fpmatch.descriptor._kernels import SKETCH_BITS
from fpmatch.descriptor.sketch import Projections, surroundings, write_projections
from fpmatch.index.quantizer import quantizer
from fpmatch.matcher import compare
from fpmatch.synthetic.gallery import templates
from fpmatch.template import Template

SEED = 777
FINGERS = 4000
PAIRS = 30_000
"""Pairs of mates taken of synthetic and of real prints each."""
LISTS, TOGETHER = 16384, 128
"""Lists, and how many of them lie under one head: what is in these is hard to tell apart."""
SEEN = [f"fvc2000/DB{n}_B" for n in (1, 2, 4)] + [f"fvc2002/DB{n}_B" for n in (2, 3, 4)]
ACCEPTED = 40.0
"""Score from which the minutiae that the matcher pairs are taken as mates."""
RIDGE = 1e-3
"""Added to the mated differences' variances, as a share of their mean."""


def mates(forms: Sequence[SearchTemplate], one: int, other: int) -> NDArray[np.int64]:
    """Minutiae of two prints that the matcher pairs, (K, 2); none if it does not accept them."""
    score = compare(forms[one], forms[other])
    if score.value < ACCEPTED:
        return np.zeros((0, 2), np.int64)
    place = np.zeros((2, 256), np.int64)
    for side, form in enumerate((forms[one], forms[other])):
        place[side, form.source] = np.arange(len(form))
    return np.stack([place[0, score.pairs[:, 0]], place[1, score.pairs[:, 1]]], axis=1)


def gather(
    forms: Sequence[SearchTemplate], couples: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int64], NDArray[np.int64]]:
    """Inputs of both minutiae of every pair of mates, the first one's list, and the number of the
    couple of prints.
    """
    seen = [surroundings(pack([form])).astype(np.int8) for form in forms]
    first, second, codes, number = [], [], [], []
    for n, (i, j) in enumerate(couples):
        pairs = mates(forms, i, j)
        first.append(seen[i][pairs[:, 0]])
        second.append(seen[j][pairs[:, 1]])
        codes.append(forms[i].codes[pairs[:, 0]])
        number.append(np.full(len(pairs), n))
    lists = np.zeros(sum(map(len, codes)), np.uint16)
    quantizer(LISTS).assign(np.concatenate(codes), lists)
    columns = (first, second, [lists.astype(np.int64)], number)
    return tuple(np.concatenate(column) for column in columns)


def learn(
    first: NDArray[np.int8],
    second: NDArray[np.int8],
    lists: NDArray[np.int64],
    finger: NDArray[np.int64],
    bits: int = SKETCH_BITS,
) -> Projections:
    """The projections.

    Parameters
    ----------
    first, second : (K, 416) int8
        Inputs of mated minutiae.
    lists, finger : (K,) int64
        List and finger of the first ones.
    bits : int
    """
    near = lists // TOGETHER
    order = np.argsort(near, kind="stable")
    beside = np.roll(order, 7)
    hard = (near[order] == near[beside]) & (finger[order] != finger[beside])
    one = first.astype(np.float64)
    mated, other = one - second, one[order[hard]] - one[beside[hard]]
    within, between = (d.T @ d / len(d) for d in (mated, other))
    within += RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    white = np.linalg.inv(np.linalg.cholesky(within))
    _, turned = np.linalg.eigh(white @ between @ white.T)
    found = white.T @ turned[:, ::-1][:, :bits]
    weights = np.rint(127 * found / np.abs(found).max(axis=0)).astype(np.int8)
    sums = one @ weights.astype(np.float64)
    return Projections(weights, np.median(sums, axis=0).astype(np.int32))


def touches(first: int, count: int) -> tuple[list[SearchTemplate], list[tuple[int, int]]]:
    """Two touches each of `count` synthetic fingers, and which belong together."""
    forms = []
    for touch in (0, 1):
        forms += [encode(t) for t in templates(count, SEED, start=first, impression=touch)]
    return forms, [(k, count + k) for k in range(count)]


def seen_templates(data: Path, cache: Path | None) -> dict[str, Template]:
    """The prints of the six sets, by name."""
    from benchmarks.fit_calibration import read_templates

    read = read_templates(data, cache, "ppi.json")
    return {name: t for name, t in read.items() if name.rsplit("/", 1)[0] in SEEN}


def main() -> None:
    """Learn and write."""
    from benchmarks.fit_calibration import identities

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--templates", type=Path)
    asked = parser.parse_args()
    rng = np.random.default_rng(SEED)
    sources = [touches(0, FINGERS)]
    if asked.data is not None:
        read = seen_templates(asked.data, asked.templates)
        names = list(read)
        who = identities(asked.data, names)
        prints = [n.rsplit("_", 1)[0] for n in names]
        couples = [(i, j) for i in range(len(names)) for j in range(i) if prints[i] == prints[j]]
        sources.append(([encode(read[n]) for n in names], couples))
    parts = []
    for number, (forms, couples) in enumerate(sources):
        first, second, lists, couple = gather(forms, couples)
        finger = couple if number == 0 else FINGERS + who[np.array(couples)[couple, 0]]
        some = rng.permutation(len(first))[:PAIRS]
        parts.append([column[some] for column in (first, second, lists, finger)])
    learned = learn(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    print(write_projections(asked.folder, learned))


if __name__ == "__main__":
    main()
