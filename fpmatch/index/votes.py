"""How many votes a distance is worth: the probe against a fixed synthetic cohort."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import SearchTemplate
from fpmatch.index._kernels import BITS, best_distances
from fpmatch.parameters import EFFORT_BALANCED, INDEX


@dataclass(frozen=True, slots=True, eq=False)
class Ballot:
    """A probe, ready to vote.

    Parameters
    ----------
    codes : (P, 5) uint64
    angle : (P,) uint8, ascending
    table : (P, 321) uint16
        Votes for a lowest distance d of cylinder i, units of 1 / `INDEX.vote_unit`.
    cut : (P,) int64
        Largest distance at which an entry of a list is counted; below 0 if none is.
    window : int
        Largest difference of direction of a vote, units of 1/256 turn.
    """

    codes: NDArray[np.uint64]
    angle: NDArray[np.uint8]
    table: NDArray[np.uint16]
    cut: NDArray[np.int64]
    window: int = INDEX.window

    @property
    def voting(self) -> int:
        """Cylinders that can vote from a list."""
        return int(np.count_nonzero(self.cut >= 0))


@functools.cache
def cohort() -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.int64]]:
    """Codes, angles and offsets of the shipped synthetic fingers."""
    with resources.files("fpmatch.index").joinpath("data/cohort.npz").open("rb") as file:
        stored = np.load(file)
        return stored["codes"], stored["angle"], stored["offsets"]


def ballot(
    probe: SearchTemplate, least: float = EFFORT_BALANCED.surprise, rotation: str = "upright"
) -> Ballot:
    """Work out the votes of a probe.

    A distance counts by how far it lies under what the same cylinder finds in fingers that are
    surely another's: with mean m and deviation s of its best distance over the cohort, distance
    d has z = (m - d) / s and is worth (z - 1) ** 1.5 where z > 1. The cohort is fixed and
    synthetic, so that no enrolled record has a part in another's votes. About 0.5 ms. Entries of
    lists count from z = `least` on. With rotation "any" cylinders of all directions are met, in
    the cohort too.
    """
    window = INDEX.window_any if rotation == "any" else INDEX.window
    codes, angle, offsets = cohort()
    count = len(offsets) - 1
    best = np.zeros((len(probe), count), np.uint16)
    best_distances(probe.codes, probe.angle, codes, angle, offsets, window, best)
    best = np.minimum(best, INDEX.distance_most).astype(np.int64)
    total = best.sum(axis=1)
    squares = (best * best).sum(axis=1)
    mean = total / count
    deviation = np.sqrt((count * squares - total * total).astype(np.float64)) / count
    deviation += INDEX.deviation_least
    distance = np.minimum(np.arange(BITS + 1), INDEX.distance_most)
    surprise = (mean[:, None] - distance[None, :]) / deviation[:, None]
    z = np.maximum(surprise - INDEX.surprise_least, 0.0)
    worth = np.rint(INDEX.vote_unit * (z * np.sqrt(z)))
    table = np.minimum(worth, np.iinfo(np.uint16).max).astype(np.uint16)
    cut = (surprise >= least).sum(axis=1).astype(np.int64) - 1
    return Ballot(probe.codes, probe.angle, table, cut, window)
