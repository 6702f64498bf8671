"""The search form of one impression, and of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpmatch.argument_types import listed, takes
from fpmatch.errors import InputError
from fpmatch.parameters import DESCRIPTOR

COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "codes": (np.uint64, (5,)),
    "texture": (np.uint64, (3,)),
    "x": (np.uint16, ()),
    "y": (np.uint16, ()),
    "angle": (np.uint8, ()),
    "quality": (np.uint8, ()),
    "source": (np.uint8, ()),
}
"""Columns of the search form: dtype and the shape of one entry. 71 bytes a minutia."""
CODE_BITS = 312
"""Bits of a cylinder code that can be set."""
TEXTURE_BITS = 52
"""Bits of each word of the orientation texture that can be set."""
_WORD = 64


def _column(values: NDArray, name: str) -> NDArray:
    dtype, entry = COLUMNS[name]
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.shape[1:] != entry:
        raise InputError(f"{name} must be {np.dtype(dtype)} with entries of shape {entry}")
    return np.ascontiguousarray(values)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SearchTemplate:
    """Fixed-size codes of the usable minutiae of one impression, sorted by angle.

    Parameters
    ----------
    codes : (M, 5) uint64
        Cylinder codes: bit p of the 312 is bit ``p % 64`` of word ``p // 64``. Exactly
        `DESCRIPTOR.weight` bits are set.
    texture : (M, 3) uint64
        Orientation texture: two words of bits and the word of valid cells, 52 bits each.
    x, y : (M,) uint16
        Position, eighths of a pixel at 500 ppi; y down.
    angle : (M,) uint8
        Direction, 256 units a turn, 0 along +x, clockwise on the screen; ascending.
    quality : (M,) uint8
        0 to 100.
    source : (M,) uint8
        Index of the minutia in its `Template`.
    """

    codes: NDArray[np.uint64]
    texture: NDArray[np.uint64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    angle: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    source: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name in COLUMNS:
            column = _column(getattr(self, name), name)
            if len(column) != len(self.angle):
                raise InputError(f"{name} has {len(column)} entries, angle {len(self.angle)}")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return int(self.angle.shape[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchTemplate):
            return NotImplemented
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in COLUMNS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<SearchTemplate of {len(self)} minutiae, {self.nbytes} bytes>"

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(getattr(self, name).nbytes for name in COLUMNS)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PackedTemplates:
    """Many search forms in one block per column; the arrays may be memory-mapped.

    Parameters
    ----------
    offsets : (N + 1,) int64
        Row ``r`` holds the entries ``offsets[r]`` to ``offsets[r + 1]`` of every column.
    codes, texture, x, y, angle, quality, source
        As in `SearchTemplate`, concatenated.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.uint64]
    texture: NDArray[np.uint64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    angle: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    source: NDArray[np.uint8]

    def __post_init__(self) -> None:
        offsets = np.ascontiguousarray(self.offsets, np.int64)
        if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0:
            raise InputError("offsets must be one-dimensional and start with 0")
        if len(offsets) > 1 and int(np.diff(offsets).min()) < 0:
            raise InputError("offsets must not descend")
        object.__setattr__(self, "offsets", offsets)
        for name in COLUMNS:
            column = _column(getattr(self, name), name)
            if len(column) != offsets[-1]:
                raise InputError(f"{name} has {len(column)} entries, offsets say {offsets[-1]}")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def __getitem__(self, row: int) -> SearchTemplate:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        part = slice(int(self.offsets[row]), int(self.offsets[row + 1]))
        return SearchTemplate(**{name: getattr(self, name)[part] for name in COLUMNS})

    def __iter__(self) -> Iterator[SearchTemplate]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"<PackedTemplates of {len(self)} rows, {int(self.offsets[-1])} minutiae>"


@takes(form=SearchTemplate)
def check_form(form: SearchTemplate) -> SearchTemplate:
    """Refuse what `encode` cannot have made; the kernels rely on it and check nothing.

    Parameters
    ----------
    form : SearchTemplate
        Of foreign origin. Cost linear in its minutiae.

    Raises
    ------
    InputError
        If it is too long, its minutiae are not in order of angle, or a code, a texture or a
        quality is not one.
    """
    if len(form) > DESCRIPTOR.max_minutiae:
        raise InputError(
            f"{len(form)} minutiae; a search form holds at most {DESCRIPTOR.max_minutiae}"
        )
    if (form.angle[1:] < form.angle[:-1]).any():
        raise InputError("the minutiae of a search form must ascend in angle")
    last = form.codes[:, CODE_BITS // _WORD] >> np.uint64(CODE_BITS % _WORD)
    bits = np.bitwise_count(form.codes).sum(axis=1)
    if last.any() or (bits != DESCRIPTOR.weight).any():
        raise InputError(f"a code must have {DESCRIPTOR.weight} of its {CODE_BITS} bits set")
    if (form.texture >> np.uint64(TEXTURE_BITS)).any():
        raise InputError(f"a word of texture has {TEXTURE_BITS} bits")
    if int(form.quality.max(initial=0)) > 100:
        raise InputError("the quality of a minutia must be 0 to 100")
    return form


@takes(templates=listed(SearchTemplate))
def pack(templates: Sequence[SearchTemplate]) -> PackedTemplates:
    """Concatenate search forms; row ``r`` of the result equals ``templates[r]``."""
    offsets = np.zeros(len(templates) + 1, np.int64)
    np.cumsum([len(t) for t in templates], out=offsets[1:])
    columns = {}
    for name, (dtype, entry) in COLUMNS.items():
        parts = [getattr(t, name) for t in templates]
        columns[name] = np.concatenate([np.zeros((0, *entry), dtype), *parts])
    return PackedTemplates(offsets=offsets, **columns)
