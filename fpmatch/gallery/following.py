"""Beside a writer: what it has committed since, and the columns brought level with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fpmatch.database import reading, state_of
from fpmatch.errors import StorageError
from fpmatch.gallery import changes
from fpmatch.gallery.changes import Changed
from fpmatch.gallery.gallery import FILE, ROW_BITS, Gallery


def anything(gallery: Gallery) -> bool:
    """Whether another connection has committed since this was last asked; about 3 us.

    Partitions that were added meanwhile are known afterwards.

    Raises
    ------
    StorageError
        If it was opened as one that nobody writes, and somebody has: what is sealed, expunged or
        forbidden since cannot be told.
    """
    if gallery.still is not None and state_of(gallery.folder / FILE) != gallery.still:
        raise StorageError(
            f"{gallery.folder.name} was written since it was opened with apart=, where nobody may: "
            "open it again"
        )
    with gallery.lock:
        version = gallery.database.execute("PRAGMA data_version").fetchone()[0]
        if version == gallery.version:
            return False
        gallery.read_partitions()
        gallery.version = version
        return True


def is_level(gallery: Gallery, partition: str) -> bool:
    """Whether columns and root show the state of now; False where that cannot be told."""
    key = gallery.key_of(partition)
    with gallery.lock:
        known = gallery.stamps.known.get(key)
        return known is not None and gallery.stamps.now().get(key) == known


def changed_of(gallery: Gallery, partition: str, keys: set[int]) -> list[Changed] | None:
    """Those of some records that changed since the columns were brought level, as they are now.

    Parameters
    ----------
    gallery : Gallery
        Open for reading.
    partition : str
        Its name.
    keys : set of int
        Of the records.

    Returns
    -------
    list of Changed, or None
        None where it cannot be told without bringing the columns level.
    """
    key = gallery.key_of(partition)
    with gallery.lock:
        seen = gallery.stamps.changes.get(key)
        if gallery.held(partition) is None or seen is None:
            return None
        with reading(gallery.database):
            return changes.since(gallery.database, key, seen, ROW_BITS, keys)


def digest(rows: Iterable[tuple[int, int, bytes]]) -> str:
    """What stands for some finger rows and their templates.

    Parameters
    ----------
    rows : iterable of (int, int, bytes)
        Row, position and SHA-256 of the template; ascending by row.
    """
    total = hashlib.sha256()
    for row, position, sha256 in rows:
        total.update(b"%d %d " % (row, position) + sha256)
    return total.hexdigest()


def digest_of(gallery: Gallery, partition: str, rows: list[int]) -> str:
    """`digest` of rows as the system of record has them; those that it lacks are left out.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    rows : list of int
        Ascending.
    """
    first = gallery.key_of(partition) << ROW_BITS
    wanted = set(rows)
    with gallery.lock:
        found = gallery.database.execute(
            "SELECT key - ?, position, sha256 FROM finger WHERE key BETWEEN ? AND ? ORDER BY key",
            (first, first + rows[0], first + rows[-1]),
        ).fetchall()
    return digest((row, position, sha) for row, position, sha in found if row in wanted)


def bring_level(gallery: Gallery, partition: str) -> list[int] | None:
    """Have columns and root of a partition show one state of now; nobody reads them meanwhile.

    Costs what has changed: some 10 us a record, and a pass over a byte of each row.

    Parameters
    ----------
    gallery : Gallery
        Open for reading.
    partition : str
        Its name.

    Returns
    -------
    list of int, or None
        Rows that are new; None if the columns are read anew, so that any row may be.
    """
    key = gallery.key_of(partition)
    with gallery.lock:
        columns = gallery.held(partition)
        stamps = gallery.stamps
        with reading(gallery.database):
            stamp = stamps.now().get(key)
            if columns is not None and stamp is not None and stamps.known.get(key) == stamp:
                return []
            seen = stamps.changes.get(key)
            changed = None
            if columns is not None and stamp is not None and seen is not None:
                changed = changes.since(gallery.database, key, seen, ROW_BITS)
            last = changes.newest(gallery.database)
            total = gallery.sum_of(partition)
        if columns is None or changed is None or stamp is None or last is None:
            gallery.forget(partition)
            return None
        with gallery.following(partition):
            new = changes.follow(columns, changed)
            stamps.shows(key, stamp, last)
            gallery.followed(partition, total)
        return new
