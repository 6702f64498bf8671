"""Opening: whatever a crash left half done is finished from the system of record."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

import numpy as np

from fpmatch.audit import Kind
from fpmatch.errors import (
    CorruptError,
    KeysError,
    LockedError,
    ReadOnlyError,
    StorageError,
    WriteError,
)
from fpmatch.gallery import NewRow
from fpmatch.gallery.partition_names import folder_name
from fpmatch.index import placing
from fpmatch.search import copies, follow, kept_probes, opting_out, outbox, pending
from fpmatch.search.indexing import index_rows
from fpmatch.search.state import State
from fpmatch.types import FingerPosition

_AS_IT_IS = LockedError | ReadOnlyError | WriteError | KeysError
"""What an index is not made anew for."""
log = logging.getLogger(__name__)


def recover(state: State) -> None:
    """Settle journal, outbox and indexes after opening."""
    if state.mode == "rw":
        for partition, stored, found in state.gallery.mend_sums():
            log.warning("the root of partition %s was not that of its records", partition)
            fields = {"partition": partition, "stored": stored, "found": found}
            state.audit.event(Kind.ENGINE, {"what": "root computed anew", **fields})
        state.gallery.scrub()
        state.ledger.scrub()
        state.recovering = True
        state.log()
        state.recovering = False
    else:
        state.gallery.mend_sums()
        pending.destroy_probes(state, state.gallery.unfinished())
    opting_out.take_over(state)
    state.living.clear()
    outbox.recover(state)
    copies.recover(state)
    kept_probes.recover(state)
    kept_probes.expire(state)
    for info in state.gallery.partitions:
        attach(state, info.name)
    if state.mode == "rw":
        pending.finish_removals(state)
    state.gallery.keep_columns()


def attach(state: State, partition: str) -> None:
    """Open a partition's index and bring it level with the gallery; rebuild it if damaged.

    Where hosts hold its rows, they are brought level instead.
    """
    folder = _folder(state, partition)
    if state.shards is not None:
        if state.mode == "rw":
            # It would not be kept level, and what is removed would stay in it.
            shutil.rmtree(folder, ignore_errors=True)
        level(state, partition)
        return
    try:
        if (folder / "index.json").exists() or state.mode != "rw":
            files = state.gallery.cipher.files
            state.indexes[partition] = placing.attach(
                folder, files, mode=state.mode, threads=state.threads
            )
        else:
            _make(state, partition)
        level(state, partition)
    except (CorruptError, StorageError) as error:
        if state.mode != "rw" or isinstance(error, _AS_IT_IS):
            raise
        rebuild(state, partition, error)


def rebuild(state: State, partition: str, why: Exception) -> None:
    """Throw an index away and make it again from the stored templates.

    Parameters
    ----------
    state : State
        The open engine.
    partition : str
        Its name.
    why : Exception
        For the log.
    """
    log.warning("the index of partition %s is rebuilt: %s", partition, type(why).__name__)
    state.audit.event(
        Kind.ENGINE,
        {"what": "index rebuilt", "partition": partition, "why": type(why).__name__},
    )
    old = state.indexes.pop(partition, None)
    if old is not None:
        with contextlib.suppress(Exception):  # What it could not write is made again.
            old.close()
    shutil.rmtree(_folder(state, partition), ignore_errors=True)
    _make(state, partition)
    level(state, partition)


def level(state: State, partition: str) -> None:
    """Add rows that the index lacks, and tombstone those that the gallery has no longer.

    Raises
    ------
    StorageError
        If the index cannot follow.
    """
    if state.mode != "rw":
        follow.level(state, partition)
        return
    if state.shards is not None:
        state.shards.level(partition)
        return
    columns = state.gallery.columns(partition)
    index = state.indexes[partition]
    held = index.row_ids()
    wanted = columns.row_record >= 0
    wanted = np.append(wanted, np.zeros(max(0, int(held.max(initial=-1)) + 1 - len(wanted)), bool))
    extra = held[~wanted[held]]
    wanted[held] = False
    missing = np.flatnonzero(wanted).astype(np.int64)
    if len(extra):
        index.tombstone(extra)
    if index.tombstones:
        index.purge()
    # The gallery decides: restored from before, it has rows that went since, and gives ids again.
    gone = index.expunged
    index.forget(gone[(gone >= state.gallery.next_row(partition)) | np.isin(gone, missing)])
    if len(missing):
        positions = columns.row_position[missing]
        index_rows(
            state,
            partition,
            [
                NewRow(int(row), FingerPosition(int(position)), 0)
                for row, position in zip(missing, positions, strict=True)
            ],
        )


def _make(state: State, partition: str) -> None:
    state.indexes[partition] = placing.make(
        _folder(state, partition),
        state.gallery.cipher.files,
        expected_fingers=state.gallery.expected(partition),
        threads=state.threads,
    )


def relevel(state: State, partition: str) -> None:
    """Bring an index level that a call left behind; the caller holds the partition's lock."""
    if state.mode == "rw":
        state.gallery.forget(partition)
    if partition in state.indexes or state.shards is not None:
        level(state, partition)
    else:
        attach(state, partition)
    state.behind.discard(partition)


def _folder(state: State, partition: str) -> Path:
    return state.folder / "index" / folder_name(partition)
