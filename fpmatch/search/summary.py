"""What a gallery holds, as far as the asker may know it."""

from __future__ import annotations

from contextlib import suppress

from fpmatch.errors import RefusedError
from fpmatch.search import looking
from fpmatch.search.state import State
from fpmatch.types import GalleryInfo, PartitionSummary, RecordsRequest


def info(state: State, request: RecordsRequest | None) -> GalleryInfo:
    """See `Engine.info`.

    Parameters
    ----------
    state : State
        The open engine.
    request : RecordsRequest or None
        Who asks, if anybody does.
    """
    found = []
    for partition in state.gallery.partitions:
        counted = None
        if request is not None:
            asker = looking.asker_of(request, looking.COUNT, partition.name)
            # An owner's question about another's partition is no question.
            if not asker.owner or asker.owner == partition.owner:
                with suppress(RefusedError):
                    counted = looking.count(state, partition.name, request)
        found.append(PartitionSummary(partition, counted))
    policy = state.policy
    if policy is None:
        return GalleryInfo(tuple(found))
    return GalleryInfo(tuple(found), policy.version, policy.digest)
