"""The way of one search, and everything that may happen beside it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading

import numpy as np
import pytest
from engine_helpers import (
    HELD,
    LATER,
    NOW,
    OFF,
    ON,
    OTHER,
    POLICY,
    Clock,
    again,
    engine,
    folder,
    print_of,
    record,
    request,
    told,
)

from fpmatch.errors import (
    CorruptError,
    InputError,
    PolicyError,
    ReadOnlyError,
    RefusedError,
    SearchCancelled,
    StorageError,
)
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import FingerPosition, Outcome, Reason, Record


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


def test_three_sites_of_one_county_get_three_answers():
    with engine() as e:
        on, off, held = (e.search(request(ori)) for ori in (ON, OFF, HELD))
        for response in (on, off, held):
            assert names(response["criminal"]) == ["C-1"]
        assert on["immigration"].outcome is Outcome.SEARCHED_DISCLOSED
        assert names(on["immigration"]) == ["I-1"]
        assert (off["immigration"].outcome, off["immigration"].reason) == (
            Outcome.NOT_SEARCHED,
            Reason.ORI_DEACTIVATED,
        )
        assert off["immigration"].candidates is None
        assert held["immigration"].outcome is Outcome.SEARCHED_WITHHELD
        assert held["immigration"].candidates is None
        told = {(m.booking_ori, m.partition) for m in e.notifications()}
        assert told == {(o, "criminal") for o in (ON, OFF, HELD)} | {
            (ON, "immigration"),
            (HELD, "immigration"),
        }
        assert e.audit.verify().ok


def test_without_a_policy_nothing_is_searched():
    place = folder()
    with Engine.create(place, durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.enrol("criminal", [record("C-1", 1)])
        section = e.search(request())["criminal"]
        assert (section.outcome, section.reason) == (Outcome.REFUSED, Reason.NO_POLICY)
        with pytest.raises(RefusedError):
            e.explain(ori=ON, partition="criminal")
    shutil.rmtree(place)


def test_unknown_agency_is_refused_everywhere_and_logged():
    with engine() as e:
        response = e.search(request("ZZ0000000"))
        assert {s.outcome for s in response} == {Outcome.REFUSED}
        said = next(iter(e.audit.records(kind="OUTCOME", tcn=response.tcn)))
        assert all(p.get("stage2", 0) == 0 for p in said.partitions.values())


def test_requested_partitions_by_name_and_number():
    with engine() as e:
        one = e.search(request(partitions=[9]))
        assert one["criminal"].reason is Reason.NOT_REQUESTED
        assert names(one["immigration"]) == ["I-1"]
        two = e.search(request(partitions=["criminal"]))
        assert two["immigration"].reason is Reason.NOT_REQUESTED
        three = e.search(request(partitions=["criminal", 77]))
        assert three["repository 77"].reason is Reason.UNKNOWN_PARTITION


def test_granted_partition_that_the_gallery_lacks_is_not_searched():
    place = folder()
    with Engine.create(place, durability="off", clock=Clock()) as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.publish(Policy.parse(POLICY))
        section = e.search(request(ON))["immigration"]
        assert (section.outcome, section.reason) == (
            Outcome.NOT_SEARCHED,
            Reason.UNKNOWN_PARTITION,
        )
    shutil.rmtree(place)


def test_partition_that_the_policy_lacks_is_not_searched():
    with engine() as e:
        e.add_partition("extra", 12, "X")
        e.enrol("extra", [record("X-1", 1)])
        section = e.search(request(ON))["extra"]
        assert (section.outcome, section.reason) == (Outcome.NOT_SEARCHED, Reason.NO_GRANT)
        assert e.search(request("ZZ0000000"))["extra"].outcome is Outcome.REFUSED


def test_threshold_and_max_candidates_bound_the_list_but_not_the_owner():
    with engine() as e:
        response = e.search(request(max_candidates=0))
        assert response["criminal"].candidates == ()
        assert e.search(request(threshold=50.0))["criminal"].candidates[0].record == "C-1"
        assert e.search(request(threshold=500.0))["criminal"].candidates == ()
        long = e.search(request(max_candidates=2, threshold=0.0))["criminal"].candidates
        assert len(long) == 2
        owners = [m for m in e.notifications() if m.partition == "immigration"]
        assert len(owners) == 4, "what the submitter asks for never silences a notification"


def test_hit_score_decides_what_owners_are_told():
    with engine(hit_score=1e6) as e:
        e.search(request())
        assert e.notifications() == []


def test_ties_break_by_record_id_whatever_the_order_of_enrolment():
    people = {"criminal": [record(n, 1) for n in ("z", "a", "m")], "immigration": []}
    with engine(people) as e:
        assert names(e.search(request())["criminal"]) == ["a", "m", "z"]
        assert names(e.search(request(max_candidates=2))["criminal"]) == ["a", "m"]


def test_malformed_requests_say_what_is_wrong():
    with engine() as e:
        for change, word in (
            ({"fingers": []}, "finger"),
            ({"fingers": ["x"]}, "template"),
            ({"effort": "wild"}, "effort"),
            ({"max_candidates": -1}, "max_candidates"),
            ({"threshold": float("nan")}, "threshold"),
            ({"deadline_ms": 0.0}, "deadline"),
            ({"booking_ori": "nonsense"}, "ORI"),
            ({"copies_to": ["x"]}, "ORI"),
            ({"tcn": "x" * 200}, "tcn"),
        ):
            with pytest.raises(InputError, match=word):
                e.search(dataclasses.replace(request(), **change))
        with pytest.raises(InputError, match="SearchRequest"):
            e.search("probe")


def test_deadline_gives_an_incomplete_answer_and_cancel_none():
    with engine() as e:
        response = e.search(request(deadline_ms=1e-6))
        assert response["criminal"].complete is False
        assert e.search(request(deadline_ms=1e6))["criminal"].complete is True
        stop = threading.Event()
        stop.set()
        with pytest.raises(SearchCancelled):
            e.search(request(tcn="stopped"), cancel=stop)
        said = next(iter(e.audit.records(kind="OUTCOME", tcn="stopped")))
        assert said.fields["result"] == "error"
        assert {p["outcome"] for p in said.partitions.values()} == {"FAILED"}


def test_several_fingers_are_fused_and_unknown_positions_meet_all():
    right, left = FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX
    both = Record("two", [print_of(1, 0, right), print_of(1, 0, left)])
    one = Record("one", [print_of(1, 0, right), print_of(5, 0, left)])
    with engine({"criminal": [both, one], "immigration": []}) as e:
        ten = e.search(request(fingers=[print_of(1, 3, left), print_of(1, 3, right)]))
        first, second = ten["criminal"].candidates
        assert first.record == "two"
        assert [f.position for f in first.fingers] == [right, left]
        assert first.score > second.score
        unknown = dataclasses.replace(print_of(1, 3, left), position=FingerPosition.UNKNOWN)
        found = e.search(request(fingers=[unknown]))["criminal"].candidates
        assert found[0].record == "two"
        assert found[0].fingers[0].position is FingerPosition.UNKNOWN
        thumb = print_of(1, 3, FingerPosition.LEFT_THUMB)
        assert e.search(request(fingers=[thumb]))["criminal"].candidates == ()


def test_search_many_equals_single_searches():
    asked = [request(o, p, tcn=f"{o}{p}") for p in (1, 2, 7) for o in (ON, OFF, HELD, OTHER)]
    with engine() as e:
        single = [told(e.search(r)) for r in asked]
        assert [told(r) for r in e.search_many([again(r) for r in asked])] == single
        assert e.search_many([]) == []
        assert e.audit.verify().ok


def test_search_many_shares_scans_and_one_failure_stops_nothing(monkeypatch):
    import fpmatch.search.run as run
    from fpmatch.search.compare import LocalPartition

    shared = []
    original = LocalPartition._together
    monkeypatch.setattr(
        LocalPartition,
        "_together",
        lambda searcher, requests: (
            shared.append((searcher.partition, len(requests))),
            original(searcher, requests),
        )[1],
    )
    asked = [request(o, p, tcn=f"{o}{p}") for p in (1, 2) for o in (ON, OFF, HELD)]
    asked.append(request(ON, 1, tcn="other role", role="advocate"))
    with engine() as e:
        single = [told(e.search(r)) for r in asked]
        assert [told(r) for r in e.search_many([again(r) for r in asked])] == single
        assert sorted(shared) == [("criminal", 6), ("immigration", 4)]
        judge = run.release.judge

        def fails(state, running):
            if running.submission.tcn == asked[1].tcn:
                raise ZeroDivisionError
            return judge(state, running)

        monkeypatch.setattr(run.release, "judge", fails)
        asked = [again(r) for r in asked]
        answers = e.search_many(asked)
        assert {s.outcome for s in answers[1]} == {Outcome.FAILED}
        assert [told(r) for i, r in enumerate(answers) if i != 1] == [
            b for i, b in enumerate(single) if i != 1
        ]
        assert e.audit.verify().dangling == ()
        with pytest.raises(InputError):
            e.search_many([asked[0], dataclasses.replace(asked[1], effort="x")])


def test_a_failed_search_keeps_no_probe(monkeypatch):
    import fpmatch.search.run as run

    with engine() as e:
        with monkeypatch.context() as patch:
            patch.setattr(run.copies, "prepare", lambda *a: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.search(request(LATER))
        assert e._state.ledger.kept("deferred") == []


def test_enrol_reports_each_bad_item_and_takes_the_rest():
    with engine() as e:
        good = record("N-1", 20)
        bad = [
            "no record",
            Record("", [print_of(1)]),
            Record("N-2", []),
            Record("N-3", ["x"]),
            Record("C-1", [print_of(1)], identity="somebody else"),
            Record("N-4", [print_of(1)], contributor="bad"),
            Record("N\x00", [print_of(1)]),
        ]
        report = e.enrol("criminal", [good, *bad, record("N-9", 21)])
        assert (report.accepted, report.fingers) == (2, 2)
        assert [x.item for x in report.errors] == list(range(1, 8))
        assert names(e.search(request(person=21))["criminal"]) == ["N-9"]


def test_enrolling_again_changes_nothing_and_another_event_adds():
    with engine() as e:
        root = e._state.gallery.root("criminal")
        again = e.enrol("criminal", [record("C-1", 1)])
        assert (again.accepted, again.fingers) == (1, 0)
        assert e._state.gallery.root("criminal") == root
        more = e.enrol("criminal", [record("C-1", 1, touch=2, event="second")])
        assert more.fingers == 1
        assert e._state.gallery.root("criminal") != root
        with pytest.raises(InputError, match="no partition"):
            e.enrol("nowhere", [])


def test_enrol_from_arrow_and_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    fingers = [print_of(30), print_of(31), print_of(32)]
    table = pa.table(
        {
            "record": ["A-1", "A-1", "A-2"],
            "position": [2, 7, None],
            "template": [f.to_bytes() for f in fingers],
            "protected": [False, False, True],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    broken = pa.table({"record": ["B-1", "B-2"], "template": [b"x", print_of(40).to_bytes()]})
    with engine() as e:
        assert e.enrol("criminal", table).fingers == 3
        assert e.enrol("criminal", tmp_path / "t.parquet").fingers == 0
        report = e.enrol("criminal", broken)
        assert [x.record for x in report.errors] == ["B-1"]
        assert report.accepted == 1
        with pytest.raises(InputError, match="column"):
            e.enrol("criminal", pa.table({"record": ["x"]}))
        with pytest.raises(InputError, match="Parquet"):
            e.enrol("criminal", tmp_path / "none.parquet")
        with pytest.raises(InputError, match="iterable"):
            e.enrol("criminal", 3)
        left = dataclasses.replace(fingers[1], position=FingerPosition.LEFT_INDEX)
        assert names(e.search(request(fingers=[left]))["criminal"]) == ["A-1"]


def test_progress_is_told():
    seen = []
    with engine() as e:
        people = [record(f"P-{i}", 50 + i) for i in range(300)]
        e.enrol("criminal", people, progress=lambda item, count: seen.append((item, count)))
    assert seen == [(256, 256), (300, 300)]


def test_seals_bans_and_protection_exclude_before_ranking():
    people = {
        "criminal": [record("C-1", 1), record("C-2", 1, touch=2)],
        "immigration": [
            record("I-1", 1, protected=True),
            record("I-2", 1, touch=2, banned_uses=frozenset({"purpose:F", "role:officer", "CNA"})),
        ],
    }
    with engine(people) as e:
        assert names(e.search(request())["immigration"]) == ["I-2"]
        assert sorted(names(e.search(request(role="advocate"))["immigration"])) == ["I-1", "I-2"]
        assert names(e.search(request(purpose="F"))["immigration"]) == []
        assert names(e.search(request(role="officer"))["immigration"]) == []
        assert names(e.search(request(transaction="CNA"))["immigration"]) == []
        e.seal("C-1", order="o-1", authority="CA")
        assert names(e.search(request(max_candidates=1))["criminal"]) == ["C-2"]
        e.unseal("C-1", order="o-2", authority="CA")
        assert sorted(names(e.search(request())["criminal"])) == ["C-1", "C-2"]
        with pytest.raises(InputError, match="order"):
            e.seal("C-1", order="", authority="CA")


def test_expunge_at_three_levels():
    people = {
        "criminal": [
            Record("C-1", [print_of(1)], identity="P", event="first"),
            Record("C-1", [print_of(1), print_of(1, 2)], identity="P", event="second"),
            Record("C-2", [print_of(1, 3)], identity="P"),
            record("C-3", 3),
        ],
        "immigration": [Record("I-1", [print_of(1, 4)], identity="P")],
    }
    order = {"order": "o", "authority": "CA"}
    with engine(people) as e:
        one = e.expunge("C-1", level="event", event="second", **order)
        assert (one.records, one.events, one.fingers, one.kept) == (0, 1, 1, 1)
        assert sorted(names(e.search(request())["criminal"])) == ["C-1", "C-2"]
        two = e.expunge("C-1", level="event", event="first", **order)
        assert (two.records, two.fingers, two.kept) == (1, 1, 0)
        three = e.expunge("P", level="identity", **order)
        assert (three.records, three.fingers) == (2, 2)
        assert {p for p, _, _ in three.roots} == {"criminal", "immigration"}
        assert len(three.removed[0]) == 64
        assert names(e.search(request())["criminal"]) == []
        assert names(e.search(request(person=3))["criminal"]) == ["C-3"]
        for bad in ({"level": "event", "event": "none"}, {}):
            with pytest.raises(RefusedError):
                e.expunge("C-1", **order, **bad)
        with pytest.raises(InputError, match="level"):
            e.expunge("C-3", level="all", **order)
        said = list(e.audit.records(kind="EXPUNGE"))
        assert len(said) == 3
        assert "C-1" not in json.dumps([dict(r.fields) for r in said])


def test_expunge_needs_a_partition_where_an_id_is_in_two():
    people = {"criminal": [record("X", 1)], "immigration": [record("X", 1)]}
    order = {"order": "o", "authority": "CA"}
    with engine(people) as e:
        with pytest.raises(InputError, match="partition"):
            e.expunge("X", **order)
        e.expunge("X", partition="immigration", **order)
        response = e.search(request())
        assert names(response["criminal"]) == ["X"]
        assert names(response["immigration"]) == []


def test_an_expunged_gallery_has_the_root_of_one_that_never_held_the_record():
    with engine() as e, engine() as never:
        e.enrol("criminal", [record("gone", 9)])
        assert e._state.gallery.root("criminal") != never._state.gallery.root("criminal")
        e.expunge("gone", order="o", authority="CA")
        assert e._state.gallery.root("criminal") == never._state.gallery.root("criminal")


def test_reopened_engine_answers_the_same_and_reads_only():
    place = folder()
    with Engine.create(place, durability="off", clock=Clock()) as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.add_partition("immigration", 9, "DHS")
        e.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        e.enrol("immigration", [record("I-1", 1, banned_uses=frozenset({"CNA"}))])
        e.publish(Policy.parse(POLICY))
        e.seal("C-2", order="o", authority="CA")
        before = [told(e.search(request(person=p))) for p in (1, 2)]
        with Engine.open(place, durability="off", clock=Clock()) as beside:
            assert told(beside.search(request(person=1))) == before[0]
    with Engine.open(place, durability="off", clock=Clock()) as e:
        with Engine.open(place, durability="off", clock=Clock()) as second:
            assert told(second.search(request())) == before[0]
        assert [told(e.search(request(person=p))) for p in (1, 2)] == before
        for act in (
            lambda: e.enrol("criminal", []),
            lambda: e.publish(Policy.parse(POLICY)),
            lambda: e.expunge("C-1", order="o", authority="CA"),
            lambda: e.seal("C-1", order="o", authority="CA"),
            lambda: e.add_partition("x", 3, "y"),
        ):
            with pytest.raises(ReadOnlyError):
                act()
        assert e.audit.verify().ok
    with pytest.raises(StorageError):
        Engine.create(place)
    with pytest.raises(StorageError):
        Engine.open(place / "nothing")
    with pytest.raises(InputError):
        Engine.open(place, "w")
    shutil.rmtree(place)


def test_one_process_writes_and_several_read():
    place = folder()
    with (
        Engine.create(place, durability="off"),
        Engine.open(place),
        Engine.open(place),
        pytest.raises(StorageError, match="elsewhere"),
    ):
        Engine.open(place, "rw")
    with Engine.open(place), Engine.open(place), Engine.open(place, "rw"):
        pass
    shutil.rmtree(place)


def test_a_damaged_index_is_rebuilt_from_the_gallery():
    place = folder()
    with Engine.create(place, durability="off", clock=Clock()) as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.enrol("criminal", [record(f"C-{i}", i) for i in range(1, 6)])
        e.publish(Policy.parse(POLICY))
        before = told(e.search(request()))
    segment = next((place / "index" / "criminal").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[20] ^= 255
    segment.write_bytes(bytes(content[: len(content) - 7]))
    with pytest.raises(CorruptError):
        Engine.open(place, durability="off", clock=Clock())
    with Engine.open(place, "rw", durability="off", clock=Clock()) as e:
        assert told(e.search(request())) == before
        assert [r.fields["what"] for r in e.audit.records(kind="ENGINE")] == ["index rebuilt"]
    shutil.rmtree(place)


def test_publish_counts_versions_and_refuses_what_does_not_fit():
    with engine() as e:
        assert e.policy.version == 1
        assert e.publish(Policy.parse(POLICY)) == 2
        assert e.search(request()).policy_version == 2
        other = POLICY.replace('"DHS"', '"NOBODY"')
        with pytest.raises(InputError, match="owner"):
            e.publish(Policy.parse(other))
        owned = 'partitions = "criminal"\nauthor = "DOJ-FBI"'
        claimed = 'partitions = "criminal"\nauthority = "partition-owner"\nauthor = "DHS"'
        void = Policy.parse(POLICY.replace(owned, claimed), lenient=True)
        with pytest.raises(PolicyError):
            e.publish(void)
        assert e.policy.version == 2
        assert e.search(request()).policy_version == 2
        assert e.explain(ori=OFF, partition="immigration").reason is Reason.ORI_DEACTIVATED


def test_explain_takes_the_engines_clock():
    with engine(clock=Clock(NOW)) as e:
        assert e.explain(ori=ON, partition="immigration").at == NOW


def test_notifications_are_delivered_once_and_envelopes_are_the_owners():
    routes = {"immigration": {"CA": "San Francisco"}}
    with engine(routes=routes) as e:
        e.search(request(HELD))
        by = {m.partition: m for m in e.notifications()}
        assert by["immigration"].office == "San Francisco"
        assert by["criminal"].office == "UNROUTED"
        message = by["immigration"]
        content = json.loads(e.envelope(message.id, "DHS"))
        assert [c["record"] for c in content] == ["I-1"]
        for wrong in ((message.id, "DOJ-FBI"), ("none", "DHS")):
            with pytest.raises(RefusedError):
                e.envelope(*wrong)
        assert e.deliver(message.id)
        assert not e.deliver(message.id)
        assert [m.id for m in e.notifications(delivered=True)] == [message.id]
        assert "I-1" not in json.dumps(dataclasses.asdict(message))
        e.expunge("I-1", order="o", authority="DHS")
        assert json.loads(e.envelope(message.id, "DHS")) == []


class Xor:
    """Stands for a real cipher in tests."""

    def seal(self, owner, content):
        return bytes(b ^ 90 for b in content)

    open = seal


def test_a_vault_seals_envelopes_at_rest():
    with engine(vault=Xor()) as e:
        e.search(request(HELD))
        message = next(m for m in e.notifications() if m.partition == "immigration")
        sealed = e.envelope(message.id, "DHS")
        assert b"I-1" not in sealed
        assert json.loads(Xor().open("DHS", sealed))[0]["record"] == "I-1"


def test_the_engine_is_usable_from_several_threads():
    asked = [
        request(o, p, tcn=f"{o}{p}", threshold=0.0) for p in (1, 2, 7) for o in (ON, OFF, HELD)
    ]
    with engine() as e:
        expected = [told(e.search(r)) for r in asked]
        found: dict[int, bytes] = {}

        def work(i):
            found[i] = told(e.search(again(asked[i])))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(len(asked))]
        for t in threads:
            t.start()
        e.enrol("immigration", [record("far", 99)])
        for t in threads:
            t.join()
        response = [found[i] for i in range(len(asked))]
        assert sum(a == b for a, b in zip(response, expected, strict=True)) >= 3
        assert all(b'"C-' in r for r in response)
        assert e.audit.verify().ok


def test_what_resembles_by_chance_is_listed_only_where_it_is_asked_for():
    with engine() as e:
        plain, all_of_them = (
            e.search(request(max_candidates=100, **more))["criminal"].candidates
            for more in ({}, {"threshold": 0.0})
        )
        assert [c.record for c in plain] == ["C-1"]
        assert len(all_of_them) == 4
        assert all(c.score < SEARCH.threshold for c in all_of_them[1:])
        by_number = e.search(request(threshold=SEARCH.threshold))["criminal"].candidates
        assert by_number == plain
        logged = [r.fields["threshold"] for r in e.audit.records(kind="INTENT")]
        assert logged == [2000, 0, 2000]


def test_a_verification_tells_a_low_score_unless_a_threshold_is_asked_for():
    with engine() as e:
        told_all = e.verify(request(), "C-2", partition="criminal")
        assert told_all.score is not None
        assert told_all.score < SEARCH.threshold
        bounded = e.verify(request(threshold=20.0), "C-2", partition="criminal")
        assert bounded.score is None


def test_scores_are_multiples_of_a_hundredth():
    with engine() as e:
        scores = [c.score for s in e.search(request()) for c in s.candidates or ()]
    assert np.allclose(np.array(scores) * 100, np.rint(np.array(scores) * 100), atol=1e-6)
