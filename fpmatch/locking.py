"""Locks on open files, as each operating system has them, and what a fork does to them."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_held: weakref.WeakSet[Any] = weakref.WeakSet()


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Lock an open file for this process, without waiting.

    The lock ends when the file is closed or the process ends. A forked child does not keep it:
    its copy of the file is closed before it can do anything.

    Parameters
    ----------
    file : binary file
        Open for writing where the lock is not shared.
    shared : bool
        Others may hold it too, if they share it as well. Windows knows no such lock: there it is
        exclusive.

    Returns
    -------
    bool
        Whether it was had.
    """
    try:
        _lock(file, shared)
    except OSError:
        return False
    _held.add(file)
    return True


class FolderLock:
    """A lock on a folder itself: what is in it can be removed under a holder, it cannot.

    Parameters
    ----------
    folder : Path
    shared : bool
        As for `try_lock`.

    Raises
    ------
    BlockingIOError
        If others hold it.
    OSError
        If the folder cannot be opened.
    """

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self._handle: int | None = None
        self._file: IO[bytes] | None = None
        if fcntl is None:
            # Windows opens no folders, and removes no file that is open.
            self._file = open(folder / "lock", "a+b")  # noqa: SIM115
            if not try_lock(self._file, shared=shared):
                self._file.close()
                raise BlockingIOError("the folder is locked")
            return
        self._handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise
        _held.add(self)

    def close(self) -> None:
        """Let go of the folder."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
        if self._file is not None:
            self._file.close()


def _lock(file: IO[bytes], shared: bool) -> None:
    if fcntl is not None:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return
    import msvcrt

    file.seek(0)
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _let_go() -> None:
    """In a forked child: the parent's locks are not its own, and must end with the parent."""
    for file in list(_held):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
