"""What a partition may be called, and where its index lies."""

from __future__ import annotations

import hashlib

from fpmatch.errors import InputError
from fpmatch.types import PartitionInfo

LONGEST = 64
LONGEST_BYTES = 200
"""Of a name in UTF-8; file systems take names of 255."""
MOST_EXPECTED = 10**12


def check_partition(info: PartitionInfo, expected: int) -> None:
    """Refuse a partition that could not be stored, opened again or named in a log.

    Parameters
    ----------
    info : PartitionInfo
    expected : int
        Fingers to come, 1 to `MOST_EXPECTED`.

    Raises
    ------
    InputError
        With the field and what it must be.
    """
    name = info.name
    if (
        not isinstance(name, str)
        or not 1 <= len(name) <= LONGEST
        or not all(c.isalnum() or c in "-_" for c in name)
        or len(name.encode("utf-8", "replace")) > LONGEST_BYTES
    ):
        shown = name[:40] if isinstance(name, str) else type(name).__name__
        raise InputError(
            f"{shown!a} is no partition name: 1 to {LONGEST} letters, digits, '-' and '_', at most "
            f"{LONGEST_BYTES} bytes"
        )
    if type(info.ndr) is not int or not 0 <= info.ndr < 2**31:
        raise InputError("ndr must be a whole number from 0 to 2147483647")
    owner = info.owner
    if not isinstance(owner, str) or not 1 <= len(owner) <= 255 or not owner.isprintable():
        raise InputError("an owner is text of 1 to 255 printable characters")
    if type(expected) is not int or not 1 <= expected <= MOST_EXPECTED:
        raise InputError(f"expected_fingers must be a whole number from 1 to {MOST_EXPECTED}")


def folder_name(partition: str) -> str:
    """The name of the folder of a partition's index.

    The partition's own, where a file system takes it: galleries made by earlier releases may
    have names that none does. What a hand has put into the database names no folder above this one.
    """
    of_one_folder = partition not in ("", ".", "..") and not set(partition) & {"/", "\\", "\0"}
    if of_one_folder and len(partition.encode("utf-8", "replace")) <= LONGEST_BYTES:
        return partition
    return "partition-" + hashlib.sha256(partition.encode("utf-8", "replace")).hexdigest()[:32]
