"""A copy of a gallery that is made while it is searched and written, with a digest of each file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fpmatch
from fpmatch.audit import AuditLog, Kind
from fpmatch.audit.keys import key_path
from fpmatch.audit.log import now
from fpmatch.checks import check_text, path_of, quoted
from fpmatch.database import connect
from fpmatch.durable import put_folder_in_place, replacing, storage_errors
from fpmatch.encryption import NAME as KEYS
from fpmatch.encryption import Chest, KeySource, chest_of
from fpmatch.errors import MALFORMED, CorruptError, InputError, LockedError, StorageError
from fpmatch.gallery import Gallery, withdrawn
from fpmatch.index import manifest as manifests
from fpmatch.search.opening import lock
from fpmatch.sqlite_errors import ours
from fpmatch.upkeep import keys_apart

Progress = Callable[[str, int, int], None]
LIST = "backup.json"
FORMAT = 1
# The gallery first: what the log says more than it is told at the restoration, what it says less
# would be lost.
DATABASES = ("gallery.sqlite", "ledger.sqlite", "audit.sqlite")
_TRIES = 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Parameters
    ----------
    made : str
        Time, ISO 8601.
    release : str
        Of fpmatch.
    records : dict of str to int
        By partition.
    roots : dict of str to str
        By partition; see `Receipt`.
    withdrawn : int
        Number of the last removal or seal that it has seen.
    policy : int
        Version in force; 0 if there is none.
    files : dict of str to str
        SHA-256 of each file, by its path in the gallery's folder.
    """

    made: str
    release: str
    records: dict[str, int]
    roots: dict[str, str]
    withdrawn: int
    policy: int
    files: dict[str, str]


def backup(
    path: str | Path,
    to: str | Path,
    *,
    actor: str = "",
    clock: Callable[[], datetime] = now,
    progress: Progress | None = None,
    keys: KeySource | None = None,
    item_keys: str | Path | None = None,
) -> Backup:
    """Copy a gallery while searches and changes go on; the log says so first.

    Parameters
    ----------
    path : str or Path
        The gallery's folder.
    to : str or Path
        A folder that does not exist yet; or a file, if its name ends with ``.tar``. Whoever has it
        has the records and the log's key: guard it as the gallery itself.
    actor : str
        Who makes it; goes into the log.
    clock : callable
        Gives the time, with a time zone.
    progress : callable, optional
        Called as ``progress(file, done, total)``.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery, as for `Engine.open`.
    item_keys : str or Path, optional
        Where the keys of its records go, a file that is replaced: the backup has none of them, and
        is of no use without. Needed where the gallery is encrypted.

    Returns
    -------
    Backup

    Raises
    ------
    StorageError
        If it is no gallery, there is something at the place, or it cannot be written; nothing is
        left of it then.
    AuditError
        If the log cannot take the record: then nothing is copied.
    InputError
        If an argument cannot be used.
    KeysError
        If it is encrypted, and its keys are not given or others.

    Notes
    -----
    Each database is copied as of one moment (SQLite's online backup), the gallery before the log.
    Segments of the index never change; they are copied as some manifest names them, and brought
    level with the records when the copy is opened. Copies of columns are left out; of an encrypted
    gallery the whole index is, which is made anew (0.3 ms a finger).
    """
    folder, target = path_of(path), path_of(to)
    check_text("actor", actor, longest=255)
    with contextlib.closing(lock(folder, "r")), storage_errors(target.name):
        chest = chest_of(folder, keys)
        if (chest is None) != (item_keys is None):
            raise InputError(
                f"{folder.name} is not encrypted: it has no item keys"
                if chest is None
                else "say where the item keys go (--item-keys FILE): a backup has none of them"
            )
        if target.exists():
            raise StorageError(f"{target.name} exists already; choose another name")
        part = target.with_name(target.name + ".making")
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        try:
            with contextlib.closing(
                AuditLog.open(folder / "audit.sqlite", "rw", clock=clock, actor=actor)
            ) as log:
                log.event(Kind.ENGINE, {"what": "backup", "by": actor})
            _copy_all(folder, part, progress or (lambda *_: None), encrypted=chest is not None)
            if chest is not None:
                # Before the backup has its name: it is never there without them.
                taken_out(part, path_of(item_keys), chest)
            made = _described(part, clock(), chest)
            _put(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return made


def taken_out(part: Path, to: Path, chest: Chest) -> None:
    """Move the item keys of a copy into a file.

    Parameters
    ----------
    part : Path
        Folder of the copy.
    to : Path
        The file.
    chest : Chest
        The gallery's keys.
    """
    keys_apart.export(part, to, chest)
    for store in keys_apart.STORES:
        with contextlib.closing(connect(part / f"{store}.sqlite", write=True)) as copy:
            keys_apart.strip(copy)
            copy.execute("PRAGMA journal_mode = DELETE")


def _copy_all(folder: Path, to: Path, progress: Progress, *, encrypted: bool) -> None:
    names = [*DATABASES, "index"]
    for number, name in enumerate(DATABASES):
        progress(name, number, len(names))
        _copy_database(folder / name, to / name)
    key = key_path(folder / "audit.sqlite")
    shutil.copyfile(key, to / key.name)
    (to / key.name).chmod(0o600)
    if encrypted:
        shutil.copyfile(folder / KEYS, to / KEYS)
        (to / KEYS).chmod(0o600)
        return
    progress(names[-1], len(DATABASES), len(names))
    for path in sorted((folder / "index").iterdir()) if (folder / "index").is_dir() else ():
        if (path / manifests.NAME).exists():
            _copy_index(path, to / "index" / path.name)
    progress(names[-1], len(names), len(names))


def _described(to: Path, at: datetime, chest: Chest | None) -> Backup:
    """What was copied, read from the copy: the gallery itself may have gone on."""
    held = _held(to, chest)
    made = Backup(
        made=at.isoformat(),
        release=fpmatch.__version__,
        **held,
        files={str(p.relative_to(to)): digest(p) for p in files_in(to)},
    )
    with replacing(to / LIST) as file:
        file.write(json.dumps({"format": FORMAT, **asdict(made)}, indent=1).encode())
    return made


def _held(folder: Path, chest: Chest | None) -> dict[str, Any]:
    """What a copy's database has of that which a list says of it."""
    with contextlib.closing(Gallery.open(folder, "r", chest=chest)) as gallery:
        counts = gallery.database.execute(
            "SELECT p.name, COUNT(r.id) FROM partition p LEFT JOIN record r ON r.partition = p.id "
            "GROUP BY p.id"
        ).fetchall()
        policy = gallery.policy()
        last = withdrawn.since(gallery)
        roots = {info.name: gallery.root(info.name) for info in gallery.partitions}
    for name in DATABASES:
        for more in ("-wal", "-shm"):
            (folder / f"{name}{more}").unlink(missing_ok=True)
    return {
        "records": {str(name): int(count) for name, count in counts},
        "roots": roots,
        "withdrawn": last[-1][0] if last else 0,
        "policy": 0 if policy is None else policy[0],
    }


def check_held(folder: Path, found: Backup, chest: Chest | None) -> None:
    """Compare what a backup says of itself with its database, before anything is done with it.

    Its list is under no digest: from which removal on a restoration repeats them must not hang on
    a number that nothing vouches for.

    Parameters
    ----------
    folder : Path
        Of the copy.
    found : Backup
        As `read_list` gave it.
    chest : Chest or None
        Its keys.

    Raises
    ------
    CorruptError
        If they differ.
    """
    for name, value in _held(folder, chest).items():
        if getattr(found, name) != value:
            raise CorruptError(f"{LIST} is damaged: what it says of {name} is not in the backup")


def _copy_database(source: Path, to: Path) -> None:
    with contextlib.closing(connect(source, write=False)) as old:
        try:
            with contextlib.closing(sqlite3.connect(to, isolation_level=None)) as new:
                old.backup(new)
                # In one file, with nothing beside it that could be lost.
                new.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise ours(error, to.name) from error


def _copy_index(source: Path, to: Path) -> None:
    to.mkdir(parents=True)
    copied: set[tuple[str, str]] = set()
    for _ in range(_TRIES):
        found = manifests.read(source)
        try:
            for one in found.digests:
                # Not by name alone: that of a segment that went may be given to another.
                if one not in copied:
                    shutil.copyfile(source / one[0], to / one[0])
                    copied.add(one)
        except FileNotFoundError:
            continue  # Merged into another meanwhile.
        manifests.write(to, found)
        manifests.remove_strays(to, found)
        return
    raise LockedError("the index changes faster than it can be copied; try again")


def _put(part: Path, target: Path) -> None:
    """Give a finished folder its name, or pack it into a file."""
    if target.suffix != ".tar":
        put_folder_in_place(part, target)
        return
    with replacing(target) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for path in files_in(part):
            tar.add(path, str(path.relative_to(part)))


def files_in(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    out = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            out.update(piece)
    return out.hexdigest()


def read_list(folder: Path) -> Backup:
    """What a backup says of itself, with every file verified against it.

    Raises
    ------
    CorruptError
        If a file is missing, damaged, or was not there when the backup was made.
    StorageError
        If it is no backup, or of a later release.
    """
    try:
        stored = json.loads((folder / LIST).read_bytes())
        if stored.pop("format") > FORMAT:
            raise StorageError(f"{LIST} is of a later release; this one reads format {FORMAT}")
        found = Backup(**stored)
        listed = dict(found.files)
        of_kind = isinstance(found.made, str) and isinstance(found.release, str)
        if not of_kind or not all(isinstance(sha, str) for sha in listed.values()):
            raise ValueError("a field is of another kind")
    except FileNotFoundError as error:
        raise StorageError(f"{folder.name} is no backup: it has no {LIST}") from error
    except MALFORMED as error:
        raise CorruptError(f"{LIST} is damaged: {error}") from error
    there = {str(p.relative_to(folder)) for p in files_in(folder)} - {LIST}
    for name in sorted(there ^ set(listed)):
        has = "has" if name in there else "lacks"
        raise CorruptError(f"the backup {has} the file {quoted(name)}")
    for name, sha256 in listed.items():
        if digest(folder / name) != sha256:
            raise CorruptError(f"{name} is damaged: its SHA-256 differs")
    return found
