"""One search's conversation with a host: its shard, and where in the rounds it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fpmatch.cluster.grants import Grant, GrantError
from fpmatch.cluster.owners import Mask
from fpmatch.cluster.views import Masked, View
from fpmatch.descriptor import SearchTemplate
from fpmatch.index import Workers
from fpmatch.index.context import SearchContext
from fpmatch.index.finger_shard import FingerShard
from fpmatch.index.quantizer import quantizer
from fpmatch.index.rounds import Answer, Question, Shard
from fpmatch.index.scales import ScaledShard
from fpmatch.index.subject import subject_shard
from fpmatch.index.work import Clock
from fpmatch.search.comparison import at_scales, seen_under
from fpmatch.search.partition_request import PartitionRequest


@dataclass(slots=True)
class Conversation:
    """A search in some buckets of one host, from its first round to its last.

    Parameters
    ----------
    grant : Grant
        That it began with.
    view : View
    masked : Masked
        What the search may see.
    shard : Shard
    clock : Clock
        Its deadline is set anew by each call.
    ahead : bool
        Whether a bucket shows more than the state that the search named.
    """

    grant: Grant
    view: View
    masked: Masked
    shard: Shard
    clock: Clock
    ahead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: bytes = b""

    @property
    def expires(self) -> float:
        """`time.time` from when nobody will ask any more."""
        return self.grant.expires

    def ask(self, question: Question, seconds_left: float | None) -> Answer:
        """One round.

        Parameters
        ----------
        question : Question
        seconds_left : float, optional
            Until no further piece of work is begun.
        """
        self.clock.deadline = None if seconds_left is None else time.monotonic() + seconds_left
        if question.rows is not None:
            self._check(question.rows)
        return self.shard.ask(question)

    def _check(self, rows: NDArray[np.int64]) -> None:
        """Whether the search may see rows that it wants to compare with.

        Raises
        ------
        GrantError
            If it may not see one.
        """
        for part in filter(len, self.view.parts):
            at = part.find(rows)
            at = at[at >= 0]
            gone = np.isin(part.row_ids[at], self.view.tombstoned)
            if not (self.masked.of(part)[at] | gone).all():
                raise GrantError("a search names rows that its mask bars")

    def drop(self, place: int, rows: NDArray[np.int64]) -> None:
        """Tombstone rows in what it holds: a merge may have replaced it elsewhere meanwhile.

        Parameters
        ----------
        place : int
            Of their bucket among those that it was asked for.
        rows : (K,) int64
            Other partitions have rows of the same numbers, and other buckets may have had.
        """
        for part in filter(len, self.view.by_bucket[place]):
            at = part.find(rows)
            part.live[at[at >= 0]] = 0


def begin(
    grant: Grant,
    view: View,
    request: PartitionRequest,
    below: int,
    lists: int,
    workers: Workers,
) -> Conversation:
    """A conversation about a search of some buckets.

    Parameters
    ----------
    grant : Grant
    view : View
    request : PartitionRequest
    below : int
        Rows from this number on are not seen.
    lists : int
        Of the indexes.
    workers : Workers
    """
    mask: Mask = (request.sees_protected, request.uses, below)
    clock, masked = Clock(), view.masked(mask)
    context = SearchContext(
        view.parts,
        quantizer(lists),
        workers,
        masked,
        request.effort,
        request.rotation,
        request.limit,
        clock,
        tombstoned=view.tombstoned,
    )
    shards = [_shard(context, view, forms, seen_under(request)) for forms in at_scales(request)]
    whole = shards[0] if len(shards) == 1 else ScaledShard(shards)
    return Conversation(grant, view, masked, whole, clock)


def _shard(
    context: SearchContext, view: View, forms: Sequence[SearchTemplate], places: Sequence[int]
) -> Shard:
    """The search at one scale."""
    if len(forms) > 1:
        return subject_shard(context, list(zip(forms, places, strict=True)), view.records())
    seen = context.apply_mask(places[0])
    context.clock.lap("mask")
    return FingerShard(context, seen, forms[0])
