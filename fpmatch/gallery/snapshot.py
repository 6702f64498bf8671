"""A partition's columns in a file: a copy of what SQLite holds, believed only if it fits exactly.

Layout, little-endian::

    0    magic "FPMCOL\\r\\n", version u32, length of the header u32,
         SHA-256 of these sixteen bytes and of everything after it
    48   header (JSON): partition, stamp, banned uses, sections with dtype, shape and offset
    ..   the sections, each on a 64-byte border from the start of the data

The stamp names the state of the system of record that the columns show; the database makes a new
one, at random, in every transaction that changes them (`fpmatch.gallery.schema.STAMPS`). A file
whose stamp, version, length or digest is another is passed over. It is read as a whole and then
checked: what was checked is what is used, whatever becomes of the file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.durable import storage_errors
from fpmatch.encryption import PLAIN_FILES, Files
from fpmatch.errors import MALFORMED, CorruptError, KeysError

MAGIC = b"FPMCOL\r\n"
VERSION = 1
SUFFIX = ".col"
_START = struct.Struct("<8sII")
_DIGEST = 32
_ALIGN = 64
_UNREADABLE = (OSError, CorruptError, KeysError, *MALFORMED)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What a file holds: arrays, and the sets of banned uses that one of them numbers."""

    arrays: Mapping[str, NDArray]
    bans: tuple[frozenset[str], ...]


def path_of(folder: Path, partition: int) -> Path:
    """Where the columns of the partition with this key lie."""
    return folder / f"columns-{partition}{SUFFIX}"


def write(
    folder: Path,
    partition: int,
    stamp: bytes,
    snapshot: Snapshot,
    *,
    sync: bool = True,
    files: Files = PLAIN_FILES,
) -> None:
    """Write a file so that a crash leaves the old one or the new one.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    partition : int
        Its name.
    snapshot : Snapshot
        What the columns hold.
    stamp : bytes
        Of the state that the columns show.
    sync : bool
        Wait for the disk. Without, a crash of the machine may leave a file that is passed over.
    files : Files
        How files lie.

    Raises
    ------
    OSError
        If it cannot be written; there is no half of it then.
    """
    sections: dict[str, tuple[str, list[int], int]] = {}
    pieces: list[bytes] = []
    at = 0
    for name, array in snapshot.arrays.items():
        content = np.ascontiguousarray(array).tobytes()
        content += bytes(-len(content) % _ALIGN)
        sections[name] = (array.dtype.newbyteorder("<").str, list(array.shape), at)
        pieces.append(content)
        at += len(content)
    header = json.dumps(
        {
            "partition": partition,
            "stamp": stamp.hex(),
            "bans": [sorted(ban) for ban in snapshot.bans],
            "sections": sections,
        },
        separators=(",", ":"),
    ).encode()
    header += b" " * (-(len(header) + _START.size + _DIGEST) % _ALIGN)
    start = _START.pack(MAGIC, VERSION, len(header))
    digest = _digest([start, header, *pieces])
    files.write(path_of(folder, partition), (start, digest, header, *pieces), sync=sync)


def read(folder: Path, partition: int, stamp: bytes, files: Files = PLAIN_FILES) -> Snapshot | None:
    """The columns under this stamp, or None if there is no sound file of them.

    Reads and checks every byte: about 35 MB a million records of one finger.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    partition : int
        Its name.
    stamp : bytes
        Of the database state that the columns must show.
    files : Files
        How files lie.

    Raises
    ------
    CorruptError
        Never: what is damaged is passed over.
    """
    path = path_of(folder, partition)
    try:
        content = files.read(path)
        head = _START.size + _DIGEST
        digest = _digest([content[: _START.size], content[head:]])
        if digest != content[_START.size : head].tobytes():
            raise CorruptError("its digest differs")
        header, data = _parts(content)
        if header["stamp"] != stamp.hex() or header["partition"] != partition:
            log.info("%s shows another state of its partition and is passed over", path.name)
            return None
        arrays = {name: _view(data, *where) for name, where in header["sections"].items()}
        return Snapshot(arrays, tuple(frozenset(ban) for ban in header["bans"]))
    except OSError:
        return None
    except (CorruptError, KeysError, *MALFORMED) as error:
        log.warning("%s is passed over: %s", path.name, error)
        return None


def remove_stale(folder: Path, stamps: Mapping[int, bytes], files: Files = PLAIN_FILES) -> None:
    """Remove files that show another state than now, unreadable ones and unfinished ones.

    Parameters
    ----------
    folder : Path
        Of the gallery.
    stamps : mapping of partition key to stamp
        As the database has them.
    files : Files
        How files lie.
    """
    fresh = {path_of(folder, key).name: stamp.hex() for key, stamp in stamps.items()}
    with storage_errors(f"columns{SUFFIX}"):
        for path in folder.glob(f"columns-*{SUFFIX}*"):
            if path.name not in fresh or _stamp(path, files) != fresh[path.name]:
                path.unlink(missing_ok=True)


def claims(path: Path, stamp: bytes, files: Files = PLAIN_FILES) -> bool:
    """Whether a file says that it shows the state of this stamp, sound or not.

    Parameters
    ----------
    path : Path
    stamp : bytes
    files : Files
        How files lie.
    """
    return _stamp(path, files) == stamp.hex()


def _stamp(path: Path, files: Files) -> str:
    """The stamp that a file claims; "" if it claims none."""
    try:
        start = files.read(path, _START.size)
        length = _START.unpack(start[: _START.size].tobytes())[2]
        content = files.read(path, _START.size + _DIGEST + length)
        return str(_parts(content)[0]["stamp"])
    except _UNREADABLE:
        return ""


def _parts(content: NDArray[np.uint8]) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    head = _START.size + _DIGEST
    if len(content) < head:
        raise CorruptError(f"{len(content)} bytes are too short")
    magic, version, length = _START.unpack(content[: _START.size].tobytes())
    if magic != MAGIC or version != VERSION:
        raise CorruptError(f"it has version {version}; this release reads {VERSION}")
    if len(content) < head + length:
        raise CorruptError("truncated inside its header")
    return json.loads(content[head : head + length].tobytes()), content[head + length :]


def _view(data: NDArray[np.uint8], dtype: str, shape: list[int], offset: int) -> NDArray:
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    return data[offset : offset + size].view(kind).reshape(shape)


def _digest(pieces: Iterable[Any]) -> bytes:
    out = hashlib.sha256()
    for piece in pieces:
        out.update(piece)
    return out.digest()
