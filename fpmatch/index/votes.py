"""How many votes a distance is worth: the probe against a fixed synthetic cohort."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import PackedTemplates, SearchTemplate, pack
from fpmatch.descriptor._kernels import SKETCH_BITS
from fpmatch.descriptor.shipped import load
from fpmatch.descriptor.sketch import sketch, surroundings
from fpmatch.index._kernels import WORDS, best_distances
from fpmatch.index.quantizer import CELLS
from fpmatch.parameters import EFFORT_BALANCED, INDEX

COHORT_COLUMNS = ("x", "y", "angle", "texture")
"""Columns of the cohort's search forms that ship: what sketches are made from."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeVotes:
    """What every distance from a probe is worth: a probe, ready to vote.

    Parameters
    ----------
    cells : (P, 312) int32
        By which lists are found: what is seen in the cells about a minutia.
    sketches : (P, 3) uint32
        By which minutiae are compared.
    angle : (P,) uint8, ascending
    table : (P, 97) uint16
        Votes for a lowest distance d of minutia i, units of 1 / `INDEX.vote_unit`.
    cut : (P,) int64
        Largest distance at which an entry of a list is counted; below 0 if none is.
    window : int
        Largest difference of direction of a vote, units of 1/256 turn.
    """

    cells: NDArray[np.int32]
    sketches: NDArray[np.uint32]
    angle: NDArray[np.uint8]
    table: NDArray[np.uint16]
    cut: NDArray[np.int64]
    window: int = INDEX.window

    @property
    def voting(self) -> int:
        """Minutiae that can vote from a list."""
        return int(np.count_nonzero(self.cut >= 0))


@functools.cache
def cohort() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes of the sketches, angles and offsets of the shipped synthetic fingers."""
    columns = load(Path(str(resources.files("fpmatch.index"))) / "data" / "cohort.npz")
    unused = np.zeros(len(columns["angle"]), np.uint8)
    codes = np.zeros((len(unused), WORDS), np.uint64)
    forms = PackedTemplates(**columns, codes=codes, quality=unused, source=unused)
    return sketch(forms).view(np.uint8).ravel(), forms.angle, forms.offsets


def probe_votes(
    probe: SearchTemplate, z_least: float = EFFORT_BALANCED.z_least, rotation: str = "upright"
) -> ProbeVotes:
    """Work out the votes of a probe. About 0.5 ms.

    Parameters
    ----------
    probe : SearchTemplate
    z_least : float
        Entries of lists count from this z-score on.
    rotation : str
        With ``any`` cylinders of all directions are met, in the cohort too.

    Notes
    -----
    A distance counts by how far it lies under what the same cylinder finds in fingers that are
    surely another's: with mean m and deviation s of its best distance over the cohort, distance
    d has the z-score z = (m - d) / s and is worth (z - 1) ** 1.5 where z > 1. The cohort is fixed
    and synthetic, so that no enrolled record has a part in another's votes.
    """
    window = INDEX.window_any if rotation == "any" else INDEX.window
    held, angle, offsets = cohort()
    fingers = len(offsets) - 1
    best = np.zeros((len(probe), fingers), np.uint16)
    packed = pack([probe])
    sketches = sketch(packed)
    cells = np.ascontiguousarray(surroundings(packed)[:, :CELLS])
    best_distances(sketches, probe.angle, held, angle, offsets, window, best)
    best = np.minimum(best, INDEX.distance_most).astype(np.int64)
    total = best.sum(axis=1)
    squares = (best * best).sum(axis=1)
    mean = total / fingers
    deviation = np.sqrt((fingers * squares - total * total).astype(np.float64)) / fingers
    deviation += INDEX.deviation_least
    distance = np.minimum(np.arange(SKETCH_BITS + 1), INDEX.distance_most)
    z = (mean[:, None] - distance[None, :]) / deviation[:, None]
    above = np.maximum(z - INDEX.z_least, 0.0)
    worth = np.rint(INDEX.vote_unit * (above * np.sqrt(above)))
    table = np.minimum(worth, np.iinfo(np.uint16).max).astype(np.uint16)
    cut = (z >= z_least).sum(axis=1).astype(np.int64) - 1
    return ProbeVotes(cells, sketches, probe.angle, table, cut, window)
