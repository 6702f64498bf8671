"""Which rows may be seen, how many go on, and which those are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fpmatch.index.segment import Part
from fpmatch.parameters import (
    EFFORT_BALANCED,
    EFFORT_BALANCED_LARGE,
    EFFORT_FAST,
    EFFORT_SCAN,
    INDEX,
    EffortParameters,
)
from fpmatch.types.checked import EFFORTS as EFFORTS

PARAMETERS: dict[str, EffortParameters] = {
    "fast": EFFORT_FAST,
    "balanced": EFFORT_BALANCED,
    "scan": EFFORT_SCAN,
}

Ranked = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Row ids, votes, and where the row is: part number << 40 | row."""
_PART = 40


def ranges_for(part: Part, position: int) -> list[tuple[int, int]]:
    """Rows of a part that a probe of this position may see: of the same or unknown position."""
    if not position:
        return [(0, len(part))] if len(part) else []
    bounds = part.bounds
    spans = [(int(bounds[p]), int(bounds[p + 1])) for p in (0, position)]
    return [(a, b) for a, b in spans if b > a]


class RowMask(Protocol):
    """A mask that is kept with the rows that it is of, where row ids are too far apart for one."""

    def of(self, part: Part) -> NDArray[np.bool_]:
        """(N,) bool: which rows of a part may be seen, in the order of the part."""
        ...


Allowed = NDArray[np.bool_] | RowMask | None
"""Which rows may be seen: by row id, by part, or all."""


def visible_rows(part: Part, allowed: Allowed, position: int) -> tuple[NDArray[np.uint8], int]:
    """The rows of a part that a probe may see, and their number.

    Parameters
    ----------
    part : Part
    allowed : (R,) bool, RowMask or None
        By row id or by part; all rows if None.
    position : int
        The probe's finger; 0 for unknown.

    Returns
    -------
    seen : (N,) uint8
        1 for every row that exists, is allowed and may be of the probe's position.
    visible : int
    """
    spans = ranges_for(part, position)
    if spans == [(0, len(part))]:
        seen = part.live if allowed is None else part.live & _allowed(part, allowed, spans[0])
        return seen, int(np.count_nonzero(seen))
    seen = np.zeros(len(part), np.uint8)
    for a, b in spans:
        seen[a:b] = part.live[a:b]
        if allowed is not None:
            seen[a:b] &= _allowed(part, allowed, (a, b))
    return seen, int(np.count_nonzero(seen))


def _allowed(
    part: Part, allowed: NDArray[np.bool_] | RowMask, span: tuple[int, int]
) -> NDArray[np.uint8]:
    """Of a part's rows in a span, which may be seen."""
    a, b = span
    if not isinstance(allowed, np.ndarray):
        return allowed.of(part)[a:b].view(np.uint8)
    row_ids = part.row_ids[a:b]
    if not len(allowed):
        return np.zeros(len(row_ids), np.uint8)
    if not len(row_ids) or int(row_ids.max()) < len(allowed):
        return allowed[row_ids].view(np.uint8)
    known = row_ids < len(allowed)
    return (known & allowed[np.where(known, row_ids, 0)]).view(np.uint8)


def wanted_for(effort: str, visible: int) -> EffortParameters:
    """Parameters of an effort for a number of visible rows."""
    wanted = PARAMETERS[effort]
    if wanted is EFFORT_BALANCED and visible >= INDEX.large_from:
        return EFFORT_BALANCED_LARGE
    return wanted


def share(least: int, fraction: float, whole: int) -> int:
    """A part of a whole, such as the rows to verify of the visible ones.

    Parameters
    ----------
    least : int
        Smallest result.
    fraction : float
        Of the whole.
    whole : int
        Visible rows, or lists: nothing else may have a part in the result.
    """
    return max(least, int(whole * fraction))


def recounted_for(wanted: EffortParameters, visible: int, cylinders: int) -> int:
    """Rows that are counted again over all of a probe's cylinders.

    A probe may be held against about as many cylinders whatever its size: one of few needs more
    rows, as its mate gets few votes from the lists, and each row costs it less.

    Parameters
    ----------
    wanted : EffortParameters
    visible : int
        Rows that the search may see.
    cylinders : int
        Of the probe.
    """
    times = max(_times(cylinders), 1 / INDEX.deepest)
    return share(wanted.rescored_least, wanted.rescored_share * times, visible)


def lists_for(wanted: EffortParameters, lists: int, cylinders: int, fingers: int = 1) -> int:
    """Lists that each of a probe's cylinders looks into.

    What a probe may look into is shared out among its cylinders: each of a few has more to find.
    With several fingers each has its part of the lists.

    Parameters
    ----------
    wanted : EffortParameters
    lists : int
        Lists of the quantizer.
    cylinders : int
        Of the probe, that can vote.
    fingers : int
        Of the search.
    """
    return share(wanted.lists_least, wanted.lists_share * _times(cylinders) / fingers, lists)


def _times(cylinders: int) -> float:
    """How many times as much each cylinder of a probe may have as one of a usual probe."""
    return min(INDEX.cylinders / max(1, cylinders), INDEX.deepest)


def best(
    row_ids: NDArray[np.int64], votes: NDArray[np.int64], at: NDArray[np.int64], size: int
) -> Ranked:
    """The rows of most votes, ties by row id; rows without a vote are left out.

    Parameters
    ----------
    row_ids, votes : (K,) int64
    at : (K,) int64
        Where each row is, see `place`.
    size : int
        Most rows.
    """
    keep = np.flatnonzero(votes >= least_of(votes, size))
    row_ids, votes, at = row_ids[keep], votes[keep], at[keep]
    order = np.lexsort((row_ids, -votes))[:size]
    return row_ids[order], votes[order], at[order]


def least_of(votes: NDArray[np.int64], size: int) -> int:
    """The fewest votes of the best `size`, at least 1; more than any where none is wanted.

    Parameters
    ----------
    votes : (K,) int64
    size : int
    """
    if not size:
        return np.iinfo(np.int64).max
    if len(votes) <= size:
        return 1
    return max(1, int(np.partition(votes, len(votes) - size)[len(votes) - size]))


def together(found: list[Ranked]) -> Ranked:
    """What several parts found, one after the other."""
    empty = np.zeros(0, np.int64)
    ids, votes, at = ([empty, *(f[k] for f in found)] for k in range(3))
    return np.concatenate(ids), np.concatenate(votes), np.concatenate(at)


def foremost(found: list[Ranked], size: int) -> Ranked:
    """The rows of `best` over what several parts found, in order of their places.

    Parameters
    ----------
    found : list of Ranked
        Each best in order of its places.
    size : int
        Most rows.
    """
    ids, votes, at = together(sorted((f for f in found if len(f[2])), key=lambda f: f[2][0]))
    least = least_of(votes, size)
    chosen, tied = votes > least, np.flatnonzero(votes == least)
    left = size - np.count_nonzero(chosen)
    if len(tied) > left:
        tied = tied[np.argsort(ids[tied])[:left]]
    chosen[tied] = True
    keep = np.flatnonzero(chosen)
    if (np.diff(at[keep]) < 0).any():
        # Threads that shared a part have found rows between each other's.
        keep = keep[np.argsort(at[keep])]
    return ids[keep], votes[keep], at[keep]


def place(part: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where rows are, each place as one number.

    Parameters
    ----------
    part : int
        Number of the part.
    rows : (K,) int64
        Rows of it.
    """
    return (np.int64(part) << _PART) | rows


def unplace(at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part numbers and rows of places.

    Parameters
    ----------
    at : (K,) int64
        From `place`.
    """
    return at >> _PART, at & ((1 << _PART) - 1)
