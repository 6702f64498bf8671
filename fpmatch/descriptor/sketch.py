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
    SKETCH_BITS,
    SketchTables,
    see_minutiae,
    sketch_minutiae,
)
from fpmatch.descriptor.search_template import PackedTemplates
from fpmatch.descriptor.shipped import read, write
from fpmatch.descriptor.tables import cell_centres, code_tables
from fpmatch.errors import CorruptError
from fpmatch.parameters import DESCRIPTOR

NAME = "sketch.npz"
ROOT = 7.65
"""Of a square root of a cell, so that one neighbour at its centre is some 64."""
SHIFT = 15
"""Bits of a cell that are left out before."""
SIGN = 32
"""A sign of the texture."""
SEEN = 2 * len(cell_centres()) + DESCRIPTOR.sections * len(cell_centres())
"""Numbers that are projected."""


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
    Integer arithmetic only. About 2 us a minutia.

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
    longest = int(np.diff(forms.offsets).max(initial=0))
    scratch = (
        _padded(),
        np.zeros((longest, SEEN), np.int32),
        np.zeros(SEEN, np.uint64),
        np.zeros(SEEN, np.int32),
    )
    out = np.zeros((len(forms.angle), SKETCH_BITS // 32), np.uint32)
    columns = (forms.x, forms.y, forms.angle, forms.texture, forms.offsets)
    sketch_minutiae(*columns, _tables(projections or shipped()), scratch, out)
    return out


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
    seen = np.zeros((len(forms.angle), SEEN), np.int32)
    columns = (forms.x, forms.y, forms.angle, forms.texture, forms.offsets)
    see_minutiae(*columns, _tables(_NONE), _padded(), seen)
    return seen


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


def _padded() -> NDArray[np.int32]:
    return np.zeros(8 * len(code_tables().number), np.int32)


@functools.lru_cache(maxsize=2)
def _tables(projections: Projections) -> SketchTables:
    tables = code_tables()
    return SketchTables(
        cosine=tables.cosine,
        sine=tables.sine,
        shares=tables.shares,
        near=tables.near,
        reached=tables.reached,
        cells=8 * cell_centres()[:, 2].astype(np.int64),
        roots=np.rint(ROOT * np.sqrt(np.arange(256))).astype(np.int32),
        shift=SHIFT,
        sign=SIGN,
        projections=np.ascontiguousarray(projections.weights),
        medians=np.ascontiguousarray(projections.medians),
    )
