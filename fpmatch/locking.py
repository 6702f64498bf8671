"""Locks on open files, as each operating system has them, and what a fork does to them."""

from __future__ import annotations

import os
import weakref
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
