"""An engine that reads follows what another process writes: before each call, and at release."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import encode, pack
from fpmatch.errors import CorruptError, StorageError
from fpmatch.gallery import following
from fpmatch.parameters import INDEX, SEARCH
from fpmatch.policy import Policy
from fpmatch.search.state import State

log = logging.getLogger(__name__)


def follow(state: State) -> None:
    """Bring an engine that is open for reading level with what has been committed by now.

    About 5 us where nothing has. Otherwise the policy first, then each partition on its own, while
    no search of it runs here: records, seals, root and index of one and the same state.

    Raises
    ------
    StorageError
        If a partition cannot be brought level; it is tried again by the next call.
    """
    if state.mode == "rw":
        return
    with state.following:
        if following.anything(state.gallery):
            state.policy = newest(state)
            state.behind.update(info.name for info in state.gallery.partitions)
        for partition in sorted(state.behind):
            with state.partition_lock(partition).writing():
                state.relevel(partition)


def newest(state: State) -> Policy | None:
    """The policy in force; that which is at hand if it is still it.

    Raises
    ------
    CorruptError
        If its document is not what was published.
    """
    found = state.gallery.policy()
    if found is None:
        return None
    version, document, digest = found
    at_hand = state.policy
    if at_hand is not None and (at_hand.version, at_hand.digest) == (version, digest):
        return at_hand
    policy = Policy.parse(document, f"policy version {version}").with_version(version)
    if policy.digest != digest:
        raise CorruptError(f"policy version {version} is stored damaged: its digest differs")
    return policy


def level(state: State, partition: str) -> None:
    """Bring columns and index of a partition level; nobody searches it here meanwhile.

    Raises
    ------
    StorageError
        If so many rows are in no file of the index that they were better indexed by a writer.
    """
    if state.shards is not None:
        # Hosts follow the writer; what they show that is newer than these columns is not seen.
        following.bring_level(state.gallery, partition)
        return
    index = state.indexes[partition]
    # The index first: what is in it is in the system of record, or has been removed from it.
    moved = index.refresh()
    new = following.bring_level(state.gallery, partition)
    columns = state.gallery.columns(partition)
    if moved or new is None:
        held = index.holds(len(columns.row_record))
        owned = columns.row_record >= 0
        if index.rows > int((held & owned).sum()):
            columns.bar_unowned()
            index.release(np.setdiff1d(index.row_ids(), np.flatnonzero(owned)))
        missing = np.flatnonzero(owned & ~held)
    else:
        missing = index.missing(np.array(new, np.int64))
    if len(missing) > 2 * INDEX.waiting_most:
        raise StorageError(
            f"the index of partition {partition!r} is behind its gallery; open it once with "
            "mode='rw'"
        )
    for first in range(0, len(missing), SEARCH.enrol_batch):
        _hold(state, partition, missing[first : first + SEARCH.enrol_batch])


def _hold(state: State, partition: str, rows: NDArray[np.int64]) -> None:
    """Search forms of rows that the writer has stored and not yet written to its index."""
    positions = state.gallery.columns(partition).row_position
    # A row that has been removed by now is in the columns until they follow, and never found.
    found = dict(state.gallery.templates(partition, rows.tolist()))
    there = np.array([row for row in rows.tolist() if row in found], np.int64)
    if len(there):
        forms = pack([encode(found[row]) for row in there.tolist()])
        state.indexes[partition].hold(there, forms, positions[there])
