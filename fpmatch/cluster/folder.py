"""A cluster's folder: its layout, and the key that hosts believe."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from fpmatch.cluster.grants import KEY
from fpmatch.cluster.layout import NAME
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import CorruptError, StorageError

KEY_FILE = "key"
GALLERY = "gallery"


def make_folder(folder: Path) -> None:
    """Make a cluster's folder, and its key, which only its owner can read.

    Raises
    ------
    StorageError
        If it cannot be made, or holds a cluster.
    """
    with storage_errors(folder.name):
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / NAME).exists():
            raise StorageError(f"{folder} holds a cluster already")
        folder.chmod(0o700)
    if not (folder / KEY_FILE).exists():
        with storage_errors(KEY_FILE), replacing(folder / KEY_FILE) as file:
            file.write(secrets.token_bytes(KEY))
        with storage_errors(KEY_FILE):
            (folder / KEY_FILE).chmod(0o600)


def bind(folder: Path, secret: bytes) -> None:
    """See that a cluster holds one gallery for good, whatever it is given later.

    A copy of the gallery, or a backup that was restored, is the same one.

    Parameters
    ----------
    folder : Path
    secret : bytes
        Of the gallery.

    Raises
    ------
    StorageError
        If it holds another.
    """
    name = hashlib.sha256(b"fpmatch cluster" + secret).hexdigest()
    path = folder / GALLERY
    with storage_errors(GALLERY):
        if not path.exists():
            with replacing(path) as file:
                file.write(name.encode())
        elif path.read_text() != name:
            raise StorageError(
                f"{folder} holds the fingers of another gallery: make a cluster anew"
            )


def read_key(folder: Path) -> bytes:
    """The key that hosts believe.

    Raises
    ------
    StorageError
        If it cannot be read.
    CorruptError
        If it is none.
    """
    with storage_errors(KEY_FILE):
        try:
            key = (folder / KEY_FILE).read_bytes()
        except FileNotFoundError:
            raise StorageError(f"{folder} holds no cluster's key") from None
    if len(key) != KEY:
        raise CorruptError(f"{KEY_FILE}: a key has {KEY} bytes")
    return key
