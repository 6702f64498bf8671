"""How often each pair of cells of a code and of a texture comes: what rows are coded with."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor.shipped import read, write
from fpmatch.descriptor.tables import cell_centres
from fpmatch.index._kernels.coding import CODE_PAIRS, ESCAPE, PairShares
from fpmatch.index._kernels.lanes import CODE_BITS, OTHER, TEXTURE_BITS, WIDE

NAME = "pair_shares.npz"
_ARRAYS = ("pairs", "code", "texture_contexts", "texture")


def pairs_of_cells() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells of the disc that lie side by side, two by two, row by row.

    Returns
    -------
    places : (28,) int64
        Where each pair lies in a square with a margin above and on the left.
    halves : (28, 2) int64
        Its cells; -1 where the disc has none.
    """
    centres = cell_centres()
    columns, rows = (np.unique(centres[:, k], return_inverse=True)[1] for k in (0, 1))
    numbers = np.full((rows.max() + 1, columns.max() + 1), -1, np.int64)
    numbers[rows, columns] = np.arange(len(centres))
    row, column = np.nonzero((numbers[:, ::2] >= 0) | (numbers[:, 1::2] >= 0))
    halves = np.stack([numbers[row, 2 * column], numbers[row, 2 * column + 1]], axis=1)
    return (row + 1) * WIDE + column + 1, halves


def shares_of(counts: NDArray, bits: int) -> NDArray[np.int64]:
    """Counts as parts of ``1 << bits``, each at least one, as near as whole parts come.

    Parameters
    ----------
    counts : (C, S) float64 or int64
        Of each context and value, not negative.
    bits : int

    Returns
    -------
    (C, S) int64
        Each row adds up to ``1 << bits``.
    """
    values = counts.shape[1]
    weights = counts + 1.0 / values
    # One part each, and of the others what is due; the largest remainders get what is left.
    due = weights / weights.sum(axis=1, keepdims=True) * ((1 << bits) - values)
    parts = np.floor(due).astype(np.int64)
    order = np.argsort(parts - due, axis=1, kind="stable")
    missing = (1 << bits) - values - parts.sum(axis=1, keepdims=True)
    more = np.zeros_like(parts)
    np.put_along_axis(more, order, (np.arange(values) < missing).astype(np.int64), axis=1)
    return parts + more + 1


def _tables(parts: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What is looked up of parts, (C, S): each share's first part and size, and each part's."""
    first = np.cumsum(parts, axis=1) - parts
    size, value = parts.ravel(), np.tile(np.arange(parts.shape[1]), len(parts))
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    slots = np.repeat(value | size << 8, size) | within << 20
    return np.stack([first, parts], axis=2).astype(np.uint32), slots.astype(np.uint32)


def tables(
    pairs: NDArray, code: NDArray, texture_contexts: NDArray, texture: NDArray
) -> PairShares:
    """What kernels look up.

    Parameters
    ----------
    pairs : (255,) int64
        Pairs of a code that have a number of their own, in order.
    code : (64, 256) int64
        Parts of 2048 of each context and number.
    texture_contexts : (K,) int64
        Contexts of textures that there are.
    texture : (K, 64) int64
        Parts of 512 of each of these and of each pair; 0 of pairs that there are not.

    Returns
    -------
    PairShares
    """
    code_shares, code_slots = _tables(code.astype(np.int64))
    there = texture_contexts.astype(np.int64)
    some, slots = _tables(texture.astype(np.int64))
    # Pages that no context is in are never touched, and take no memory.
    texture_shares = np.zeros((512, 64, 2), np.uint32)
    texture_slots = np.zeros((512, 1 << TEXTURE_BITS), np.uint32)
    texture_shares[there] = some
    texture_slots[there] = slots.reshape(len(there), -1)
    numbers = np.full(CODE_PAIRS, ESCAPE, np.uint8)
    numbers[pairs.astype(np.int64)] = np.arange(ESCAPE)
    places, halves = pairs_of_cells()
    return PairShares(
        code_slots,
        texture_slots.reshape(-1),
        code_shares.reshape(-1, 2),
        texture_shares.reshape(-1, 2),
        np.append(pairs, OTHER).astype(np.uint32),
        numbers,
        places,
        halves,
        np.where(halves[:, 0] >= 0, halves[:, 0], halves[:, 1] - 1),
    )


@functools.cache
def shipped() -> PairShares:
    """The shares that rows are stored with. They never change: rows could not be read any more.

    Raises
    ------
    CorruptError
        If the file in the package is damaged or of other descriptor parameters.
    """
    path = Path(str(resources.files("fpmatch.index"))) / "data" / NAME
    stored = read(path, _ARRAYS, "training.pair_shares")
    return tables(*(stored[name] for name in _ARRAYS))


def write_shares(folder: Path, code: NDArray, texture: NDArray) -> Path:
    """Write what `shipped` reads; returns the path of the file.

    Parameters
    ----------
    folder : Path
    code : (64, 4096) float64
        Counts of each context and pair.
    texture : (512, 64) float64
    """
    often = np.sort(np.argsort(-code.sum(axis=0), kind="stable")[:ESCAPE])
    rest = np.delete(code, often, axis=1).sum(axis=1, keepdims=True)
    # A cell of a texture has but four values, and what is beside and above it too: a context or a
    # pair that cannot be has no part.
    cell = np.isin(np.arange(8), (0, 1, 3, 5, 7))
    pair = (cell[:, None] & cell).ravel()
    contexts = np.flatnonzero((cell[:, None] & pair).ravel())
    parts = np.zeros((len(contexts), len(pair)), np.int64)
    parts[:, pair] = shares_of(texture[contexts][:, pair], TEXTURE_BITS)
    arrays = {
        "pairs": often.astype(np.uint16),
        "code": shares_of(np.hstack([code[:, often], rest]), CODE_BITS).astype(np.uint16),
        "texture_contexts": contexts.astype(np.uint16),
        "texture": parts.astype(np.uint16),
    }
    return write(folder / NAME, arrays)
