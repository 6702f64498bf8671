"""A learned code of every minutia: signs of projections that tell mated minutiae from others.

    python -m training.list_code CODE.npz [DATA] [--templates CACHE.npz] [--bits 96]

After Strecha, Bronstein, Bronstein and Fua (2012): the directions along which minutiae of other
fingers that lie in the same neighbourhood of lists differ most, by how mated ones do, each cut at
its median. Mated are minutiae that the matcher pairs in two touches of synthetic fingers and, where
there is `DATA`, in the six sets that the network was trained on. Integers only, from the columns of
a search form alone. A few minutes. What it is worth: `benchmarks.list_codes`, docs/indexing.md. No
index uses it yet.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate, encode
from fpmatch.descriptor.tables import cell_centres, code_tables
from fpmatch.index.quantizer import quantizer
from fpmatch.matcher import compare
from fpmatch.synthetic.gallery import templates

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
_ROOTS = np.rint(64 * np.sqrt(np.arange(201) / 160)).astype(np.int8)
"""One neighbour at a cell's centre is 64, twice a sign of the texture."""


def inputs(form: SearchTemplate) -> NDArray[np.int8]:
    """What is projected of every minutia, (M, 416) int8: roots of the cylinder's 312 cells, before
    32 are chosen; 52 signs of the texture's cosines and of its sines, 0 where no finger is.
    """
    tables = code_tables()
    x, y, angle = (getattr(form, name).astype(np.int64) for name in ("x", "y", "angle"))
    dx, dy = x[None] - x[:, None], y[None] - y[:, None]
    turn = (angle * 4) & 1023
    c, s = (table[turn].astype(np.int64)[:, None] for table in (tables.cosine, tables.sine))
    gauss = np.append(tables.gauss, 0).astype(np.int64)
    across, down = (
        gauss[np.minimum(np.abs(tables.axis - ((at + 8192) >> 14)[..., None]), len(gauss) - 1)]
        for at in (c * dx + s * dy, c * dy - s * dx)
    )
    near = (down[..., :, None] * across[..., None, :]) >> 8
    near[np.arange(len(form)), np.arange(len(form))] = 0
    share = tables.section[(angle[:, None] - angle[None]) & 255]
    # Whole numbers below 2**53: sums of floats are exact in any order.
    near = near.reshape(len(form), len(form), len(tables.number))
    near = near.transpose(0, 2, 1).astype(np.float64)
    cells = np.matmul(near, share.astype(np.float64))[:, cell_centres()[:, 2]]
    scaled = np.minimum(cells.astype(np.int64) * 160 >> 22, len(_ROOTS) - 1)
    cosine, sine, valid = (
        (form.texture[:, k, None] >> np.arange(52, dtype=np.uint64) & np.uint64(1)).astype(np.int8)
        for k in range(3)
    )
    signs = [(2 * bits - 1) * valid * np.int8(32) for bits in (cosine, sine)]
    return np.concatenate([_ROOTS[scaled.reshape(len(form), -1)], *signs], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class ListCode:
    """Projections whose signs are a code.

    Parameters
    ----------
    projections : (416, B) int8
        The most telling first: fewer columns are a shorter code.
    medians : (B,) int32
        Above these the bits are set.
    """

    projections: NDArray[np.int8]
    medians: NDArray[np.int32]

    def of(self, seen: NDArray[np.int8]) -> NDArray[np.uint64]:
        """Codes of what `inputs` gives, (M, 416) int8: (M, ceil(B / 64)) uint64."""
        # At most 2**23: exact in 32-bit floats.
        sums = seen.astype(np.float32) @ self.projections.astype(np.float32)
        bits = np.pad(sums > self.medians, ((0, 0), (0, -len(self.medians) % 64)))
        return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


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
    seen = [inputs(form) for form in forms]
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
    bits: int,
) -> ListCode:
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
    projections = np.rint(127 * found / np.abs(found).max(axis=0)).astype(np.int8)
    sums = one @ projections.astype(np.float64)
    return ListCode(projections, np.median(sums, axis=0).astype(np.int32))


def touches(first: int, count: int) -> tuple[list[SearchTemplate], list[tuple[int, int]]]:
    """Two touches each of `count` synthetic fingers, and which belong together."""
    forms = []
    for touch in (0, 1):
        forms += [encode(t) for t in templates(count, SEED, start=first, impression=touch)]
    return forms, [(k, count + k) for k in range(count)]


def main() -> None:
    """Learn and write."""
    from benchmarks.fit_calibration import identities, read_templates

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--templates", type=Path)
    parser.add_argument("--bits", type=int, default=96)
    asked = parser.parse_args()
    rng = np.random.default_rng(SEED)
    sources = [touches(0, FINGERS)]
    if asked.data is not None:
        read = read_templates(asked.data, asked.templates, "ppi.json")
        names = [n for n in read if n.rsplit("/", 1)[0] in SEEN]
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
    code = learn(*(np.concatenate(column) for column in zip(*parts, strict=True)), asked.bits)
    np.savez(asked.out, projections=code.projections, medians=code.medians)


if __name__ == "__main__":
    main()
