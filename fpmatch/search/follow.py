"""An engine that reads follows what another process writes: before each call, and at release."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fpmatch.descriptor import encode_many
from fpmatch.errors import CorruptError, StorageError
from fpmatch.gallery import following
from fpmatch.gallery.changes import Changed
from fpmatch.parameters import INDEX, SEARCH
from fpmatch.policy import Policy
from fpmatch.search.state import State

log = logging.getLogger(__name__)


def follow(state: State) -> None:
    """Bring an engine that is open for reading level with what has been committed by now.

    About 5 us where nothing has. Otherwise the policy first, then each partition that changed on
    its own, while no search of it runs here: records, seals, root and index of one and the same
    state.

    Raises
    ------
    StorageError
        If a partition cannot be brought level; it is tried again by the next call.
    """
    if state.mode == "rw":
        return
    with state.following:
        _look(state)
        for partition in sorted(state.stale | state.behind):
            if partition in state.behind or not _is_level(state, partition):
                with state.partition_lock(partition).writing():
                    state.relevel(partition)
            state.stale.discard(partition)


def bars(state: State, scored: Mapping[str, Iterable[int]]) -> dict[str, list[Changed]]:
    """What has been committed since a search began, of the records that it is about to show.

    The policy of now is taken over. New records and the index wait for the next call, so that this
    costs what changed of these records, and nothing else.

    Parameters
    ----------
    state : State
        The open engine.
    scored : mapping of str to iterable of int
        Keys of records, by partition.

    Returns
    -------
    dict of str to list of Changed
        Those of them that changed, as they are now.

    Raises
    ------
    StorageError
        If it cannot be told.
    """
    if state.mode == "rw":
        return {}
    out = {}
    with state.following:
        _look(state)
        for partition in sorted(state.stale & scored.keys()):
            changed = following.changed_of(state.gallery, partition, set(scored[partition]))
            if changed is None:
                with state.partition_lock(partition).writing():
                    state.relevel(partition)
                state.stale.discard(partition)
            else:
                out[partition] = changed
    return out


def _look(state: State) -> None:
    """Take over the policy, and note the partitions that may have changed."""
    if following.anything(state.gallery):
        state.stale.update(info.name for info in state.gallery.partitions)
        state.policy = newest(state)


def _is_level(state: State, partition: str) -> bool:
    index = state.indexes.get(partition)
    return index is not None and following.is_level(state.gallery, partition) and index.is_level()


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
    if len(missing):
        index.take_tails(
            missing, lambda rows: following.digest_of(state.gallery, partition, rows.tolist())
        )
        missing = index.missing(missing)
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
        forms = encode_many([found[row] for row in there.tolist()])
        state.indexes[partition].hold(there, forms, positions[there])
