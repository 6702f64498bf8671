"""An index whose files lie as its caller says: as they are, or encrypted."""

from __future__ import annotations

from pathlib import Path

from fpmatch.encryption import Files
from fpmatch.index.partition import PartitionIndex
from fpmatch.index.store import Store


def make(
    folder: Path, files: Files, *, expected_fingers: int = 100_000, threads: int = 1
) -> PartitionIndex:
    """As `PartitionIndex.create`.

    Parameters
    ----------
    folder : Path
    files : Files
    expected_fingers, threads : int
        As there.
    """
    return PartitionIndex(Store.create(folder, expected_fingers, files), threads)


def attach(folder: Path, files: Files, *, mode: str = "r", threads: int = 1) -> PartitionIndex:
    """As `PartitionIndex.open`; encrypted files are read and decrypted as a whole.

    Parameters
    ----------
    folder : Path
    files : Files
    mode : {"r", "rw"}
    threads : int
        As there.
    """
    return PartitionIndex(Store(folder, mode, files), threads)


def renew(index: PartitionIndex) -> int:
    """Write files that are under an older key anew, while searches go on; how many."""
    return index._store.renew()
