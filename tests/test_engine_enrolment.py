"""What enrolment reports: records counted once, and additions that resemble nothing flagged."""

from __future__ import annotations

import pytest
from engine_helpers import Clock, engine, print_of, record

from fpmatch.audit import Kind
from fpmatch.errors import StorageError
from fpmatch.gallery import items
from fpmatch.index import PartitionIndex
from fpmatch.parameters import SEARCH
from fpmatch.search import Engine
from fpmatch.search.enrolment import Seen
from fpmatch.template import Template
from fpmatch.types import FingerPosition, Record, RecordsRequest

INDEX, THUMB, NONE = (
    FingerPosition.RIGHT_INDEX,
    FingerPosition.LEFT_THUMB,
    FingerPosition.UNKNOWN,
)
WHERE = "criminal"


def taken(name: str, *fingers, event: str = "") -> Record:
    return Record(name, list(fingers), event=event)


def empty():
    return engine({})


@pytest.mark.parametrize("event", ["", "another"])
def test_another_persons_finger_in_a_record_is_taken_and_flagged(event):
    with empty() as e:
        assert e.enrol(WHERE, [record("C-1", 1)]).flags == ()
        report = e.enrol(WHERE, [taken("C-1", print_of(2), event=event)])
        (flag,) = report.flags
        assert (flag.item, flag.record, flag.event) == (0, "C-1", event)
        assert flag.score < SEARCH.same_person_score
        assert (report.ok, report.accepted, report.fingers) == (True, 1, 1)
        assert e.count(WHERE, RecordsRequest(owner="DOJ-FBI")).fingers == 2


def test_the_same_persons_finger_is_not():
    with empty() as e:
        e.enrol(WHERE, [record("C-1", 1)])
        for touch in (1, 2):
            assert e.enrol(WHERE, [taken("C-1", print_of(1, touch), event=str(touch))]).flags == ()
        # Nor is what is there already, however often it comes.
        e.enrol(WHERE, [taken("C-1", print_of(2))])
        again = e.enrol(WHERE, [taken("C-1", print_of(2)), record("C-1", 1)])
        assert (again.flags, again.accepted, again.fingers) == ((), 1, 0)


@pytest.mark.parametrize(
    ("held", "added", "flagged"),
    [
        (INDEX, INDEX, True),
        (INDEX, THUMB, False),
        (INDEX, NONE, True),
        (NONE, INDEX, True),
        (NONE, NONE, True),
    ],
)
def test_what_can_be_compared_is_and_nothing_else(held, added, flagged):
    with empty() as e:
        e.enrol(WHERE, [taken("C-1", print_of(1, 0, held))])
        report = e.enrol(WHERE, [taken("C-1", print_of(2, 0, added))])
        assert bool(report.flags) == flagged


def test_fingers_of_one_item_speak_together():
    with empty() as e:
        e.enrol(WHERE, [taken("C-1", print_of(1), print_of(1, 0, THUMB))])
        own = taken("C-1", print_of(1, 3), print_of(2, 0, THUMB), event="one foreign")
        other = taken("C-1", print_of(2, 3), print_of(2, 3, THUMB), event="both foreign")
        assert [f.event for f in e.enrol(WHERE, [other]).flags] == ["both foreign"]
        assert e.enrol(WHERE, [own]).flags == ()


def test_items_of_one_batch_are_compared_with_those_before_them():
    with empty() as e:
        batch = [record("C-1", 1), record("C-2", 2), taken("C-1", print_of(3), event="2")]
        assert [(f.item, f.record) for f in e.enrol(WHERE, batch).flags] == [(2, "C-1")]


def test_only_the_record_itself_is_looked_at():
    with empty() as e:
        e.enrol(WHERE, [record("C-1", 1), record("C-2", 2)])
        e.enrol("immigration", [record("C-3", 3)])
        # The print is known under another id and in another partition: neither is told of it.
        report = e.enrol(WHERE, [taken("C-3", print_of(1)), taken("C-2", print_of(3))])
        assert [f.record for f in report.flags] == ["C-2"]


def test_reports_and_log_count_records_and_not_items():
    with empty() as e:
        events = [taken("C-1", print_of(1, i), event=str(i)) for i in range(3)]
        report = e.enrol(WHERE, [*events, record("C-2", 2)])
        assert (report.accepted, report.fingers) == (2, 4)
        (said,) = [r.fields for r in e.audit.records(kind=Kind.ENROL)]
        assert (said["records"], said["fingers"]) == (2, 4)


def test_records_are_counted_once_over_batches():
    seen = Seen()
    assert [seen.add(keys) for keys in ([3, 3], [1, 3], [900, 1], [])] == [1, 1, 1, 0]
    with empty() as e:
        events = [taken("C-1", print_of(1, i), event=str(i)) for i in range(600)]
        assert e.enrol(WHERE, events).accepted == 1


def test_what_cannot_be_compared_is_stored_and_reported(monkeypatch):
    with empty() as e:
        e.enrol(WHERE, [record("C-1", 1)])

        def fails(*_, **__):
            raise StorageError("no index")

        monkeypatch.setattr(PartitionIndex, "verify", fails)
        report = e.enrol(WHERE, [taken("C-1", print_of(2))])
        assert (report.accepted, report.fingers, report.flags) == (1, 1, ())


@pytest.mark.parametrize("key", ["", "k"])
def test_a_template_is_serialised_once(key, monkeypatch):
    """Deflating it is a tenth of what enrolling it costs."""
    people = [record(f"N-{n}", 30 + n) for n in range(6)]
    made: list[Template] = []
    real = Template.to_bytes
    with engine() as e:
        monkeypatch.setattr(Template, "to_bytes", lambda one: (made.append(one), real(one))[1])
        assert e.enrol("criminal", people, key=key).fingers == 6
        monkeypatch.setattr(Template, "to_bytes", real)
    assert [id(one) for one in made] == [id(f) for one in people for f in one.fingers]


@pytest.mark.parametrize("keys", [None, {"k": bytes(range(32))}], ids=["plain", "encrypted"])
def test_the_digest_of_a_new_record_is_that_of_what_is_stored(keys, tmp_path):
    """It is computed before anything is stored, and never read back."""
    if keys:
        pytest.importorskip("cryptography")
    same = print_of(31)
    several = [
        Record("N-1", [print_of(30), same, print_of(32), same], event="b\u00e9"),
        record("N-2", 33, identity="P", contributor="CA0380777", protected=True),
        record("N-3", 34, banned_uses=frozenset({"purpose:F", "CAR"})),
        record("N-1", 35, event="later"),
    ]
    with Engine.create(tmp_path / "g", keys=keys, clock=Clock(), durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        report = e.enrol("criminal", several)
        assert (report.accepted, report.fingers, report.errors) == (3, 6, ())
        database = e._state.gallery.database
        stored = database.execute("SELECT id, item FROM record ORDER BY id").fetchall()
        assert [item for _, item in stored] == [items.item_of(database, key) for key, _ in stored]
        assert [key for key, _ in stored] == [1, 2, 3]
        assert e._state.gallery.next_row("criminal") == 6
