"""Arrays that were learned beforehand and ship with the package: read and checked, written."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpmatch.errors import CorruptError
from fpmatch.parameters import DESCRIPTOR, digest

_reading = threading.Lock()


def load(path: Path) -> dict[str, Any]:
    """All arrays of a file, by any number of threads.

    Parameters
    ----------
    path : Path
    """
    # NumPy parses headers as Python, which CPython 3.11 fails at now and then in two threads.
    with _reading, np.load(path) as file:
        return {name: file[name] for name in file.files}


def read(path: Path, names: Sequence[str], made_by: str) -> dict[str, Any]:
    """Read and check what `write` has written.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Arrays that it holds.
    made_by : str
        The module that makes it, for messages.

    Returns
    -------
    dict
        The arrays, and ``sha256``.

    Raises
    ------
    CorruptError
        If it is damaged or of other descriptor parameters.
    """
    stored = load(path)
    if str(stored["sha256"]) != _sha256({name: stored[name] for name in names}):
        raise CorruptError(f"{path.name}: checksum does not match; reinstall the package")
    if str(stored["descriptor"]) != digest(DESCRIPTOR):
        raise CorruptError(
            f"{path.name} was trained for other descriptor parameters: run {made_by}"
        )
    return stored


def write(path: Path, arrays: dict[str, NDArray]) -> Path:
    """Write arrays with their checksum and the hash of the descriptor that they are for.

    Parameters
    ----------
    path : Path
    arrays : dict of array
        Whole numbers.

    Returns
    -------
    Path
        Of the file.
    """
    save: Any = np.savez_compressed
    save(path, **arrays, sha256=_sha256(arrays), descriptor=digest(DESCRIPTOR))
    return path


def _sha256(arrays: dict[str, NDArray]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(name.encode() + repr(arrays[name].shape).encode())
        total.update(np.ascontiguousarray(arrays[name], "<u8").tobytes())
    return total.hexdigest()
