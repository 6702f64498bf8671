"""What enrolment reports: records counted once, and additions that resemble nothing flagged."""

from __future__ import annotations

import pytest
from engine_helpers import engine, print_of, record

from fpmatch.audit import Kind
from fpmatch.errors import StorageError
from fpmatch.index import PartitionIndex
from fpmatch.parameters import SEARCH
from fpmatch.search.enrolment import Seen
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
