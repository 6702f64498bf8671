"""Beside a writer: what it has committed since, and the columns brought level with it."""

from __future__ import annotations

from fpmatch.database import reading
from fpmatch.gallery import changes
from fpmatch.gallery.gallery import ROW_BITS, Gallery


def anything(gallery: Gallery) -> bool:
    """Whether another connection has committed since this was last asked; about 3 us.

    Partitions that were added meanwhile are known afterwards.
    """
    with gallery.lock:
        version = gallery.database.execute("PRAGMA data_version").fetchone()[0]
        if version == gallery.version:
            return False
        gallery.read_partitions()
        gallery.version = version
        return True


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
