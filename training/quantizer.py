"""Make the files that the index ships with: cohort and quantizers, from synthetic fingers.

``python -m training.quantizer FOLDER`` writes ``cohort.npz`` and ``lists-*.npz``; a few minutes
on one core. Binary k-means: codes go to the centroid at the lowest Hamming distance, a centroid
takes the bits that most of its codes have set.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates, encode, pack
from fpmatch.index._kernels import WORDS, nearest_lists
from fpmatch.index.quantizer import SIZES, write_quantizer
from fpmatch.index.votes import COHORT_COLUMNS
from fpmatch.parameters import INDEX

log = logging.getLogger(__name__)
SEED = 7_000_001
FINGERS = 24_000
COHORT = 128
ROUNDS = 8
_BITS = 64 * WORDS


def synthetic_codes(first: int, count: int) -> PackedTemplates:
    """Search forms of synthetic fingers that no test or benchmark uses."""
    from fpmatch.synthetic.gallery import templates

    return pack([encode(t) for t in templates(count, SEED, start=first)])


def assign(
    codes: NDArray[np.uint64], heads: NDArray[np.uint64], centroids: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Nearest centroid of every code, as `Quantizer.assign`."""
    out = np.zeros(len(codes), np.uint16)
    members = centroids.reshape(len(heads), -1, WORDS).transpose(0, 2, 1)
    nearest_lists(
        codes,
        0,
        len(codes),
        np.ascontiguousarray(heads.T),
        np.ascontiguousarray(members),
        min(INDEX.beam, len(heads)),
        out,
    )
    return out.astype(np.int64)


def frequencies(
    codes: NDArray[np.uint64], labels: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many codes have each label, and how many of those have each bit set."""
    sizes = np.bincount(labels, minlength=count)
    bits = np.zeros((count, _BITS), np.int64)
    for word in range(WORDS):
        for bit in range(64):
            hit = (codes[:, word] >> np.uint64(bit)) & np.uint64(1)
            bits[:, 64 * word + bit] = np.bincount(labels, hit, count).astype(np.int64)
    return sizes, bits


def to_words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(N, 320) bits -> (N, 5) words, bit p in word p // 64."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def cluster(
    codes: NDArray[np.uint64], count: int, rounds: int, rng: np.random.Generator
) -> NDArray[np.uint64]:
    """Flat binary k-means; ``(count, 5)``."""
    centroids = codes[rng.choice(len(codes), count, replace=len(codes) < count)].copy()
    head = np.zeros((1, WORDS), np.uint64)
    for _ in range(rounds):
        labels = assign(codes, head, centroids)
        sizes, bits = frequencies(codes, labels, count)
        centroids = to_words(2 * bits > sizes[:, None])
        empty = np.flatnonzero(sizes == 0)
        centroids[empty] = codes[rng.choice(len(codes), len(empty))]
    return centroids


def train(
    codes: NDArray[np.uint64], lists: int, seed: int = SEED
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Centroids, heads and masks of a quantizer."""
    rng = np.random.default_rng(seed)
    width = 1 << (lists.bit_length() // 2)
    count = lists // width
    heads = cluster(codes, count, ROUNDS, rng)
    labels = assign(codes, np.zeros((1, WORDS), np.uint64), heads)
    centroids = np.concatenate(
        [cluster(codes[labels == h], width, ROUNDS // 2, rng) for h in range(count)]
    )
    for _ in range(ROUNDS):
        labels = assign(codes, heads, centroids)
        sizes, bits = frequencies(codes, labels, lists)
        fresh = to_words(2 * bits > sizes[:, None])
        centroids = np.where(sizes[:, None] > 0, fresh, centroids)
        group, groupbits = sizes.reshape(count, -1).sum(1), bits.reshape(count, width, -1).sum(1)
        heads = to_words(2 * groupbits > group[:, None])
        spread = float((sizes.astype(float) ** 2).sum() * lists / sizes.sum() ** 2)
        log.info("%d lists: imbalance %.2f, %d empty", lists, spread, int((sizes == 0).sum()))
    labels = assign(codes, heads, centroids)
    _, bits = frequencies(codes, labels, lists)
    bits = _BITS * bits + frequencies(codes, np.zeros(len(codes), np.int64), 1)[1] // len(codes)
    order = np.argsort(-bits, axis=1, kind="stable")[:, :128]
    chosen = np.zeros((lists, _BITS), np.bool_)
    np.put_along_axis(chosen, order, True, axis=1)
    return centroids, heads, to_words(chosen)


def write_cohort(folder: Path, cohort: PackedTemplates) -> None:
    """Write what the sketches of the cohort are made from."""
    columns = {name: getattr(cohort, name) for name in (*COHORT_COLUMNS, "offsets")}
    np.savez_compressed(folder / "cohort.npz", **columns)


def main(folder: Path) -> None:
    """Train and write everything."""
    cohort = synthetic_codes(0, COHORT)
    write_cohort(folder, cohort)
    codes = synthetic_codes(COHORT, FINGERS).codes
    for lists in SIZES:
        sample = codes[:: max(1, len(codes) // (60 * lists))]
        log.info("%s", write_quantizer(folder, *train(sample, lists)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(Path(sys.argv[1]))
