"""New records put into the tables many at a time: the tables are those of one after the other."""

from __future__ import annotations

import random
import shutil

import pytest
from engine_helpers import folder, print_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fpmatch.errors import InputError, StorageError
from fpmatch.gallery import Gallery, records, removal, together
from fpmatch.gallery.putting import Putting
from fpmatch.gallery.removing import Wanted
from fpmatch.types import PartitionInfo, Record, SourcedRecord

TABLES = ("meta", "partition", "record", "event", "finger", "held", "template", "item", "origin")


def batch(rng):
    """Items of all kinds: new, twice, there before, with several fingers, refused."""
    out = []
    for _ in range(rng.randrange(1, 9)):
        name = f"r{rng.randrange(8)}"
        fingers = [print_of(rng.randrange(3), rng.randrange(2)) for _ in range(rng.randrange(1, 4))]
        more = {
            "identity": rng.choice(["", name, "p1", "\ud800"]),
            "event": rng.choice(["", "e1", "e2"]),
            "contributor": rng.choice(["", "CA0380100", "NV0380100", "x"]),
            "protected": rng.random() < 0.3,
            "banned_uses": rng.choice([frozenset(), frozenset({"CAR"})]),
        }
        if rng.random() < 0.4:
            sources = tuple(rng.choice([b"", bytes([n]) * 32]) for n in range(len(fingers)))
            item = rng.choice([b"", b"i" * 32])
            out.append(SourcedRecord(name, fingers, **more, item=item, sources=sources))
        else:
            out.append(rng.choice([Record(name, fingers, **more), Record(name, [], **more)]))
    return list(enumerate(out))


def contents(gallery):
    """All that the tables hold, but what is drawn at random."""
    database = gallery.database
    out = {of: database.execute(f"SELECT * FROM {of} ORDER BY 1, 2").fetchall() for of in TABLES}
    out["meta"] = [row for row in out["meta"] if row[0] in ("format", "next_record")]
    out["partition"] = [row[:8] for row in out["partition"]]
    changed = "SELECT DISTINCT partition, record FROM change ORDER BY 1, 2"
    return {**out, "change": database.execute(changed).fetchall()}


def made():
    gallery = Gallery.create(folder(), durability="off")
    gallery.add_partition(PartitionInfo("a", 1, "A"), 100)
    gallery.add_partition(PartitionInfo("b", 2, "B"), 100)
    return gallery


def alone(putting, items):
    return (together._one(putting, item) for item in items)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_many_at_a_time_are_as_one_after_the_other(seed):
    rng = random.Random(seed)
    steps = [(rng.choice("ab"), batch(rng), rng.random() < 0.3) for _ in range(3)]
    found = []
    for way in (together.put_all, alone):
        gallery = made()
        said = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(records, "put_all", way)
            for partition, items, expunged in steps:
                done = records.enrol(gallery, partition, items)
                records.show(gallery, partition, done)
                said.append((done.keys, done.rows, done.errors, done.taken, done.total.root()))
                if expunged and done.taken:
                    wanted = Wanted("record", done.taken[-1].name, "", partition)
                    done = removal.expunge(gallery, (wanted,), order="o", authority="x")
                    removal.show(gallery, done)
        found.append((said, contents(gallery)))
        gallery.close()
        shutil.rmtree(gallery.folder)
    assert found[0] == found[1]


def test_a_refused_addition_takes_back_what_it_changed(monkeypatch):
    gallery = made()
    records.enrol(gallery, "a", [(0, Record("r0", [print_of(1)]))])
    before, rows = contents(gallery), next_row(gallery)
    put = Putting.put

    def refused(putting, *given):
        put(putting, *given)
        raise InputError("not this one")

    monkeypatch.setattr(Putting, "put", refused)
    done = records.enrol(gallery, "a", [(0, Record("r0", [print_of(2)]))])
    assert [(error.item, error.message) for error in done.errors] == [(0, "not this one")]
    after = contents(gallery)
    assert {of: after[of] for of in TABLES if of != "partition"} == {
        of: before[of] for of in TABLES if of != "partition"
    }
    assert next_row(gallery) == rows
    gallery.close()
    shutil.rmtree(gallery.folder)


def next_row(gallery):
    return gallery.database.execute("SELECT next_row FROM partition WHERE name = 'a'").fetchone()


def test_what_goes_wrong_among_many_leaves_nothing(monkeypatch):
    gallery = made()
    before = contents(gallery)

    def store(rows):
        rows.putting.database.executemany("INSERT INTO event VALUES (?, ?, ?)", rows.events)
        raise StorageError("the disk is full")

    monkeypatch.setattr(together._Rows, "store", store)
    with pytest.raises(StorageError):
        records.enrol(gallery, "a", [(k, Record(f"r{k}", [print_of(k)])) for k in range(3)])
    assert contents(gallery) == before
    gallery.close()
    shutil.rmtree(gallery.folder)


def test_new_records_need_no_savepoints_and_others_have_their_own():
    gallery = made()
    items = [(k, Record(f"r{k % 4}", [print_of(k)])) for k in range(6)]
    traced = []
    gallery.database.set_trace_callback(traced.append)
    done = records.enrol(gallery, "a", items)
    gallery.database.set_trace_callback(None)
    assert [row.item for row in done.rows] == [0, 1, 2, 3, 4, 5]
    assert sum(one.startswith("SAVEPOINT") for one in traced) == 2
    gallery.close()
    shutil.rmtree(gallery.folder)
