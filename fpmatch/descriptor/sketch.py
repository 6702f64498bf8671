"""Search forms -> sketches: of every minutia 96 bits that tell mates from others."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor._kernels import (
    FOURS,
    MANY,
    PADDED,
    SIGN,
    SKETCH_BITS,
    SketchTables,
    padded,
    see_minutiae,
    sketch_minutiae,
)
from fpmatch.descriptor.search_template import PackedTemplates
from fpmatch.descriptor.shipped import read, write
from fpmatch.descriptor.tables import cell_centres, code_tables
from fpmatch.errors import CorruptError
from fpmatch.parameters import DESCRIPTOR

NAME = "sketch.npz"
SEEN = 2 * len(cell_centres()) + DESCRIPTOR.sections * len(cell_centres())
"""Numbers that are projected."""
_ROOM = 448
"""Bytes of them and of what is written past their end."""


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """What a sketch is made with; see `training.sketch`.

    Parameters
    ----------
    weights : (416, 96) int8
    medians : (96,) int32
        A bit is set where its projection is above.
    """

    weights: NDArray[np.int8]
    medians: NDArray[np.int32]

    @property
    def sha256(self) -> str:
        """Of these numbers, hexadecimal."""
        total = hashlib.sha256(np.ascontiguousarray(self.weights).tobytes())
        total.update(np.ascontiguousarray(self.medians, "<i4").tobytes())
        return total.hexdigest()


_NONE = Projections(np.zeros((SEEN, SKETCH_BITS), np.int8), np.zeros(SKETCH_BITS, np.int32))


def sketch(forms: PackedTemplates, projections: Projections | None = None) -> NDArray[np.uint32]:
    """The sketch of every minutia, a pure function of its row's directions, positions and texture.

    The signs of learned projections of what surrounds it: the cells of its cylinder before the
    largest are chosen, and the orientation texture. The projections are those along which minutiae
    of others differ most by how mated ones do (after Strecha, Bronstein, Bronstein, Fua 2012).
    Integer arithmetic only. About 0.45 us a minutia.

    Parameters
    ----------
    forms : PackedTemplates
    projections : Projections, optional
        Others than those that ship.

    Returns
    -------
    (C, 3) uint32
        Bit b is bit ``b % 32`` of word ``b // 32``.

    Raises
    ------
    CorruptError
        If the file in the package is damaged or of other descriptor parameters.
    """
    count = len(forms.angle)
    out = np.zeros((count + MANY, SKETCH_BITS // 32), np.uint32)
    columns = (forms.x, forms.y, forms.angle, forms.texture, forms.offsets)
    sketch_minutiae(*columns, _tables(projections or shipped()), _scratch(forms), out)
    return out[:count]


def surroundings(forms: PackedTemplates) -> NDArray[np.int32]:
    """What is projected of every minutia.

    Parameters
    ----------
    forms : PackedTemplates

    Returns
    -------
    (C, 416) int32
        The roots of the 312 cells of its cylinder, at most 122; a sign of 32 for each of the 52
        cosines and of the 52 sines of the texture, 0 where no finger is.
    """
    seen = np.zeros((len(forms.angle), SEEN), np.uint8)
    columns = (forms.x, forms.y, forms.angle, forms.texture, forms.offsets)
    see_minutiae(*columns, _tables(_NONE), _scratch(forms), seen)
    found = seen.astype(np.int32)
    found[:, -2 * len(cell_centres()) :] -= SIGN
    return found


@functools.cache
def shipped() -> Projections:
    """The projections that ship with the package.

    Raises
    ------
    CorruptError
        If the file in the package is damaged or of other descriptor parameters.
    """
    return read_projections(Path(str(resources.files("fpmatch.descriptor"))) / "data" / NAME)


@functools.cache
def sketch_hash() -> str:
    """Of the projections that ship: sketches under others are not compared."""
    return shipped().sha256[:16]


def read_projections(path: Path) -> Projections:
    """Read and check a file of projections.

    Parameters
    ----------
    path : Path

    Raises
    ------
    CorruptError
        If it is damaged or of other descriptor parameters.
    """
    stored = read(path, ("weights", "medians"), "training.sketch")
    found = Projections(stored["weights"], stored["medians"])
    if found.weights.shape != (SEEN, SKETCH_BITS):
        raise CorruptError(f"{path.name}: not the numbers of a sketch; reinstall the package")
    return found


def write_projections(folder: Path, projections: Projections) -> Path:
    """Write projections with their checksum and the hash of the descriptor they are for.

    Parameters
    ----------
    folder : Path
    projections : Projections

    Returns
    -------
    Path
        Of the file.
    """
    arrays: dict[str, NDArray] = {"weights": projections.weights, "medians": projections.medians}
    return write(folder / NAME, arrays)


def _scratch(forms: PackedTemplates) -> tuple[NDArray, ...]:
    room = padded(int(np.diff(forms.offsets).max(initial=0)))
    seen = np.zeros((MANY, _ROOM), np.uint8)
    return (
        np.zeros((3, room), np.int32),
        np.zeros((6, room), np.int32),
        np.zeros(PADDED, np.int32),
        seen,
        seen.view(np.uint32),
    )


@functools.lru_cache(maxsize=2)
def _tables(projections: Projections) -> SketchTables:
    tables = code_tables()
    # What the bytes of the texture are larger by.
    more = SIGN * projections.weights[-2 * len(cell_centres()) :].sum(axis=0, dtype=np.int64)
    return SketchTables(
        turns=tables.turns,
        near=tables.near,
        touched=tables.touched,
        shares=tables.shares,
        projections=np.ascontiguousarray(
            projections.weights.reshape(FOURS, 4, -1).transpose(0, 2, 1)
        ),
        medians=(projections.medians + more).astype(np.int32),
    )
