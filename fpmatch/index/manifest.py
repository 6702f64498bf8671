"""The one file that says which segments are live, and the tombstones beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import MALFORMED, CorruptError, StorageError

NAME = "index.json"
FORMAT = 2
"""Of an index that remembers expunged rows; the others are written as `PLAIN`."""
PLAIN = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index consists of. Replaced as a whole, never changed in place.

    Parameters
    ----------
    generation : int
        Grows with every change.
    lists : int
        Lists of the coarse quantizer, fixed when the index was created.
    parameters : str
        Hash of everything that shapes codes, lists and votes.
    segments : tuple of (name, sha256, rows)
    tombstones : str
        Name of the tombstone file, "" if there is none; `tombstones_sha256` checks it.
    expunged : str
        The same for the ids of rows that were tombstoned and are no longer stored.
    """

    generation: int
    lists: int
    parameters: str
    segments: tuple[tuple[str, str, int], ...] = ()
    tombstones: str = ""
    tombstones_sha256: str = ""
    expunged: str = ""
    expunged_sha256: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files that the index consists of, besides this one."""
        return tuple(name for name, _ in self.digests)

    @property
    def digests(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256 of each of `files`."""
        ids = ((self.tombstones, self.tombstones_sha256), (self.expunged, self.expunged_sha256))
        return (*((name, sha) for name, sha, _ in self.segments), *(one for one in ids if one[0]))


def text(folder: Path) -> bytes:
    """The manifest as it is stored: equal where nothing changed.

    Raises
    ------
    StorageError
        If the folder holds no index.
    """
    try:
        return (folder / NAME).read_bytes()
    except FileNotFoundError as error:
        raise StorageError(f"no index in this folder: {NAME} is missing") from error
    except OSError as error:
        raise StorageError(f"the index's {NAME} cannot be read: {error.strerror}") from error


def read(folder: Path) -> Manifest:
    """Read the manifest.

    Raises
    ------
    StorageError
        If the folder holds no index.
    CorruptError
        If the manifest is damaged.
    """
    try:
        stored = json.loads(text(folder))
        body = stored["manifest"]
        if stored["sha256"] != _digest(body):
            raise CorruptError(f"{NAME}: checksum does not match: the file is damaged")
        if stored["format"] not in (PLAIN, FORMAT):
            raise CorruptError(
                f"{NAME}: format {stored['format']}; this release reads {PLAIN} to {FORMAT}"
            )
        segments = tuple((str(n), str(d), int(r)) for n, d, r in body["segments"])
        found = Manifest(**{**body, "segments": segments})
        # Each is read, and removed later on: a file of this folder, and no other.
        if any(Path(name).name != name or name == ".." for name in found.files):
            raise CorruptError(f"{NAME}: damaged (a file has a name that none has)")
        return found
    except MALFORMED as error:
        raise CorruptError(f"{NAME}: damaged ({type(error).__name__})") from error


def write(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest: temporary name, fsync, rename, fsync of the folder."""
    body = dataclasses.asdict(manifest)
    version = FORMAT
    if not manifest.expunged:
        # As earlier releases wrote and read it.
        del body["expunged"], body["expunged_sha256"]
        version = PLAIN
    whole = json.dumps({"format": version, "manifest": body, "sha256": _digest(body)}, indent=1)
    write_file(folder / NAME, whole.encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a whole file so that a crash leaves the old one or the new one."""
    with storage_errors(path.name), replacing(path) as file:
        file.write(content)


def read_ids(folder: Path, name: str, sha256: str) -> NDArray[np.int64]:
    """Ids of rows from a file of them, ascending; none for the name "".

    Parameters
    ----------
    folder : Path
    name, sha256 : str
        Of the file, from the manifest.

    Raises
    ------
    CorruptError
        If it is missing or damaged.
    """
    if not name:
        return np.zeros(0, np.int64)
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise CorruptError(f"{name}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CorruptError(f"{name}: checksum does not match")
    return np.frombuffer(content, "<i8").astype(np.int64)


def write_ids(folder: Path, what: str, generation: int, ids: NDArray[np.int64]) -> tuple[str, str]:
    """Write a file of row ids; returns its name and SHA-256 for the manifest.

    Parameters
    ----------
    folder : Path
    what : {"tombstones", "expunged"}
    generation : int
        Of the manifest that will name it.
    ids : (K,) int64
        None gives no file and two empty texts.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    if not len(ids):
        return "", ""
    content = np.sort(ids).astype("<i8").tobytes()
    name = f"{what}-{generation:08d}.ids"
    write_file(folder / name, content)
    return name, hashlib.sha256(content).hexdigest()


def remove_strays(folder: Path, manifest: Manifest) -> None:
    """Remove files that no manifest names: of an interrupted write, or of before a merge."""
    keep = {NAME, *manifest.files}
    with storage_errors(folder.name):
        for path in folder.iterdir():
            ours = path.suffix in (".seg", ".ids", ".part")
            if ours and path.name not in keep:
                path.unlink(missing_ok=True)


def _digest(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
