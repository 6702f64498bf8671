"""The coarse quantizer: which lists a cylinder belongs to, and which a probe looks into.

Trained once on synthetic fingers and shipped, never on a gallery, so that no enrolled record has
a part in what another's search returns. See `training.quantizer`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import COLUMNS, shipped
from fpmatch.descriptor.tables import cell_centres
from fpmatch.index._kernels import TOGETHER, WORDS, likely_lists, nearest_lists
from fpmatch.parameters import DESCRIPTOR, INDEX, digest

SIZES = (256, 1024, 4096, 16384)
"""Numbers of lists that are shipped."""
CELLS = DESCRIPTOR.sections * len(cell_centres())
"""Cells of a cylinder; a code has some of them."""
_WIDTH = 2048
"""Lists whose scores are added up together, in what a core has close at hand."""
_ARRAYS, _MADE_BY = ("centroids", "heads", "masks"), "training.quantizer"


class Quantizer:
    """Centroids in two levels, and for every list the bits that its short codes keep.

    Parameters
    ----------
    centroids : (L, 5) uint64
        List ``h * C + c`` is child c of head h.
    heads : (H, 5) uint64
    masks : (L, 5) uint64
        The 128 bits most often set in the list.
    """

    def __init__(
        self,
        centroids: NDArray[np.uint64],
        heads: NDArray[np.uint64],
        masks: NDArray[np.uint64],
    ) -> None:
        self.lists = len(centroids)
        self.masks = masks
        self._heads = np.ascontiguousarray(heads.T)
        grouped = centroids.reshape(len(heads), -1, WORDS)
        self._members = np.ascontiguousarray(grouped.transpose(0, 2, 1))
        self._weights = np.array(INDEX.cell_weights, np.uint8)
        self._groups = _groups(self._weights)
        bits = np.ascontiguousarray(centroids).view(np.uint8)
        held = np.unpackbits(bits, axis=1, bitorder="little")[:, :CELLS]
        size = held.sum(axis=1, dtype=np.int64)
        self._base = (INDEX.cell_cost * (size.max() - size)).astype(np.uint16)
        held *= 255
        blocks = held.reshape(-1, min(_WIDTH, self.lists), CELLS)
        self._planes = np.ascontiguousarray(blocks.transpose(0, 2, 1))

    def assign(self, codes: NDArray[np.uint64], out: NDArray[np.uint16]) -> None:
        """The list of every cylinder, a pure function of its code. About 1 us a cylinder.

        Parameters
        ----------
        codes : (M, 5) uint64
        out : (M,) uint16
            Gets the lists.
        """
        beam = min(INDEX.beam, self._heads.shape[1])
        nearest_lists(codes, 0, len(codes), self._heads, self._members, beam, out)

    def likely(self, cells: NDArray[np.int32], most: int) -> NDArray[np.int64]:
        """The lists that the mate of each probe minutia is most likely to lie in.

        Its code has the 32 highest cells, and of these the probe's may be others: a cell of rank r
        is one of them as often as `INDEX.cell_weights` says. What is compared with a centroid is
        this, not the probe's own code, and each cell that a centroid has costs
        `INDEX.cell_cost`.

        Parameters
        ----------
        cells : (P, 312) int32
            What is seen about each minutia, 0 to 255.
        most : int
            Lists of each minutia; all of them if there are fewer.

        Returns
        -------
        (P, most) int64
            In order of their numbers.
        """
        out = np.empty((len(cells), min(most, self.lists)), np.int64)
        likely_lists(
            cells,
            0,
            len(cells),
            (self._weights, self._groups),
            (self._planes, self._base),
            out,
        )
        return out


def _groups(weights: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Ends of groups of ranks whose weights add up in one byte."""
    ends, total = [0], 0
    for first in range(0, len(weights), TOGETHER):
        more = int(weights[first : first + TOGETHER].sum())
        if total + more > np.iinfo(np.uint8).max:
            ends.append(first)
            total = 0
        total += more
    return np.array([*ends, len(weights)], np.int64)


@functools.cache
def quantizer(lists: int) -> Quantizer:
    """The shipped quantizer of a size.

    Raises
    ------
    CorruptError
        If the file in the package is damaged or of other descriptor parameters.
    """
    return read_quantizer(Path(str(resources.files("fpmatch.index"))) / "data" / _name(lists))


def read_quantizer(path: Path) -> Quantizer:
    """Read and check a quantizer file.

    Raises
    ------
    CorruptError
        If it is damaged or of other descriptor parameters.
    """
    stored = shipped.read(path, _ARRAYS, _MADE_BY)
    return Quantizer(stored["centroids"], stored["heads"], stored["masks"])


def write_quantizer(
    folder: Path,
    centroids: NDArray[np.uint64],
    heads: NDArray[np.uint64],
    masks: NDArray[np.uint64],
) -> Path:
    """Write a quantizer with its checksum and the hash of the descriptor it is for.

    Parameters
    ----------
    folder : Path
    centroids : (L, 5) uint64
    heads : (H, 5) uint64
    masks : (L, 5) uint64
        As in `Quantizer`.

    Returns
    -------
    Path
        Of the file.
    """
    arrays = {"centroids": centroids, "heads": heads, "masks": masks}
    return shipped.write(folder / _name(len(centroids)), arrays)


@functools.cache
def file_hash(lists: int) -> str:
    """The checksum that the shipped file of a size carries; read once for a process."""
    path = Path(str(resources.files("fpmatch.index"))) / "data" / _name(lists)
    return str(shipped.read(path, _ARRAYS, _MADE_BY)["sha256"])


def _name(lists: int) -> str:
    return f"lists-{lists}.npz"


def list_count(expected_fingers: int) -> int:
    """Lists for an order of magnitude of fingers."""
    for lists, fingers in zip(SIZES, (10_000, 50_000, 400_000), strict=False):
        if expected_fingers <= fingers:
            return lists
    return SIZES[-1]


def parameter_hash(lists: int) -> str:
    """Hash of all that shapes what an index stores: descriptor, quantizer, columns."""
    shape = {name: [np.dtype(dtype).str, list(shape)] for name, (dtype, shape) in COLUMNS.items()}
    return digest(DESCRIPTOR, _Shipped(file_hash(lists), str(shape), INDEX.beam))


@dataclass(frozen=True, slots=True)
class _Shipped:
    quantizer: str
    columns: str
    beam: int
