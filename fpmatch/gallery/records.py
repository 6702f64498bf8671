"""Taking records in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fpmatch.checks import check_flag, check_several, check_text, check_uses, quoted
from fpmatch.errors import InputError
from fpmatch.gallery import answers, origins, withdrawn
from fpmatch.gallery.answers import Once
from fpmatch.gallery.batch_answers import LONGEST, answer, name_of
from fpmatch.gallery.digest import Sum
from fpmatch.gallery.gallery import Gallery
from fpmatch.gallery.putting import Contents, Numbers, Putting, Taken
from fpmatch.gallery.results import EnrolError, NewRow
from fpmatch.gallery.sources import Unreadable
from fpmatch.gallery.together import Item, put_all
from fpmatch.template import Template
from fpmatch.types import Ori, Record


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a batch.

    Parameters
    ----------
    keys : list of int
        Of the record of each item that was taken.
    rows : list of NewRow
        Fingers added, in the order of the items.
    errors : list of EnrolError
        One for each item that was refused.
    journal : str
        Name of the journal entry.
    taken : list of Taken
        The records, as they are now.
    total : Sum
        Of the partition.
    """

    keys: list[int]
    rows: list[NewRow]
    errors: list[EnrolError]
    journal: str
    taken: list[Taken]
    total: Sum


MOST_FINGERS = 1000


def check(record: Record) -> Record:
    """A record as it can be stored, every field of its type.

    Raises
    ------
    InputError
        If it cannot be enrolled as it is: says which field and why.
    """
    if isinstance(record, Unreadable):
        raise InputError(record.why)
    if not isinstance(record, Record):
        raise InputError(f"expected a Record, not {quoted(record)}")
    name = check_text("record id", record.record, longest=LONGEST, empty=False)
    fingers = check_fingers(name, record.fingers)
    return Record(
        record=name,
        fingers=fingers,
        identity=check_text("identity", record.identity, longest=LONGEST),
        event=check_text("event", record.event, longest=LONGEST),
        contributor=check_contributor(record.contributor),
        protected=bool(check_flag("protected", record.protected)),
        banned_uses=check_uses("banned_uses", record.banned_uses),
    )


def check_fingers(name: str, fingers: object) -> tuple[Template, ...]:
    """Templates that a record can have: some, and none of them empty.

    Parameters
    ----------
    name : str
        The record's id.
    fingers : object
        As they were handed in.

    Raises
    ------
    InputError
        If they are something else.
    """
    found = check_several("fingers", fingers, most=MOST_FINGERS)
    if not found:
        raise InputError(f"record {quoted(name)} has no finger")
    for finger in found:
        if not isinstance(finger, Template):
            raise InputError(
                f"record {quoted(name)}: expected templates, found "
                f"{quoted(finger)}; see fpmatch.extract"
            )
        if not len(finger):
            raise InputError(f"record {quoted(name)} has a template without minutiae")
    return found


def check_contributor(value: object) -> str:
    """The agency that gave a record, or none.

    Raises
    ------
    InputError
        If it is no ORI.
    """
    contributor = check_text("contributor", value)
    return Ori(contributor) if contributor else ""


def enrol(
    gallery: Gallery,
    partition: str,
    items: Sequence[tuple[int, Record]],
    accept: Callable[[Record], Record] = lambda record: record,
    once: Once | None = None,
    announce: Callable[[list[NewRow]], None] = lambda _: None,
    *,
    contents: Contents | None = None,
) -> Enrolled:
    """Store a batch: each record whole or not at all, all of it on disk when this returns.

    What memory holds of the partition does not show it before `show`.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name.
    items : sequence of (int, Record)
        With the number that error entries shall name.
    accept : callable
        Looks at a checked record and returns it, or raises `InputError`.
    once : Once, optional
        The caller's key.
    announce : callable
        Told of the rows that are about to be committed.
    contents : Contents, optional
        Stored forms that are at hand.

    Returns
    -------
    Enrolled
    """
    key = gallery.key_of(partition)
    errors: list[EnrolError] = []
    rows: list[NewRow] = []
    taken: list[Taken] = []
    gone: list[bytes] = []
    come: list[bytes] = []
    for info in gallery.partitions:
        # In memory before the transaction: no search waits for it to read them.
        gallery.columns(info.name)
        gallery.root(info.name)
    secret = gallery.secret("withdrawn")
    with gallery.transaction() as database:
        total = gallery.sum_of(partition)
        putting = Putting(database, key, Numbers(database, key), contents or {})
        sound: list[Item] = []
        for number, record in items:
            try:
                sound.append((number, accept(check(record)), origins.check(record)))
            except InputError as error:
                errors.append(EnrolError(number, name_of(record), str(error)))
        for number, put in put_all(putting, sound):
            if isinstance(put, InputError):
                errors.append(EnrolError(number, name_of(dict(items)[number]), str(put)))
                continue
            one, fresh, (old, new) = put
            if one.barred:
                kind = withdrawn.bars(one.protected, one.banned)
                withdrawn.note(database, kind, withdrawn.mark(secret, partition, one.name))
            taken.append(one)
            rows += fresh
            if old != new:
                gone += [old] if old is not None else []
                come.append(new)
        errors.sort(key=lambda error: error.item)
        total.exchange(gone, come)
        putting.numbers.store()
        gallery.store_sum(partition, total)
        journal = gallery.journal(
            "ENROL",
            {
                "partition": partition,
                "records": len({one.key for one in taken}),
                "fingers": len(rows),
                "errors": len(errors),
                "gallery_root": total.root(),
            },
        )
        done = Enrolled([one.key for one in taken], rows, errors, journal, taken, total)
        if once is not None:
            said = answer(dict(items), done.keys, rows, errors)
            answers.put(database, once, journal, said)
        announce(rows)
    return done


def show(gallery: Gallery, partition: str, done: Enrolled) -> None:
    """Have memory show what was stored; no other change of the partition came in between.

    Parameters
    ----------
    gallery : Gallery
        Open.
    partition : str
        Its name; nobody searches it meanwhile.
    done : Enrolled
        As `enrol` gave it.
    """
    with gallery.lock, gallery.following(partition):
        columns = gallery.columns(partition)
        for one in done.taken:
            columns.put_record(
                one.key, one.name, protected=one.protected, sealed=one.sealed, banned=one.banned
            )
        for row in reversed(done.rows):
            columns.put_row(row.row, row.record, int(row.position))
        gallery.committed_sum(partition, done.total)
