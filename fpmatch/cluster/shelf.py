"""The buckets that a host holds, by partition, in its folder."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from fpmatch.checks import check_integer
from fpmatch.cluster.held import Bucket
from fpmatch.cluster.messages import Behind
from fpmatch.durable import storage_errors
from fpmatch.errors import CorruptError, LockedError
from fpmatch.gallery.partition_names import folder_name
from fpmatch.locking import FolderLock

EXPECTED = "expected"
ARRIVING = ".arriving"
"""No partition's name: those have no dot."""
_ARRIVING = "arriving"
"""What it was called at first, as a partition may be."""


class HeldPartition:
    """What a host holds of one partition.

    Parameters
    ----------
    folder : Path
    expected : int
        Fingers of the whole partition, which fix the number of lists.
    """

    def __init__(self, folder: Path, expected: int) -> None:
        self.folder = folder
        self.expected = expected
        self.buckets: dict[int, Bucket] = {}
        for place in sorted(folder.glob("b*")):
            if place.name[1:].isdigit():
                self.buckets[int(place.name[1:])] = Bucket(place, expected)

    @property
    def lists(self) -> int:
        """Lists of every index."""
        return next(iter(self.buckets.values())).lists

    def hold(self, number: int) -> None:
        """Have a bucket, empty if it is new."""
        if number not in self.buckets:
            self.buckets[number] = Bucket(self._place(number), self.expected)

    def adopt(self, number: int, arrived: Path) -> None:
        """Take over a bucket whose files have all arrived.

        Parameters
        ----------
        number : int
        arrived : Path
            Where they are; moved.
        """
        old = self.buckets.pop(number, None)
        if old is not None:
            old.drop()
        with storage_errors("a bucket"):
            shutil.rmtree(self._place(number), ignore_errors=True)
            arrived.rename(self._place(number))
        self.buckets[number] = Bucket(self._place(number), self.expected)

    def _place(self, number: int) -> Path:
        return self.folder / f"b{number:05d}"


class Shelf:
    """All that a host holds; one process has a folder at a time.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    LockedError
        If another host has it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._held: dict[str, HeldPartition] = {}
        with storage_errors("a host's folder"):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._locked = FolderLock(folder, shared=False)
            except BlockingIOError as error:
                raise LockedError("another host has this folder") from error
            shutil.rmtree(folder / ARRIVING, ignore_errors=True)
            if not (folder / _ARRIVING / EXPECTED).exists():
                shutil.rmtree(folder / _ARRIVING, ignore_errors=True)

    def find(self, partition: str) -> HeldPartition | None:
        """What is held of a partition, opened if it is on disk; None if nothing.

        Raises
        ------
        CorruptError
            If the folder is damaged.
        """
        with self._lock:
            if partition not in self._held:
                place = self.folder / folder_name(partition)
                try:
                    expected = int((place / EXPECTED).read_text())
                except FileNotFoundError:
                    return None
                except ValueError:
                    raise CorruptError("a host's folder is damaged") from None
                self._held[partition] = HeldPartition(place, expected)
            return self._held[partition]

    def partition(self, partition: str) -> HeldPartition:
        """What is held of a partition.

        Raises
        ------
        Behind
            If nothing.
        """
        found = self.find(partition)
        if found is None:
            raise Behind("a host does not hold the partition that it is asked for")
        return found

    def make(self, partition: str, expected: int) -> HeldPartition:
        """What is held of a partition, which may be nothing yet.

        Parameters
        ----------
        partition : str
        expected : int
            Fingers of the whole partition.
        """
        with self._lock:
            found = self.find(partition)
            if found is not None and found.expected == expected:
                return found
            if found is not None:
                for bucket in found.buckets.values():
                    bucket.drop()
                del self._held[partition]
            place = self.folder / folder_name(partition)
            with storage_errors("a host's folder"):
                place.mkdir(parents=True, exist_ok=True)
                (place / EXPECTED).write_text(str(expected))
            self._held[partition] = HeldPartition(place, expected)
            return self._held[partition]

    def arriving(self, partition: str, bucket: int) -> Path:
        """Where the files of a bucket are gathered that comes from another host."""
        number = check_integer("bucket", bucket, 0, 2**31)
        return self.folder / ARRIVING / folder_name(partition) / f"b{number:05d}"

    def clear(self, partition: str) -> None:
        """Delete what has been gathered of a partition and was not adopted.

        Parameters
        ----------
        partition : str

        Raises
        ------
        StorageError
            If it cannot be.
        """
        with storage_errors("what another host has sent"):
            place = self.folder / ARRIVING / folder_name(partition)
            if place.exists():
                shutil.rmtree(place)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            try:
                for held in self._held.values():
                    for bucket in held.buckets.values():
                        bucket.close()
            finally:
                self._held.clear()
                self._locked.close()
