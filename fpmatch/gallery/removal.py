"""Taking events, records and identities out for good."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fpmatch.errors import CorruptError, InputError, RefusedError
from fpmatch.gallery import answers
from fpmatch.gallery.answers import Once
from fpmatch.gallery.digest import Sum
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.items import numbered
from fpmatch.gallery.removing import UNIFORM, Removal, Wanted, Work, answer_of

LEVELS = ("event", "record", "identity")


@dataclass(frozen=True, slots=True)
class Expunged:
    """What was committed together, and memory does not show yet.

    Parameters
    ----------
    removals : list of Removal
        One for each that was wanted, in order.
    totals : dict of str to Sum
        Of each partition that lost something.
    """

    removals: list[Removal]
    totals: dict[str, Sum]


@dataclass(frozen=True, slots=True)
class Told:
    """A removal that was cut off after its commit, and is answered now that it is repeated.

    Parameters
    ----------
    note : str
        As `Gallery.unanswered` gave it.
    fields : mapping of str
        What it is answered with.
    once : Once, optional
        The key of the call that is answered.
    """

    note: str
    fields: Mapping[str, Any]
    once: Once | None = None


def targets(
    gallery: Gallery, name: str, level: str, partition: str | None
) -> list[tuple[str, int]]:
    """(partition, record key) of everything that an order names.

    Parameters
    ----------
    gallery : Gallery
        Open.
    name : str
        Its id.
    level : str
        How much goes: event, record or identity.
    partition : str or None
        Its name.

    Raises
    ------
    InputError
        If the level is none, or a record id exists in several partitions and none is named.
    RefusedError
        If there is nothing of that name.
    """
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    found: list[tuple[str, int]] = []
    column = "identity" if level == "identity" else "record"
    database, cipher = gallery.database, gallery.cipher
    with gallery.lock:
        for info in gallery.partitions:
            if partition is None or info.name == partition:
                place = gallery.key_of(info.name)
                under = () if level == "identity" else (str(place),)
                query = f"SELECT id FROM record WHERE partition = ? AND {column} = ? ORDER BY id"
                values = (place, cipher.token(database, column, *under, name))
                keys = [key for (key,) in database.execute(query, values)]
                if not keys and level != "identity":
                    keys = numbered(database, place, name)
                found.extend((info.name, key) for key in keys)
    if not found:
        raise RefusedError(UNIFORM)
    if level != "identity" and len(found) > 1:
        raise InputError("several partitions hold a record of that id; name the partition")
    return found


def check_there(gallery: Gallery, one: Wanted) -> None:
    """Nothing, where there is what is wanted.

    Parameters
    ----------
    gallery : Gallery
        Open.
    one : Wanted

    Raises
    ------
    RefusedError
        If there is nothing of that name.
    InputError
        As `targets`.
    """
    found = targets(gallery, one.name, one.level, one.partition)
    if one.level != "event":
        return
    with gallery.lock, contextlib.suppress(CorruptError):
        (_, key), database = found[0], gallery.database
        event = gallery.cipher.of(database, key).put_text(one.event, "event")
        values = (key, event)
        there = database.execute("SELECT 1 FROM event WHERE record = ? AND event = ?", values)
        if there.fetchone() is None:
            raise RefusedError(UNIFORM)


def expunge(
    gallery: Gallery,
    wanted: Sequence[Wanted],
    *,
    order: str,
    authority: str,
    told: Iterable[Told] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Expunged:
    """Delete, overwrite and commit, all of it or nothing; `show` has memory follow.

    A finger that another event of the record holds stays. A record without events is gone. Of one
    that is damaged all goes that is there, and the log says what could not be read.

    Parameters
    ----------
    gallery : Gallery
        Open.
    wanted : sequence of Wanted
        Each gets an entry of the journal, a note and an answer of its own.
    order : str
        By which it was ordered.
    authority : str
        Who ordered it.
    told : iterable of Told
        What else the call is answered with.
    progress : callable
        Called with the number of those that are done; what it raises undoes all of them.

    Raises
    ------
    RefusedError
        If there is nothing of one of the names.
    InputError
        If two of the names are of one record.
    CorruptError
        If one event shall go, of a record that cannot be read.
    """
    secret = gallery.secret("withdrawn")
    with gallery.lock:
        found = [targets(gallery, one.name, one.level, one.partition) for one in wanted]
        pairs = zip(wanted, found, strict=True)
        every = [(target, one.event) for one, several in pairs for target in several]
        if len(set(every)) < len(every):
            raise InputError("two of the names are of one record; name each once")
        # In memory before the transaction: what it reads there is of no known state.
        columns = {place: gallery.columns(place) for (place, _), _ in every}
        with gallery.transaction() as database:
            work = Work(gallery, secret, columns)
            out = []
            for one, several in zip(wanted, found, strict=True):
                out.append(work.remove(one, several, order, authority))
                progress(len(out))
            for place, total in work.totals.items():
                gallery.store_sum(place, total)
            for before in told:
                gallery.forget_answer(database, before.note)
                fields = answer_of(before.fields)
                answers.put(database, before.once, "", fields, before.fields["seq"])
    return Expunged(out, work.totals)


def show(gallery: Gallery, done: Expunged) -> None:
    """Have memory show what was removed; no other change of the partitions came in between.

    Parameters
    ----------
    gallery : Gallery
        Open.
    done : Expunged
        As `expunge` gave it; nobody searches its partitions meanwhile.
    """
    with gallery.lock, gallery.following(*done.totals):
        for place in done.totals:
            rows = [row for out in done.removals for row in out.rows.get(place, ())]
            gallery.columns(place).drop_rows(rows)
        for out in done.removals:
            for place, key in out.gone:
                gallery.columns(place).drop_record(key)
        for place, total in done.totals.items():
            gallery.committed_sum(place, total)
