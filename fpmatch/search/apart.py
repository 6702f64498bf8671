"""Where an engine writes while it reads: in the gallery, or beside one that cannot be written."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fpmatch.audit import AuditLog
from fpmatch.database import Durability
from fpmatch.durable import storage_errors
from fpmatch.encryption import Chest
from fpmatch.encryption.chest_box import ChestBox
from fpmatch.errors import InputError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.ledger import Ledger
from fpmatch.search.living import FOLDER as LIVING

LOG = "audit.sqlite"
_CANNOT = {errno.EROFS, errno.EACCES, errno.EPERM}


def make(folder: Path, durability: Durability, chest: Chest | None) -> None:
    """Make log and ledger in a folder, if they are not there yet.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    durability : Durability
        Whether commits wait for the disk.
    chest : Chest or None
        The keys of an encrypted gallery: of these files too.

    Raises
    ------
    StorageError
        If it is a gallery itself, or cannot be written.
    """
    with storage_errors(folder.name):
        if (folder / "gallery.sqlite").exists():
            raise StorageError(f"{folder.name} is a gallery: its log is its own; name another")
        (folder / LIVING).mkdir(parents=True, exist_ok=True)
        if not (folder / "ledger.sqlite").exists():
            Ledger.create(folder, durability=durability, chest=chest).close()
        if not (folder / LOG).exists():
            box = None if chest is None else ChestBox(chest, LOG)
            AuditLog.create(folder / LOG, durability=durability, box=box).close()


def belongs(ledger: Ledger, gallery: Gallery) -> None:
    """Have a folder's log and ledger belong to the first gallery that they are opened with.

    Raises
    ------
    InputError
        If that was another.
    """
    mine = hashlib.sha256(b"apart" + gallery.secret("handles")).hexdigest()
    with ledger.lock:
        ledger.database.execute("INSERT OR IGNORE INTO meta VALUES ('apart', ?)", (mine,))
        found = ledger.database.execute("SELECT value FROM meta WHERE key = 'apart'").fetchone()
    if found[0] != mine:
        raise InputError("this folder holds the log of another gallery; name one for each")


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say what to do where a gallery lies on media that cannot be written.

    Raises
    ------
    StorageError
        In place of what the system says.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        raise StorageError(
            f"{folder.name} cannot be written ({error.strerror}), and each search is logged before "
            "it is made: name a folder for its log and ledger with apart="
        ) from error
