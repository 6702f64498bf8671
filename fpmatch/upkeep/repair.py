"""Making anew what is derived, and finishing what a crash cut off."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from fpmatch.checks import path_of
from fpmatch.durable import storage_errors
from fpmatch.encryption import KeySource, chest_of
from fpmatch.gallery import Gallery
from fpmatch.search import Engine
from fpmatch.search.opening import lock
from fpmatch.upkeep.check import Progress, check
from fpmatch.upkeep.finding import Finding


def repair(
    path: str | Path,
    *,
    deep: bool = False,
    progress: Progress | None = None,
    keys: KeySource | None = None,
    **options: Any,
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Check a gallery, mend what is derived, and check again.

    Indexes, columns and roots that are not those of the records are made anew from them, strays of
    writes that were cut off are removed, and what a crash left half done is finished. Records,
    policies, ledger and log are never changed to fit; what is damaged there stays a finding.

    Parameters
    ----------
    path : str or Path
        The gallery's folder; nobody else may write meanwhile.
    deep : bool
        As for `check`.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    keys : KeySource, optional
        The caller's keys of an encrypted gallery.
    **options
        As for `Engine.open`.

    Returns
    -------
    (tuple of Finding, tuple of Finding)
        What was found, and what is left.

    Raises
    ------
    StorageError
        If it is no gallery folder, cannot be written, or is open for writing elsewhere.
    """
    folder = path_of(path)
    found = check(folder, deep=deep, progress=progress, keys=keys)
    mending = [finding for finding in found if finding.repairable]
    if not mending:
        return found, found
    held = lock(folder, "rw")
    try:
        for finding in mending:
            if finding.mend:
                _remove(folder / finding.mend)
        chest = chest_of(folder, keys)
        with contextlib.closing(Gallery.open(folder, "rw", chest=chest)) as gallery:
            gallery.doubt_sums()
    finally:
        held.close()
    Engine.open(folder, "rw", keys=keys, **options).close()
    return found, check(folder, deep=deep, progress=progress, keys=keys)


def _remove(path: Path) -> None:
    with storage_errors(path.name):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
