"""Files that a crash leaves whole: the old one or the new one, and room for them reserved."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fpmatch.errors import FpmatchError, WriteError

_ZEROS = bytes(1 << 20)


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[IO[bytes]]:
    """Write a file under another name, and give it its own when all of it is on disk.

    Parameters
    ----------
    path : Path
        The final name; what lies there is replaced. The file is written as ``NAME.part`` beside
        it, which is removed if anything fails.
    sync : bool
        Wait until the bytes and the new name are on the disk.

    Yields
    ------
    binary file, open for writing

    Raises
    ------
    OSError
        If the folder cannot be written, or is full.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        with open(temporary, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        put_in_place(temporary, path, sync=sync)
    except BaseException:
        remove_if_possible(temporary)
        raise


def remove_if_possible(path: Path) -> None:
    """Remove what a failed write has left; what went wrong first matters more than that."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path, *, sync: bool = True) -> None:
    """Rename a finished file, and make the new name durable.

    Parameters
    ----------
    temporary : Path
        The finished file, itself on disk already.
    path : Path
        Its final name, in the same folder.
    sync : bool
        Wait until the new name is on the disk.

    Raises
    ------
    OSError
        If the file system cannot rename it or sync the folder.
    """
    os.replace(temporary, path)
    if sync:
        sync_folder(path.parent)


def reserve(file: IO[bytes], size: int) -> None:
    """Give an empty file its length and its blocks on the disk.

    A sparse file that is filled through a memory map ends the process with SIGBUS when the disk
    turns out to be full; a reserved one cannot (on file systems that do not copy on write).

    Raises
    ------
    OSError
        With ``ENOSPC`` if there is no room; the file is then of no use.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, max(1, size))
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
    left = size
    while left > 0:
        left -= file.write(_ZEROS[: min(left, len(_ZEROS))])
    file.flush()


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn the system's errors while a file is written into ours.

    Parameters
    ----------
    what : str
        What is written, for the message.

    Raises
    ------
    WriteError
        With another text where there is no room, or the quota is used up.
    """
    try:
        yield
    except FpmatchError:
        raise  # Also where it is an `OSError`, as a refusal is.
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        more = "; the disk is full, it goes on when there is room" if full else ""
        raise WriteError(f"{what} cannot be written: {error.strerror or error}{more}") from error


def put_folder_in_place(temporary: Path, path: Path, *, sync: bool = True) -> None:
    """Rename a finished folder, once all that is in it is on the disk.

    Parameters
    ----------
    temporary : Path
        The finished folder.
    path : Path
        Its final name, beside it.
    sync : bool
        Wait until files, names in folders and the new name are on the disk.

    Raises
    ------
    OSError
        If the file system cannot sync or rename it.
    """
    for one in (*sorted(temporary.rglob("*")), temporary) if sync else ():
        if one.is_dir():
            sync_folder(one)
        elif one.is_file():
            with open(one, "rb") as file:
                os.fsync(file.fileno())
    temporary.rename(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable.

    Raises
    ------
    OSError
        If the file system cannot sync a folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
