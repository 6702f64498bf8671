"""One search of a partition: its shortlists and its verification, over one state of the index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fpmatch.checks import check_choice, check_integer
from fpmatch.descriptor import SearchTemplate
from fpmatch.errors import InputError
from fpmatch.index.batch import shortlist_batch
from fpmatch.index.context import SearchContext
from fpmatch.index.finger_shard import FingerShard
from fpmatch.index.groups import GroupsById
from fpmatch.index.ranking import EFFORTS
from fpmatch.index.shortlist import Shortlist, shortlist_across
from fpmatch.index.subject import Subjects, shortlist_subject_across, subject_shard
from fpmatch.index.verifying import ABSENT, verify_rows
from fpmatch.matcher import ROTATIONS

MOST_ROWS = 2**31 - 1
"""Largest limit of a shortlist."""


class PartitionSearch:
    """What one search does in a partition; made by `PartitionIndex.begin` and `begin_across`.

    Everything that bounds it was said there, and holds for shortlist and verification together.

    Parameters
    ----------
    *contexts : SearchContext
        Of each shard of the partition, all under the same bounds; one where it is not cut up.

    Raises
    ------
    InputError
        If the mask, the effort, the rotation or the limit cannot be used.
    """

    def __init__(self, *contexts: SearchContext) -> None:
        context = contexts[0]
        check_choice("effort", context.effort, EFFORTS)
        check_choice("rotation", context.rotation, ROTATIONS)
        if context.limit is not None:
            check_integer("limit", context.limit, 0, MOST_ROWS)
        allowed = context.allowed
        if isinstance(allowed, np.ndarray) and (allowed.dtype != np.bool_ or allowed.ndim != 1):
            raise InputError(f"allowed must be a bool array indexed by row id, not {allowed.dtype}")
        self.contexts = contexts
        self._effort, self._limit = context.effort, context.limit

    def shortlist(self, probe: SearchTemplate, position: int = 0) -> Shortlist:
        """The rows worth a full comparison; see `PartitionIndex.shortlist`.

        Parameters
        ----------
        probe : SearchTemplate
        position : int
            The probe's finger; 0 for unknown.

        Raises
        ------
        SearchCancelled
            If the caller cancelled.
        CorruptError
            If a block that the search would use fails its checksum.
        """
        shards = []
        for context in self.contexts:
            view = context.apply_mask(int(position))
            context.clock.lap("mask")
            shards.append(FingerShard(context, view, probe))
        return shortlist_across(shards, probe, self._effort, self._limit)

    def shortlist_many(
        self, probes: Sequence[SearchTemplate], positions: Sequence[int] | None = None
    ) -> list[Shortlist]:
        """A list for each of several probes; see `PartitionIndex.shortlist_many`.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        positions : sequence of int, optional
            One for each probe.

        Raises
        ------
        InputError
            If there are not as many positions as probes.
        """
        places = _positions(probes, positions)
        if len(self.contexts) == 1:
            return shortlist_batch(self.contexts[0], probes, places)
        alone = [
            PartitionSearch(*(context.for_another_probe() for context in self.contexts))
            for _ in probes
        ]
        several = zip(alone, probes, places, strict=True)
        return [search.shortlist(probe, place) for search, probe, place in several]

    def shortlist_subject(
        self,
        probes: Sequence[SearchTemplate],
        group_of_row: NDArray[np.integer],
        positions: Sequence[int] | None = None,
    ) -> Subjects:
        """One list for several fingers; see `PartitionIndex.shortlist_subject`.

        Parameters
        ----------
        probes : sequence of SearchTemplate
        group_of_row : (R,) integers
            Indexed by row id: the group of each row. Rows of none (-1) must be barred.
        positions : sequence of int, optional
            One for each probe.

        Raises
        ------
        InputError
            If there are not as many positions as probes.
        """
        groups = GroupsById(np.maximum(group_of_row, 0).astype(np.int64))
        fingers = list(zip(probes, _positions(probes, positions), strict=True))
        shards = [subject_shard(context, fingers, groups) for context in self.contexts]
        return shortlist_subject_across(shards, fingers, self._effort, self._limit)

    def verify(self, probe: SearchTemplate, row_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Raw scores of the full matcher; see `PartitionIndex.verify`.

        Parameters
        ----------
        probe : SearchTemplate
        row_ids : (K,) int64

        Returns
        -------
        (K,) int32
            In the order of the rows; `UNVERIFIED` for those not reached before the deadline,
            `REMOVED` for those tombstoned since the search began.

        Raises
        ------
        InputError
            If a row did not exist when the search began.
        SearchCancelled
            If the caller cancelled.
        """
        row_ids = np.asarray(row_ids, np.int64)
        # A score, or else why there is none: the shard that holds the row says more than others.
        scores = np.full(len(row_ids), ABSENT, np.int32)
        for context in self.contexts:
            np.maximum(scores, verify_rows(context, probe, row_ids), out=scores)
        absent = int((scores == ABSENT).sum())
        if absent:
            raise InputError(f"{absent} of the rows are not in the index")
        return scores


def _positions(probes: Sequence[SearchTemplate], said: Sequence[int] | None) -> list[int]:
    positions = [0] * len(probes) if said is None else [int(p) for p in said]
    if len(positions) != len(probes):
        raise InputError(f"{len(probes)} probes and {len(positions)} positions")
    return positions
