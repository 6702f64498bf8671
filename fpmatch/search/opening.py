"""A gallery folder: made, locked, opened."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from fpmatch.audit import AuditLog
from fpmatch.checks import quoted
from fpmatch.database import Durability
from fpmatch.durable import storage_errors
from fpmatch.encryption import Chest, KeySource, chest_of
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.encryption.library import aead
from fpmatch.encryption.ring import ring_of
from fpmatch.errors import InputError, LockedError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.ledger import Ledger
from fpmatch.locking import FolderLock
from fpmatch.policy import Policy
from fpmatch.search import apart, follow, hold, recovery
from fpmatch.search.apart import LOG
from fpmatch.search.limits import Limits
from fpmatch.search.living import FOLDER as LIVING
from fpmatch.search.living import Living
from fpmatch.search.shards import Shards
from fpmatch.search.state import State, Vault
from fpmatch.types import PartitionInfo

_AGAIN = 0.05
"""How soon a lock that another holds is tried again, seconds."""
log = logging.getLogger(__name__)


def make(folder: Path, durability: Durability, keys: KeySource | None = None) -> None:
    """Make an empty gallery in a folder that does not exist or is empty.

    Parameters
    ----------
    folder : Path
    durability : Durability
        Whether commits wait for the disk.
    keys : KeySource, optional
        The caller's keys, if it shall be encrypted.

    Raises
    ------
    StorageError
        If the folder is in use, or cannot be made.
    InputError
        If the keys cannot be used.
    """
    if keys is not None:
        ring_of(keys)  # Before anything is made.
        aead()
    with storage_errors(folder.name):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StorageError(f"{folder} exists already; choose another name or open it")
        folder.mkdir(parents=True, exist_ok=True)
    chest = None if keys is None else Chest.create(folder, keys)
    log_key = None if chest is None else ChestBox(chest, LOG)
    Ledger.create(folder, durability=durability, chest=chest).close()
    AuditLog.create(folder / LOG, durability=durability, box=log_key).close()
    gallery = Gallery.create(folder, durability=durability, chest=chest)
    gallery.secret("handles")
    gallery.close()


def open_state(
    folder: Path,
    mode: str,
    *,
    clock: Callable[[], datetime],
    threads: int,
    durability: Durability,
    hit_score: float,
    withheld_ms: float,
    routes: Mapping[str, Mapping[str, str]],
    vault: Vault | None,
    actor: str,
    wait: float,
    limits: Limits,
    keys: KeySource | None,
    shards: Shards | None = None,
    aside: Path | None = None,
) -> tuple[State, FolderLock]:
    """Lock and open a folder, and finish what a crash left half done.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    mode : str
        "r" or "rw".
    clock : Callable[[], datetime]
        Gives the time, with an offset.
    threads : int
        Of one search.
    durability : Durability
        Whether commits wait for the disk.
    hit_score : float
        From which owners are told.
    withheld_ms : float
        When held answers leave, milliseconds.
    routes : Mapping[str, Mapping[str, str]]
        Offices by partition and agency.
    vault : Vault or None
        Seals what is kept for others.
    actor : str
        Who reads the log.
    wait : float
        How long to wait for another writer, seconds.
    limits : Limits
        How much one call may ask.
    shards : Shards or None
        Hosts that hold the rows, if any do.
    keys : KeySource or None
        The caller's keys of an encrypted gallery.
    aside : Path or None
        Where log, ledger and openings are, if not in the folder.

    Raises
    ------
    InputError
        If an option cannot be used.
    """
    hold.check(withheld_ms)
    own = folder
    if aside is not None:
        if mode != "r":
            raise InputError("apart= goes with mode 'r': what changes a gallery is logged in it")
        own = aside
        _found(folder)
        apart.make(own, durability, chest_of(folder, keys))
    folder_lock = lock(folder, mode, wait, own)
    state: State | None = None
    living: Living | None = None
    try:
        with storage_errors(folder.name), apart.writable(folder):
            living = Living(own)
        chest = chest_of(folder, keys)
        still = aside is not None
        gallery = Gallery.open(folder, mode, durability=durability, chest=chest, still=still)
        state = State(
            folder=folder,
            mode=mode,
            gallery=gallery,
            ledger=Ledger.open(own, durability=durability, chest=chest),
            audit=AuditLog.open(
                own / LOG,
                "rw",
                clock=clock,
                durability=durability,
                actor=actor,
                box=None if chest is None else ChestBox(chest, LOG),
            ),
            clock=clock,
            opaque_key=gallery.secret("handles"),
            living=living,
            threads=threads,
            hit_score=hit_score,
            withheld_ms=withheld_ms,
            routes=routes,
            vault=vault,
            limits=limits,
            shards=shards,
            chest=chest,
        )
        if still:
            apart.belongs(state.ledger, gallery)
        state.relevel = partial(recovery.relevel, state)
        if mode == "rw":
            gallery.take_over(living.name)
        state.policy = follow.newest(state)
        hold.warn(state)
        try:
            if state.policy is not None:
                check_partitions(gallery.partitions, state.policy)
        except InputError as error:
            log.warning("nothing of such partitions is searched: %s", error)
        if shards is not None:
            shards.attach(gallery, state.partition_lock)
        with storage_errors(folder.name):
            recovery.recover(state)
    except BaseException:
        # Or the next opening in this process would find them locked, and make them again.
        for index in state.indexes.values() if state is not None else ():
            with contextlib.suppress(Exception):
                index.close()
        if state is not None and shards is not None:
            shards.detach(state.gallery)
        if living is not None:
            living.close()
        folder_lock.close()
        raise
    return state, folder_lock


def check(clock: object, monitor: object, limits: object, shards: object) -> None:
    """Options of an opening are of their kinds.

    Parameters
    ----------
    clock : object
        Has to be callable.
    monitor : object
        Has to be callable, or None.
    limits : object
        Has to be `Limits`.
    shards : object
        Have to be `Shards`, or None.

    Raises
    ------
    InputError
        If one is not.
    """
    if not callable(clock):
        raise InputError(f"clock must be callable, not {quoted(clock)}")
    if monitor is not None and not callable(monitor):
        raise InputError(f"monitor must be callable, not {quoted(monitor)}")
    if not isinstance(limits, Limits):
        raise InputError(f"limits must be Limits, not {quoted(limits)}")
    if shards is not None and not isinstance(shards, Shards):
        raise InputError(f"shards must be a Cluster, not {quoted(shards)}")


def lock(folder: Path, mode: str, wait: float = 0.0, own: Path | None = None) -> FolderLock:
    """Any number of processes may read, and one of them may write meanwhile.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    mode : str
        "r" or "rw".
    wait : float
        How long to wait for another writer, seconds.
    own : Path, optional
        Where openings are, if not in the folder.

    Raises
    ------
    LockedError
        If another process has it open for writing, or an older release has it open at all.
    StorageError
        If it is no gallery folder, or may not be looked into.
    """
    until = time.monotonic() + wait
    try:
        _found(folder)
        if mode == "r":
            place = (own or folder) / LIVING
            with apart.writable(folder):
                place.mkdir(exist_ok=True)
            return FolderLock(place, shared=True)
        while True:
            try:
                # The folder itself is what older releases lock to read: they follow no writer.
                return FolderLock(folder, shared=False)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_AGAIN)
    except BlockingIOError as error:
        raise LockedError(
            f"{folder} is open for writing elsewhere, or by an older release; one process writes"
        ) from error
    except OSError as error:
        raise StorageError(f"{folder} cannot be opened: {error.strerror}") from error


def _found(folder: Path) -> None:
    if not (folder / "gallery.sqlite").exists():
        raise StorageError(f"{folder} is no gallery folder; make one with Engine.create")


def check_partitions(mine: Iterable[PartitionInfo], policy: Policy) -> None:
    """Gallery and policy say the same of a partition: name, number and owner.

    Raises
    ------
    InputError
        If they do not: one of them is wrong, and rules of another owner must not disclose.
    """
    mine = tuple(mine)
    for info in policy.partitions:
        for own in mine:
            if (own.name == info.name or own.ndr == info.ndr) and own != info:
                raise InputError(
                    f"the policy says {_said(info)}, the gallery {_said(own)}: one is wrong"
                )


def _said(info: PartitionInfo) -> str:
    return f"partition {quoted(info.name)}, number {info.ndr}, owner {quoted(info.owner)}"
