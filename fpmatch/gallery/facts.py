"""Reading what the gallery holds of records: names in order, and the facts of one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fpmatch.database import reading, stored_uses
from fpmatch.errors import MALFORMED, CorruptError
from fpmatch.finger import FingerPosition
from fpmatch.gallery.digest import version_of
from fpmatch.gallery.gallery import ROW_BITS, Gallery
from fpmatch.types import RecordInfo

PAGE = 1000
"""Names read at a time: the lock is free for others in between."""


def find(gallery: Gallery, partition: str, name: str) -> int | None:
    """The key of the record of that id; None if there is none. One look-up in an index.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    name : str
        Its id.
    """
    key = gallery.key_of(partition)
    with gallery.lock:
        found = gallery.database.execute(
            "SELECT id FROM record WHERE partition = ? AND record = ?",
            (key, gallery.cipher.token(gallery.database, "record", str(key), name)),
        ).fetchone()
    return None if found is None else int(found[0])


def names(gallery: Gallery, partition: str, after: str = "") -> Iterator[tuple[int, str]]:
    """Key and id of each record, ascending by id; about 1 us each.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    after : str
        Begin behind this id.
    """
    key = gallery.key_of(partition)
    if gallery.cipher.encrypted:
        # The database cannot order what it cannot read.
        yield from _in_order(gallery, partition, after)
        return
    while True:
        with gallery.lock:
            few = gallery.database.execute(
                "SELECT id, record FROM record WHERE partition = ? AND record > ? "
                "ORDER BY record LIMIT ?",
                (key, after, PAGE),
            ).fetchall()
        yield from ((int(number), str(name)) for number, name in few)
        if len(few) < PAGE:
            return
        after = few[-1][1]


def _in_order(gallery: Gallery, partition: str, after: str) -> Iterator[tuple[int, str]]:
    with gallery.lock:
        held = gallery.columns(partition).names
        there = np.flatnonzero(held.there())
        pairs = zip(held.keys_of(there).tolist(), there.tolist(), strict=True)
        every = sorted((name, key) for key, n in pairs if (name := held[n]) > after)
    yield from ((key, name) for name, key in every)


def rows(gallery: Gallery, key: int) -> list[tuple[int, int]]:
    """Row and position of each finger of a record, ascending; one look-up in an index."""
    with gallery.lock:
        found = gallery.database.execute(
            "SELECT key, position FROM finger WHERE record = ? ORDER BY key", (key,)
        ).fetchall()
    return [(int(finger) & ((1 << ROW_BITS) - 1), int(position)) for finger, position in found]


def facts(gallery: Gallery, key: int) -> RecordInfo:
    """Everything that is stored of a record but its templates.

    Parameters
    ----------
    key : int
        Of a record that is there.

    Raises
    ------
    CorruptError
        If it cannot be decrypted, or a value is of another kind than its column's.
    """
    database = gallery.database
    with gallery.lock, reading(database):
        *stored, protected, sealed, banned, item = database.execute(
            "SELECT record, identity, contributor, protected, sealed, banned, item FROM record "
            "WHERE id = ?",
            (key,),
        ).fetchone()
        events = database.execute("SELECT event FROM event WHERE record = ?", (key,)).fetchall()
        positions = database.execute(
            "SELECT position FROM finger WHERE record = ? ORDER BY position", (key,)
        ).fetchall()
        name, identity, contributor = gallery.cipher.facts(database, key, tuple(stored))
        box = gallery.cipher.of(database, key)
    try:
        placed = tuple(FingerPosition(p) for (p,) in positions)
    except MALFORMED:
        raise CorruptError("a record is stored damaged: a finger has no position") from None
    return RecordInfo(
        record=name,
        positions=placed,
        identity=identity,
        contributor=contributor,
        events=tuple(sorted(box.get_text(event, "event") for (event,) in events)),
        protected=bool(protected),
        sealed=bool(sealed),
        banned_uses=stored_uses(banned),
        version=version_of(item),
    )
