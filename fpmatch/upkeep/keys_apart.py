"""The keys of single records, templates and probes: kept apart from backups, and asked for again.

A backup of an encrypted gallery holds none of them. Whoever destroys a record destroys its keys, in
the gallery and in the one file that is kept beside it; then nothing of it can be read in a backup.

Layout, little-endian::

    0    magic "FPMKEYS\\n", version u32, length of the header u32
    16   header (JSON): gallery, stores with the number of their last key and how many follow
    ..   for each key its number u64, its length u32, and the key as it is wrapped
    ..   SHA-256 of everything before
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fpmatch.audit import AuditLog, Kind
from fpmatch.audit.log import now
from fpmatch.checks import check_text, path_of
from fpmatch.database import connect, reading, stored_bytes, transaction
from fpmatch.durable import replacing, storage_errors
from fpmatch.encryption import Chest, KeySource, chest_of
from fpmatch.encryption.chest import generation_of
from fpmatch.encryption.key_table import is_destroyed
from fpmatch.errors import MALFORMED, CorruptError, InputError, KeysError
from fpmatch.search.apart import LOG
from fpmatch.search.opening import lock

STORES = ("gallery", "ledger")
MAGIC = b"FPMKEYS\n"
VERSION = 1
_START = struct.Struct("<8sII")
_KEY = struct.Struct("<QI")
_DIGEST = 32
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class ItemKeys:
    """What a file of item keys holds.

    Parameters
    ----------
    gallery : str
        Which gallery's.
    last : dict of str to int
        By store the number of the last key that there was.
    keys : dict of str to dict of int to bytes
        By store and number; wrapped.
    """

    gallery: str
    last: dict[str, int]
    keys: dict[str, dict[int, bytes]]


def item_keys(
    path: str | Path,
    to: str | Path,
    *,
    keys: KeySource,
    actor: str = "",
    clock: object = now,
) -> int:
    """Write the item keys of an encrypted gallery to a file, in place of an older one.

    Keep one such file, apart from the backups, and write it anew after what has been removed: as
    long as an older one is about, backups can be read with it.

    Parameters
    ----------
    path : str or Path
        The gallery's folder; others may have it open.
    to : str or Path
        The file, replaced whole.
    keys : KeySource
        The caller's keys, as for `Engine.open`.
    actor : str
        Who does; goes into the log.
    clock : callable
        Gives the time, with a time zone.

    Returns
    -------
    int
        How many keys it holds.

    Raises
    ------
    StorageError
        If it is no gallery, or the file cannot be written.
    KeysError
        If the caller's keys are others.
    InputError
        If the gallery is not encrypted.
    """
    folder, target = path_of(path), path_of(to)
    check_text("actor", actor, longest=255)
    with contextlib.closing(lock(folder, "r")):
        chest = needed(chest_of(folder, keys), folder)
        with contextlib.closing(
            AuditLog.open(folder / LOG, "rw", clock=clock, actor=actor)  # type: ignore[arg-type]
        ) as log:
            log.event(Kind.ENGINE, {"what": "item keys exported", "by": actor})
        return export(folder, target, chest)


def needed(chest: Chest | None, folder: Path) -> Chest:
    """The keys of a gallery that has to be encrypted; InputError if it is not."""
    if chest is None:
        raise InputError(f"{folder.name} is not encrypted: it has no item keys")
    return chest


def export(folder: Path, to: Path, chest: Chest) -> int:
    """Write the keys that the databases in a folder hold; how many.

    Parameters
    ----------
    folder : Path
        Of a gallery, or of a copy.
    to : Path
        The file, replaced whole.
    chest : Chest
        The gallery's keys.
    """
    found: dict[str, list[tuple[int, bytes]]] = {}
    for store in STORES:
        with contextlib.closing(connect(folder / f"{store}.sqlite", write=False)) as database:
            rows = database.execute("SELECT id, wrapped FROM data_key ORDER BY id").fetchall()
            found[store] = [
                (int(number), stored_bytes(wrapped, "the key of a record"))
                for number, wrapped in rows
            ]
    there = {s: [(n, w) for n, w in rows if not is_destroyed(w)] for s, rows in found.items()}
    header = json.dumps(
        {
            "gallery": chest.gallery,
            "stores": [
                [s, max((n for n, _ in found[s]), default=0), len(there[s])] for s in STORES
            ],
        }
    ).encode()
    digest = hashlib.sha256()
    with storage_errors(to.name), replacing(to) as file:
        for piece in _pieces(header, there):
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())
    return sum(map(len, there.values()))


def _pieces(header: bytes, there: dict[str, list[tuple[int, bytes]]]) -> Iterator[bytes]:
    yield _START.pack(MAGIC, VERSION, len(header)) + header
    for store in STORES:
        for number, wrapped in there[store]:
            yield _KEY.pack(number, len(wrapped)) + wrapped


def read(source: str | Path) -> ItemKeys:
    """Read a file of item keys.

    Raises
    ------
    InputError
        If it cannot be read, or is of a later release.
    CorruptError
        If it is damaged, or something else.
    """
    path = path_of(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) < _START.size + _DIGEST or content[: len(MAGIC)] != MAGIC:
        raise CorruptError(f"{path.name} holds no item keys")
    _, version, length = _START.unpack_from(content)
    if version > VERSION:
        raise InputError(f"{path.name} has version {version}; this release reads {VERSION}")
    body, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise CorruptError(f"{path.name} is damaged: its SHA-256 differs")
    try:
        header = json.loads(body[_START.size : _START.size + length])
        at = _START.size + length
        last: dict[str, int] = {}
        keys: dict[str, dict[int, bytes]] = {}
        for store, newest, count in header["stores"]:
            last[str(store)], keys[str(store)] = int(newest), {}
            for _ in range(int(count)):
                number, size = _KEY.unpack_from(body, at)
                at += _KEY.size + size
                if size > _LONGEST or at > len(body) or number >> 63:
                    raise ValueError("a key is cut off, or has a number that none has")
                keys[str(store)][number] = body[at - size : at]
        if at != len(body) or set(keys) != set(STORES):
            raise ValueError("there is more in it than it says")
        return ItemKeys(str(header["gallery"]), last, keys)
    except MALFORMED:
        raise CorruptError(f"{path.name} is damaged: its keys cannot be read") from None


def strip(database: sqlite3.Connection) -> None:
    """Take all item keys out of a copy of a database, and leave no trace of them in its file."""
    database.execute("PRAGMA secure_delete = ON")
    database.execute("UPDATE data_key SET wrapped = zeroblob(length(wrapped))")
    database.execute("VACUUM")


def put(folder: Path, taken: ItemKeys, chest: Chest) -> None:
    """Put item keys into the databases of a restored folder.

    Parameters
    ----------
    folder : Path
        What a backup was unpacked to.
    taken : ItemKeys
        As `read` gave them.
    chest : Chest
        The gallery's keys, of when the backup was made.

    Raises
    ------
    InputError
        If they are another gallery's, or older than the backup.
    KeysError
        If they are of after the gallery got other keys.
    """
    if taken.gallery != chest.gallery:
        raise InputError("these item keys are of another gallery")
    for store in STORES:
        with contextlib.closing(connect(folder / f"{store}.sqlite", write=True)) as database:
            with reading(database):
                newest = database.execute("SELECT MAX(id) FROM data_key").fetchone()[0] or 0
            if taken.last[store] < newest:
                raise InputError("these item keys are older than the backup")
            keys = taken.keys[store]
            if not {generation_of(wrapped) for wrapped in keys.values()} <= {*chest.generations}:
                raise KeysError(
                    "these item keys are of after the gallery got other keys: this backup needs "
                    "those of before"
                )
            with transaction(database):
                database.executemany(
                    "UPDATE data_key SET wrapped = ? WHERE id = ?",
                    [(wrapped, number) for number, wrapped in keys.items()],
                )
