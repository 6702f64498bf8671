"""A partition cut up over several indexes, searched in this process as if it were one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from fpmatch.errors import InputError
from fpmatch.index.partition import PartitionIndex
from fpmatch.index.search import PartitionSearch
from fpmatch.index.work import SearchBounds


def begin_across(
    indexes: Sequence[PartitionIndex], **bounds: Unpack[SearchBounds]
) -> PartitionSearch:
    """Begin a search of a partition whose records are spread over several indexes.

    Lists, votes, scores and counters are byte for byte those of one index with all rows, however
    the records are spread. Row ids, mask and groups are of the partition, not of an index.

    Parameters
    ----------
    indexes : sequence of PartitionIndex
        At least one, all with the same number of lists. Every record is in one of them, whole.
    **bounds
        As in `PartitionIndex.begin`.

    Raises
    ------
    InputError
        If there is no index, or they cannot be searched as one.
    """
    if not indexes:
        raise InputError("a partition has at least one index")
    contexts = [context for index in indexes for context in index.begin(**bounds).contexts]
    if len({context.quantizer.lists for context in contexts}) > 1:
        raise InputError("indexes with different numbers of lists cannot be searched as one")
    return PartitionSearch(*contexts)
