"""A whole gallery verified: database, records, index, columns, ledger, log, strays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fpmatch.audit import AuditLog
from fpmatch.audit.keys import read_key
from fpmatch.checks import check_flag, path_of
from fpmatch.durable import storage_errors
from fpmatch.encryption import NAME as KEYS
from fpmatch.encryption import Chest, KeySource, chest_of
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.errors import AuditError, FpmatchError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.ledger import Ledger
from fpmatch.search.opening import lock
from fpmatch.upkeep.check_encrypted import check_owed, check_values
from fpmatch.upkeep.check_index import check_columns, check_index
from fpmatch.upkeep.check_ledger import check_ledger
from fpmatch.upkeep.check_records import check_policies, check_records, check_tables
from fpmatch.upkeep.finding import OPEN, Finding

Progress = Callable[[str, int, int], None]
LOG = "audit.sqlite"
_KNOWN = ("gallery.sqlite", "ledger.sqlite", LOG)
_BESIDE = ("-wal", "-shm")


def check(
    path: str | Path,
    *,
    deep: bool = False,
    progress: Progress | None = None,
    keys: KeySource | None = None,
) -> tuple[Finding, ...]:
    """Verify everything in a gallery folder against everything else; changes nothing.

    Others may read meanwhile; nobody may write.

    Parameters
    ----------
    path : str or Path
        The gallery's folder.
    deep : bool
        Compute the search form of every finger again and compare (about 0.3 ms a finger);
        otherwise stored checksums are verified.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery, as for `Engine.open`.

    Returns
    -------
    tuple of Finding
        None if all is well. What is still to be carried through after a crash is a finding too.

    Raises
    ------
    StorageError
        If it is no gallery folder; `LockedError` if somebody has it open for writing.
    KeysError
        If it is encrypted, and its keys are not given or others.
    InputError
        If an argument cannot be used.

    Notes
    -----
    Some 30 us a record and finger, and reading the index's files once.
    """
    folder = path_of(path)
    deep = bool(check_flag("deep", deep))
    held = lock(folder, "rw")
    try:
        chest = chest_of(folder, keys)
        return tuple(_all(folder, deep, progress or (lambda *_: None), chest))
    finally:
        held.close()


def _all(folder: Path, deep: bool, progress: Progress, chest: Chest | None) -> Iterator[Finding]:
    with ExitStack() as stack:
        gallery = None
        try:
            gallery = Gallery.open(folder, "r", chest=chest)
            stack.callback(gallery.close)
            yield from check_tables(gallery.database, "gallery.sqlite")
            yield from check_policies(gallery)
            yield from _pending(gallery)
            yield from check_values(gallery)
        except StorageError as error:
            yield Finding("gallery.sqlite", str(error), "restore a backup")
        if gallery is not None:
            for number, info in enumerate(gallery.partitions):
                progress(f"partition {info.name}", number, len(gallery.partitions))
                with _readable(info.name) as found:
                    found += check_records(gallery, info.name)
                    found += check_columns(gallery, info.name)
                    found += check_index(gallery, info.name, deep)
                yield from found
            yield from _strays(folder, gallery)
        progress("ledger and log", 0, 2)
        try:
            ledger = Ledger.open(folder, write=False, chest=chest)
            stack.callback(ledger.database.close)
            yield from check_tables(ledger.database, "ledger.sqlite")
            yield from check_ledger(ledger)
            yield from check_owed(ledger)
        except StorageError as error:
            yield Finding("ledger.sqlite", str(error), "restore a backup")
        yield from _log(folder, chest)
        progress("ledger and log", 2, 2)


@contextmanager
def _readable(partition: str) -> Iterator[list[Finding]]:
    """Findings of a partition; what cannot even be read is one."""
    found: list[Finding] = []
    try:
        yield found
    except FpmatchError as error:
        found.append(Finding(f"partition {partition!r}", str(error), "restore a backup"))


def _pending(gallery: Gallery) -> Iterator[Finding]:
    journal = len(gallery.unlogged())
    if journal:
        yield Finding("gallery.sqlite", f"{journal} changes are not in the log yet", OPEN, True)
    removals = len(gallery.unfinished())
    if removals:
        yield Finding(
            "gallery.sqlite", f"{removals} removals are not carried through yet", OPEN, True
        )


def _log(folder: Path, chest: Chest | None) -> Iterator[Finding]:
    try:
        report = AuditLog.open(folder / LOG).verify()
    except AuditError as error:
        yield Finding(LOG, str(error), "restore a backup")
        return
    if not report.ok:
        yield Finding(LOG, report.why, "keep it as it is: it is evidence; restore a backup beside")
    for one in report.contradictions:
        yield Finding(LOG, f"record {one.seq}: {one.why}", "keep it as it is: it is evidence")
    if report.dangling:
        what = f"{len(report.dangling)} searches were begun and have no outcome"
        yield Finding(LOG, what, "none: they were cut off, and nothing of them was released")
    try:
        read_key(folder / LOG, None if chest is None else ChestBox(chest, LOG))
    except AuditError as error:
        yield Finding(f"{LOG}.key", str(error), "restore it from a backup: no log without it")


def _strays(folder: Path, gallery: Gallery) -> Iterator[Finding]:
    """Files that nobody reads: what a crash left, or what a hand put there."""
    from fpmatch.gallery.partition_names import folder_name

    known = {*_KNOWN, *(name + more for name in _KNOWN for more in _BESIDE), f"{LOG}.key"}
    # The lock is that of older releases, and of systems whose folders cannot be locked.
    known |= {"index", "living", "lock", *gallery.column_files()}
    known |= {KEYS} if gallery.cipher.encrypted else set()
    indexes = {folder_name(info.name) for info in gallery.partitions}
    with storage_errors(folder.name):
        strange = sorted(p.name for p in folder.iterdir() if p.name not in known)
        if (folder / "index").is_dir():
            inside = (folder / "index").iterdir()
            strange += sorted(f"index/{p.name}" for p in inside if p.name not in indexes)
    for name in strange:
        ours = name.endswith(".part") or name.startswith(("columns-", "index/"))
        do = "left by a write that was cut off: removed by repair" if ours else "look at it"
        yield Finding(name, "nothing refers to it", do, ours, name if ours else "")
