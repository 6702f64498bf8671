"""Records of an encrypted gallery whose keys were destroyed: taken out without being read."""

from __future__ import annotations

import sqlite3

from fpmatch.database import stored_bytes
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.items import refresh_item

_GONE = "(k.id IS NULL OR k.wrapped = zeroblob(length(k.wrapped)))"


def drop_unreadable(gallery: Gallery) -> tuple[int, int]:
    """Take out what no key opens any more: after a restoration, what was destroyed meanwhile.

    Parameters
    ----------
    gallery : Gallery
        Encrypted, open for writing; nothing else has it open.

    Returns
    -------
    (int, int)
        Records that are gone, and records that have lost impressions.
    """
    lost = less = 0
    for info in gallery.partitions:
        place = gallery.key_of(info.name)
        with gallery.lock, gallery.transaction() as database:
            total = gallery.sum_of(info.name)
            for key in _dead_records(database, place):
                total.remove(_item(database, key))
                _drop(gallery, database, key)
                lost += 1
            for key in _wounded_records(database, place):
                total.remove(_item(database, key))
                if _without(gallery, database, key):
                    total.add(refresh_item(database, key))
                    less += 1
                else:
                    _drop(gallery, database, key)
                    lost += 1
            gallery.store_sum(info.name, total)
            gallery.journal(
                "ENGINE",
                {
                    "what": "records whose keys were destroyed are gone",
                    "partition": info.name,
                    "records": lost,
                    "less": less,
                    "gallery_root": total.root(),
                },
            )
        gallery.forget(info.name)
    return lost, less


def _dead_records(database: sqlite3.Connection, place: int) -> list[int]:
    found = database.execute(
        "SELECT r.id FROM record r LEFT JOIN record_facts f ON f.record = r.id "
        f"LEFT JOIN data_key k ON k.id = f.key WHERE r.partition = ? AND {_GONE}",
        (place,),
    ).fetchall()
    return [int(key) for (key,) in found]


def _wounded_records(database: sqlite3.Connection, place: int) -> list[int]:
    found = database.execute(
        "SELECT DISTINCT r.id FROM record r JOIN finger g ON g.record = r.id "
        f"LEFT JOIN data_key k ON k.id = g.template WHERE r.partition = ? AND {_GONE}",
        (place,),
    ).fetchall()
    return [int(key) for (key,) in found]


def _item(database: sqlite3.Connection, key: int) -> bytes:
    found = database.execute("SELECT item FROM record WHERE id = ?", (key,)).fetchone()[0]
    return stored_bytes(found, "the digest of a record")


def _drop(gallery: Gallery, database: sqlite3.Connection, key: int) -> None:
    """Take out a record, its events and impressions."""
    found = database.execute("SELECT template FROM finger WHERE record = ?", (key,)).fetchall()
    for (template,) in found:
        gallery.cipher.drop_template(database, template)
    gallery.cipher.drop_facts(database, key)
    database.execute("DELETE FROM record WHERE id = ?", (key,))


def _without(gallery: Gallery, database: sqlite3.Connection, key: int) -> bool:
    """Take out impressions that cannot be read, and events left without any; is one left?"""
    found = database.execute(
        "SELECT g.key, g.template FROM finger g LEFT JOIN data_key k ON k.id = g.template "
        f"WHERE g.record = ? AND {_GONE}",
        (key,),
    ).fetchall()
    for finger, template in found:
        gallery.cipher.drop_template(database, template)
        database.execute("DELETE FROM held WHERE finger = ?", (finger,))
        database.execute("DELETE FROM finger WHERE key = ?", (finger,))
    database.execute(
        "DELETE FROM event WHERE record = ? AND id NOT IN (SELECT event FROM held)", (key,)
    )
    left = database.execute("SELECT COUNT(*) FROM event WHERE record = ?", (key,)).fetchone()[0]
    return bool(left)
