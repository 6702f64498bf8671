"""How often each pair of cells of a code and of a texture comes, given those beside and above.

    python -m training.pair_shares FOLDER [DATA] [--templates CACHE.npz]

Rows of an index are stored with these shares (`fpmatch.index.pair_shares`): new ones are another
format, and rows written with those before are not read with them. Counted in synthetic fingers and,
where there is `DATA`, as much in the six sets of `training.sketch.SEEN`. A minute or two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates, encode, pack
from fpmatch.index._kernels.coding import (
    CODE_CONTEXTS,
    CODE_PAIRS,
    PLACES,
    TEXTURE_CONTEXTS,
    TEXTURE_PAIRS,
)
from fpmatch.index._kernels.lanes import WIDE
from fpmatch.index.pair_shares import pairs_of_cells, write_shares
from fpmatch.synthetic.gallery import templates
from training.sketch import seen_templates

SEED = 778
FINGERS = 4000
SIZES = ((CODE_CONTEXTS, CODE_PAIRS), (TEXTURE_CONTEXTS, TEXTURE_PAIRS))


def pairs(forms: PackedTemplates) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of all codes and of all textures, (C, 28) each."""
    _, halves = pairs_of_cells()
    bits = np.unpackbits(forms.codes.view(np.uint8), axis=1, bitorder="little")
    code = bits[:, :312].reshape(-1, 52, 6) @ (1 << np.arange(6))
    words = forms.texture.view(np.uint8).reshape(-1, 3, 8)
    low, high, valid = np.unpackbits(words, axis=2, bitorder="little")[:, :, :52].swapaxes(0, 1)
    texture = valid.astype(np.int64) | low.astype(np.int64) << 1 | high.astype(np.int64) << 2
    out = []
    for cells, width in ((code.astype(np.int64), 6), (texture, 3)):
        both = np.where(halves >= 0, cells[:, halves], 0)
        out.append(both[:, :, 0] | both[:, :, 1] << width)
    return out[0], out[1]


def contexts(
    code: NDArray[np.int64], texture: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What is beside and above each pair, (C, 28) each, as the kernels have it."""
    at, _ = pairs_of_cells()
    out = []
    for seen in (code, texture):
        grid = np.zeros((len(seen), PLACES), np.int64)
        grid[:, at] = seen
        out.append((grid[:, at - 1], grid[:, at - WIDE]))
    (beside, above), (left, over) = out
    return (beside >> 6 | above >> 6 | above) & 63, left >> 3 << 6 | over


def counts(forms: PackedTemplates) -> list[NDArray[np.int64]]:
    """How often each pair comes in each context: (64, 4096) of codes, (512, 64) of textures."""
    seen = pairs(forms)
    out = []
    for values, given, (many, size) in zip(seen, contexts(*seen), SIZES, strict=True):
        out.append(np.bincount((given * size + values).ravel(), minlength=many * size))
    return [found.reshape(size) for found, size in zip(out, SIZES, strict=True)]


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--templates", type=Path)
    asked = parser.parse_args()
    kinds = [pack([encode(t) for t in templates(FINGERS, SEED)])]
    if asked.data is not None:
        prints = seen_templates(asked.data, asked.templates)
        kinds.append(pack([encode(t) for t in prints.values()]))
    found = [[one / len(forms.angle) for one in counts(forms)] for forms in kinds]
    minutiae = max(len(forms.angle) for forms in kinds)
    code, texture = (minutiae * sum(one) for one in zip(*found, strict=True))
    print(write_shares(asked.folder, code, texture))


if __name__ == "__main__":
    main()
