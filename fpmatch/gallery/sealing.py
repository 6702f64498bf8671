"""Seals: records that are hidden from every search, and shown again."""

from __future__ import annotations

from fpmatch.gallery import answers, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.items import refresh_item
from fpmatch.gallery.removal import targets


def seal(
    gallery: Gallery,
    name: str,
    *,
    sealed: bool,
    order: str,
    authority: str,
    partition: str | None,
    once: Once | None = None,
) -> str:
    """Set or lift a seal; the name of the journal entry.

    Parameters
    ----------
    gallery : Gallery
        Open.
    name : str
        Its id.
    sealed : bool
        Hidden.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    partition : str or None
        Its name.
    once : Once, optional
        The caller's key.
    """
    secret = gallery.secret("withdrawn")
    with gallery.lock:
        ((place, key),) = targets(gallery, name, "record", partition)
        columns = gallery.columns(place)
        with gallery.transaction() as database:
            total = gallery.sum_of(place)
            (item,) = database.execute("SELECT item FROM record WHERE id = ?", (key,)).fetchone()
            total.remove(item)
            database.execute("UPDATE record SET sealed = ? WHERE id = ?", (sealed, key))
            kind = withdrawn.SEAL if sealed else withdrawn.UNSEAL
            withdrawn.note(database, kind, withdrawn.mark(secret, place, name))
            total.add(refresh_item(database, key))
            gallery.store_sum(place, total)
            journal = gallery.journal(
                "SEAL" if sealed else "UNSEAL",
                {
                    "partition": place,
                    "order": order,
                    "authority": authority,
                    "gallery_root": total.root(),
                },
            )
            answers.put(database, once, journal, {})
        with gallery.following(place):
            columns.set_sealed(key, sealed)
            gallery.committed_sum(place, total)
    return journal
