"""Looking at records and verifying against one: what is open to whom, and what tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from engine_helpers import (
    HELD,
    LATER,
    OFF,
    ON,
    OTHER,
    POLICY,
    engine,
    print_of,
    record,
    request,
    world,
)
from test_attack_opaque import OPAQUE, SET, held

from fpmatch.audit import Kind
from fpmatch.errors import AuditError, InputError, RefusedError
from fpmatch.gallery import facts
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.types import FingerPosition, Outcome, Reason, Record, RecordsRequest

NAMES = '"CNA", "RECORDS", "RECORD", "COUNT"]'
LOOKS = POLICY.replace('"CNA"]', NAMES)
OPAQUE_LOOKS = OPAQUE.replace('"CNA"]', NAMES)
ORDER = {"order": "order 1", "authority": "a court"}
WHERE = "immigration"


def asks(ori: str = ON, **more) -> RecordsRequest:
    return RecordsRequest(booking_ori=ori, **more)


def hidden() -> dict[str, list[Record]]:
    """The usual world, and in one partition a record of each kind that is not for everybody."""
    people = world()
    people[WHERE] += [
        record("I-protected", 11, protected=True),
        record("I-banned", 12, banned_uses=frozenset({"RECORDS", "RECORD", "COUNT", "CAR"})),
        record("I-purpose", 13, banned_uses=frozenset({"purpose:C"})),
        record("I-sealed", 14),
    ]
    return people


@contextmanager
def with_hidden(text: str = LOOKS) -> Iterator[Engine]:
    with engine(hidden(), text) as e:
        e.seal("I-sealed", partition=WHERE, **ORDER)
        yield e


def names(e, who: RecordsRequest, partition: str = WHERE) -> list[str]:
    return [r.record for r in e.records(partition, who)]


def refusal(call) -> str:
    with pytest.raises(RefusedError) as error:
        call()
    return str(error.value)


def ways(e, who: RecordsRequest, partition: str = WHERE, name: str = "I-1"):
    return (
        lambda: e.records(partition, who),
        lambda: e.count(partition, who),
        lambda: e.record(partition, name, who),
    )


OPEN = ["I-1", "I-2", "I-7", "I-8"]


def test_an_agency_sees_what_a_search_of_its_own_could_show():
    with with_hidden() as e:
        assert names(e, asks()) == OPEN
        assert names(e, asks(role="advocate")) == [*OPEN, "I-protected"]
        assert names(e, asks(purpose="D")) == [*OPEN, "I-purpose"]
        for who in (asks(), asks(role="advocate"), asks(purpose="D")):
            count = e.count(WHERE, who)
            assert (count.records, count.fingers) == (len(names(e, who)),) * 2
        assert names(e, asks(HELD), "criminal") == ["C-1", "C-2", "C-3", "C-4"]


def test_an_agency_gets_no_facts_but_names_and_fingers():
    person = Record(
        "I-9",
        [print_of(9), print_of(9, position=FingerPosition.LEFT_THUMB)],
        identity="somebody",
        event="arrest",
        contributor=OTHER,
        banned_uses=frozenset({"CNA"}),
    )
    with engine({WHERE: [person]}, LOOKS) as e:
        info = e.record(WHERE, "I-9", asks())
        thumb, index = FingerPosition.LEFT_THUMB, FingerPosition.RIGHT_INDEX
        assert info.to_dict() == {"record": "I-9", "positions": sorted([int(thumb), int(index)])}
        assert (info.identity, info.contributor, info.events, info.banned_uses) == (
            "",
            "",
            (),
            frozenset(),
        )
        assert e.records(WHERE, asks()).records == (info,)
        assert e.count(WHERE, asks()).fingers == 2
        own = e.record(WHERE, "I-9", RecordsRequest(owner="DHS"))
        assert (own.identity, own.contributor, own.events) == ("somebody", OTHER, ("arrest",))
        assert own.to_dict()["banned_uses"] == ["CNA"]


def test_absent_sealed_protected_and_banned_records_are_refused_in_the_same_words():
    with with_hidden() as e:
        for place in ("I-sealed", "I-protected", "I-banned", "I-purpose", "I-none", "C-1"):
            said = refusal(lambda name=place: e.record(WHERE, name, asks()))
            assert said == refusal(lambda: e.record(WHERE, "I-none", asks()))
        e.expunge("I-8", partition=WHERE, **ORDER)
        assert refusal(lambda: e.record(WHERE, "I-8", asks())) == said
        assert names(e, asks()) == OPEN[:-1]
        assert e.count(WHERE, asks()).records == len(OPEN) - 1


def test_the_owner_sees_its_own_partition_and_no_other():
    with with_hidden() as e:
        who = RecordsRequest(owner="DHS")
        own = {r.record: r for r in e.records(WHERE, who)}
        assert sorted(own) == [*OPEN, "I-protected", "I-sealed"]
        assert own["I-sealed"].sealed
        assert own["I-protected"].protected
        assert e.count(WHERE, who).records == 6
        assert e.record(WHERE, "I-sealed", who).sealed
        # A contributor's ban holds towards owners too.
        assert "I-purpose" in names(e, RecordsRequest(owner="DHS", purpose="D"))
        absent = refusal(lambda: e.record(WHERE, "I-none", who))
        assert refusal(lambda: e.record(WHERE, "I-banned", who)) == absent
        for partition in ("criminal", "no such"):
            for way in ways(e, who, partition):
                assert refusal(way) == absent
        e.expunge("I-8", partition=WHERE, **ORDER)
        assert e.count(WHERE, who).records == 5


def test_an_owner_needs_no_policy_and_an_agency_does(tmp_path):
    with Engine.create(tmp_path / "a.fpm", durability="off") as e:
        e.add_partition(WHERE, 9, "DHS", expected_fingers=100)
        e.enrol(WHERE, [record("I-1", 1)])
        assert names(e, RecordsRequest(owner="DHS")) == ["I-1"]
        for way in ways(e, asks()):
            assert "NO_POLICY" in refusal(way)


@pytest.mark.parametrize(
    ("ori", "reason"),
    [
        (OFF, Reason.ORI_DEACTIVATED),
        (HELD, Reason.RESULTS_WITHHELD),
        (LATER, Reason.AWAITING_EVENT),
        (OTHER, Reason.NOT_ACTIVATED),
        ("CA0000000", Reason.UNKNOWN_AGENCY),
    ],
)
def test_who_may_not_see_results_may_not_look_and_is_told_why(ori, reason):
    with with_hidden() as e:
        for way in ways(e, asks(ori)):
            assert refusal(way).endswith(f"not open to you: {reason}")


def test_a_chain_narrows():
    with with_hidden() as e:
        assert names(e, asks(chain=(ON,))) == OPEN
        assert "ORI_DEACTIVATED" in refusal(lambda: e.records(WHERE, asks(chain=(OFF,))))


def test_each_way_of_looking_has_to_be_listed_by_the_policy():
    with with_hidden(POLICY) as e:
        for way in ways(e, asks()):
            assert "UNKNOWN_TRANSACTION" in refusal(way)
    with with_hidden(POLICY.replace('"CNA"]', '"CNA", "COUNT"]')) as e:
        listing, counting, one = ways(e, asks())
        assert counting().records == len(OPEN)
        for way in (listing, one):
            assert "UNKNOWN_TRANSACTION" in refusal(way)


def test_an_opaque_partition_refuses_in_the_words_for_an_absent_record():
    said = set()
    records = {}
    with with_hidden(OPAQUE_LOOKS) as e:
        said.add(refusal(lambda: e.record("criminal", "C-none", asks())))
        for ori in (OFF, HELD, LATER, OTHER, "CA0000000"):
            before = len(list(e.audit.records()))
            said |= {refusal(way) for way in ways(e, asks(ori))}
            records[ori] = len(list(e.audit.records())) - before
    assert len(said) == 1
    assert len(set(records.values())) == 1


def test_in_an_opaque_partition_records_have_the_names_of_candidates_and_no_others():
    with with_hidden(OPAQUE_LOOKS) as e:
        shown = names(e, asks())
        assert len(shown) == len(OPEN) == e.count(WHERE, asks()).records
        assert shown == sorted(shown)
        assert not {*shown} & {r.record for r in hidden()[WHERE]}
        (found,) = e.search(request(ON, 1, threshold=50.0))[WHERE].candidates
        assert found.record in shown
        assert e.record(WHERE, found.record, asks()).record == found.record
        assert refusal(lambda: e.record(WHERE, "I-1", asks())) == refusal(
            lambda: e.record(WHERE, "I-none", asks())
        )
        assert e.verify(request(ON, 1), found.record, partition=WHERE).score == found.score
        assert e.verify(request(ON, 1), "I-1", partition=WHERE).score is None
        # The owner goes by its own names, whatever the policy hides from agencies.
        assert "I-1" in names(e, RecordsRequest(owner="DHS"))


@pytest.mark.parametrize("text", [LOOKS, OPAQUE_LOOKS], ids=["full", "opaque"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_are_all_of_it_in_order_and_tell_of_nothing_between(text, limit):
    with with_hidden(text) as e:
        found, after, pages = [], "", 0
        while True:
            page = e.records(WHERE, asks(), after=after, limit=limit)
            assert len(page) <= limit
            found += [r.record for r in page]
            after, pages = page.after, pages + 1
            if not after:
                break
            assert after == page.records[-1].record
        assert found == names(e, asks())
        assert pages == -(-len(OPEN) // limit)


def test_names_are_read_in_parts_and_none_is_lost(monkeypatch):
    monkeypatch.setattr(facts, "PAGE", 2)
    people = {"criminal": [record(f"C-{i}", i) for i in range(7)]}
    with engine(people, LOOKS) as e:
        assert names(e, asks(), "criminal") == [f"C-{i}" for i in range(7)]


def test_the_order_of_enrolment_shows_nowhere():
    people = {"criminal": [record(n, i) for i, n in enumerate(["b", "c", "a"])]}
    with engine(people, LOOKS) as e:
        assert names(e, asks(), "criminal") == ["a", "b", "c"]


def events(e, kind: Kind):
    return [r.fields for r in e.audit.records(kind=kind)]


def test_a_look_is_logged_before_it_is_read_and_before_it_leaves(monkeypatch):
    with with_hidden() as e:
        e.records(WHERE, asks(role="officer"))
        e.count(WHERE, RecordsRequest(owner="DHS"))
        refusal(lambda: e.record(WHERE, "I-none", asks()))
        refusal(lambda: e.records(WHERE, asks(OFF)))
        looks, shown = events(e, Kind.LOOK), events(e, Kind.SHOWN)
        assert [(x["what"], x["cri"], x["owner"], x["reason"]) for x in looks] == [
            ("RECORDS", ON, "", "GRANTED"),
            ("COUNT", "", "DHS", "GRANTED"),
            ("RECORD", ON, "", "GRANTED"),
            ("RECORDS", OFF, "", "ORI_DEACTIVATED"),
        ]
        assert [(x["result"], x["records"]) for x in shown] == [
            ("shown", 4),
            ("shown", 6),
            ("shown", 0),
            ("refused", 0),
        ]
        assert looks[0]["role"] == "officer"
        assert shown[0]["records_digest"] == e.audit.records_digest(WHERE, OPEN)
        assert looks[2]["record_digest"] == e.audit.records_digest(WHERE, ["I-none"])
        assert "I-none" not in str(looks)
        order = [r.kind for r in e.audit.records() if r.kind in (Kind.LOOK, Kind.SHOWN)]
        assert order == [Kind.LOOK, Kind.SHOWN] * 4

        monkeypatch.setattr(facts, "names", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            e.records(WHERE, asks())
        assert events(e, Kind.SHOWN)[-1]["result"] == "error"
        assert e.audit.verify().ok


def test_what_cannot_be_logged_is_not_read(monkeypatch):
    with with_hidden() as e:

        def fails(*_):
            raise AuditError("no room")

        reads = []
        monkeypatch.setattr(crash_points, "hook", reads.append)
        monkeypatch.setattr(type(e.audit), "events", fails)
        for way in ways(e, asks()):
            with pytest.raises(AuditError):
                way()
        assert not reads


def test_a_look_that_cannot_be_logged_as_shown_shows_nothing(monkeypatch):
    with with_hidden() as e:
        real = type(e.audit).events

        def fails(log, events):
            events = list(events)
            if any(kind == Kind.SHOWN for kind, _ in events):
                raise AuditError("no room")
            return real(log, events)

        monkeypatch.setattr(type(e.audit), "events", fails)
        for way in ways(e, asks()):
            with pytest.raises(AuditError):
                way()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('mode = "interoperable"', 'mode = "results_withheld"'),
        ('protected_roles = ["advocate"]', "protected_roles = []"),
        ('protected_roles = ["advocate"]', 'status_visibility = "opaque"'),
    ],
    ids=["withheld", "protection", "opaque"],
)
def test_a_policy_that_changes_while_records_are_read_is_obeyed(monkeypatch, before, after):
    with with_hidden() as e:
        other = Policy.parse(LOOKS.replace(before, after))

        def turn(step):
            if step == "look.read":
                e._state.policy = other

        for n in range(3):
            e.publish(Policy.parse(LOOKS))
            monkeypatch.setattr(crash_points, "hook", turn)
            refusal(ways(e, asks(role="advocate"), name="I-protected")[n])
            monkeypatch.setattr(crash_points, "hook", None)
            assert events(e, Kind.SHOWN)[-1]["reason"] == "RELEASE_DENIED"


def test_refusals_of_an_opaque_partition_leave_at_the_set_time():
    for ori in (OFF, HELD, LATER):
        with held(OPAQUE_LOOKS) as (e, time):
            for way in ways(e, asks(ori)):
                time.slept.clear()
                refusal(way)
                assert time.slept == pytest.approx([SET])
    with held(OPAQUE_LOOKS) as (e, time):
        e.records(WHERE, asks(ON))
        assert not time.slept


@pytest.mark.parametrize(
    "wrong",
    [
        RecordsRequest(),
        RecordsRequest(booking_ori=ON, owner="DHS"),
        RecordsRequest(owner="DHS", chain=(ON,)),
        RecordsRequest(booking_ori="x"),
        RecordsRequest(booking_ori=ON, chain=ON),
        RecordsRequest(booking_ori=ON, purpose=3),
        RecordsRequest(booking_ori=ON, role=None),
        RecordsRequest(booking_ori=ON, attributes="x"),
        RecordsRequest(owner=7),
        ON,
        None,
    ],
    ids=str,
)
def test_values_that_cannot_be_used_are_named(wrong):
    with engine(text=LOOKS) as e:
        for way in ways(e, wrong):
            with pytest.raises(InputError):
                way()
        assert not events(e, Kind.LOOK)


def test_more_values_that_cannot_be_used():
    with engine(text=LOOKS) as e:
        for call in (
            lambda: e.records(WHERE, asks(), limit=0),
            lambda: e.records(WHERE, asks(), limit=10_001),
            lambda: e.records(WHERE, asks(), limit=True),
            lambda: e.records(WHERE, asks(), after=None),
            lambda: e.records("", asks()),
            lambda: e.records(9, asks()),
            lambda: e.record(WHERE, "", asks()),
            lambda: e.record(WHERE, b"x", asks()),
            lambda: e.verify(request(ON, 1), "", partition=WHERE),
            lambda: e.verify(request(ON, 1), "I-1", partition=""),
            lambda: e.verify(request(ON, 1), "I-1", partition=None),
            lambda: e.verify(print_of(1), "I-1", partition=WHERE),
            lambda: e.verify(request(ON, 1, retain=True), "I-1", partition=WHERE),
            lambda: e.verify(request(ON, 1, copies_to=[OFF]), "I-1", partition=WHERE),
            lambda: e.verify(request(ON, 1, partitions=["criminal"]), "I-1", partition=WHERE),
        ):
            with pytest.raises(InputError):
                call()


# -- one probe against one record --------------------------------------------------------------


def of(result) -> dict:
    """What a verification says, its control number and the name asked for aside."""
    said = result.to_dict()
    return {k: v for k, v in said.items() if k not in ("tcn", "record")}


def test_a_verification_gives_the_score_that_a_search_gives():
    with with_hidden() as e:
        listed = e.search(request(ON, 1, effort="exhaustive", max_candidates=100, threshold=0.0))[
            WHERE
        ]
        assert len(listed.candidates) == len(OPEN)
        for candidate in listed.candidates:
            found = e.verify(request(ON, 1), candidate.record, partition=9)
            assert (found.outcome, found.partition) == (Outcome.SEARCHED_DISCLOSED, WHERE)
            assert (found.score, found.fmr, found.fingers) == (
                candidate.score,
                candidate.fmr,
                candidate.fingers,
            )
        assert e.verify(request(ON, 1), "I-1", partition=WHERE).score > 50
        assert e.verify(request(ON, 1, threshold=99.0), "I-7", partition=WHERE).score is None


def test_several_fingers_are_fused_as_in_a_search():
    places = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_THUMB, FingerPosition.UNKNOWN)
    people = {
        "criminal": [
            Record(f"C-{i}", [print_of(i, t, p) for p in places for t in (0, 1)]) for i in range(5)
        ]
    }
    with engine(people, LOOKS) as e:
        probe = {"fingers": [print_of(2, 5, p) for p in places]}
        response = e.search(request(ON, **probe, effort="exhaustive"))
        for candidate in response["criminal"].candidates:
            found = e.verify(request(ON, **probe), candidate.record, partition="criminal")
            assert (found.score, found.fingers) == (candidate.score, candidate.fingers)


def test_what_may_not_be_seen_and_what_is_absent_are_verified_alike():
    with with_hidden() as e:
        absent = of(e.verify(request(ON, 1), "I-none", partition=WHERE))
        assert absent["score"] is None
        assert absent["outcome"] == "SEARCHED_DISCLOSED"
        for name, person in (("sealed", 14), ("protected", 11), ("banned", 12), ("purpose", 13)):
            found = e.verify(request(ON, person), f"I-{name}", partition=WHERE)
            assert of(found) == absent
            last = list(e.audit.records(kind=Kind.OUTCOME))[-1].partitions[WHERE]
            assert (last["stage1"], last["stage2"], last["n_candidates"]) == (0, 0, 0)
        thumb = [print_of(1, position=FingerPosition.LEFT_THUMB)]
        assert of(e.verify(request(ON, fingers=thumb), "I-1", partition=WHERE)) == absent
        # What one role or purpose bars is open to another.
        for more, name, person in (
            ({"role": "advocate"}, "I-protected", 11),
            ({"purpose": "D"}, "I-purpose", 13),
            ({"transaction": "CNA"}, "I-banned", 12),
        ):
            found = e.verify(request(ON, person, **more), name, partition=WHERE)
            assert found.score is not None
            assert found.score > 50


def test_nothing_but_the_one_record_is_compared():
    with with_hidden() as e:
        e.verify(request(ON, 1), "I-2", partition=WHERE)
        intent = list(e.audit.records(kind=Kind.INTENT))[-1]
        outcome = list(e.audit.records(kind=Kind.OUTCOME))[-1]
        assert outcome.intent_seq == intent.seq
        assert intent.fields["record_digest"] == e.audit.records_digest(WHERE, ["I-2"])
        here, there = outcome.partitions[WHERE], outcome.partitions["criminal"]
        assert (here["stage2"], here["codes"], here["n_candidates"]) == (1, 0, 1)
        assert (there["outcome"], there["reason"], there["stage2"]) == (
            "NOT_SEARCHED",
            "NOT_REQUESTED",
            0,
        )
        assert e.audit.verify().ok


@pytest.mark.parametrize(
    ("ori", "outcome", "reason"),
    [
        (OFF, Outcome.NOT_SEARCHED, Reason.ORI_DEACTIVATED),
        (LATER, Outcome.NOT_SEARCHED, Reason.AWAITING_EVENT),
        (HELD, Outcome.SEARCHED_WITHHELD, Reason.RESULTS_WITHHELD),
    ],
)
def test_modes_of_opting_out_hold_for_verification(ori, outcome, reason):
    with with_hidden() as e:
        said = [
            e.verify(request(ori, person), name, partition=WHERE)
            for person, name in ((1, "I-1"), (1, "I-2"), (1, "I-none"))
        ]
        assert all(of(s) == of(said[0]) for s in said)
        assert (said[0].outcome, said[0].reason, said[0].score) == (outcome, reason, None)
        # Withheld from the agency, a hit is the owner's to know; of what waits nothing is kept.
        told = [n.tcn for n in e.notifications()]
        assert told == ([said[0].tcn] if ori == HELD else [])
        assert not e._state.ledger.kept("deferred")


def test_opaque_verifications_are_alike_in_words_time_and_log():
    told = set()
    for ori in (OFF, HELD, LATER):
        with held(OPAQUE_LOOKS) as (e, time):
            for person, name in ((1, "I-1"), (1, "I-2"), (1, "I-none")):
                time.slept.clear()
                before = len(list(e.audit.records()))
                result = e.verify(request(ori, person), name, partition=WHERE)
                count = len(list(e.audit.records())) - before
                told.add((str(of(result)), tuple(round(t, 6) for t in time.slept), count))
    assert len(told) == 1


def test_what_goes_wrong_in_a_withheld_partition_is_not_told(monkeypatch):
    with with_hidden() as e:
        usual = of(e.verify(request(HELD, 1), "I-none", partition=WHERE))
        monkeypatch.setattr(facts, "find", lambda *_: 1 / 0)
        assert of(e.verify(request(HELD, 1), "I-1", partition=WHERE)) == usual
        last = list(e.audit.records(kind=Kind.OUTCOME))[-1].partitions[WHERE]
        assert last["outcome"] == "FAILED"
        with pytest.raises(ZeroDivisionError):
            e.verify(request(ON, 1), "I-1", partition=WHERE)
        assert list(e.audit.records(kind=Kind.OUTCOME))[-1].fields["result"] == "error"


def test_a_record_sealed_during_a_verification_is_not_released(monkeypatch):
    with with_hidden() as e:

        def seal(step):
            if step == "search.compared":
                e.seal("I-1", partition=WHERE, **ORDER)

        monkeypatch.setattr(crash_points, "hook", seal)
        assert e.verify(request(ON, 1), "I-1", partition=WHERE).score is None


def test_a_verification_has_its_own_number_and_no_second_run():
    with with_hidden() as e:
        asked = request(ON, 1)
        found = e.verify(asked, "I-1", partition=WHERE)
        assert found.tcn == asked.tcn
        with pytest.raises(InputError):
            e.search(asked)
        with pytest.raises(InputError, match="verif"):
            e.replay(found.audit_seq, asked)


def test_info_counts_what_the_asker_may_see_and_logs_each_look():
    with with_hidden() as e:
        assert [p.count for p in e.info().partitions] == [None, None]
        assert not list(e.audit.records(kind="LOOK"))
        for asks in (RecordsRequest(ON), RecordsRequest(owner="DHS"), RecordsRequest(OFF)):
            told = e.info(asks)
            by_name = {p.partition.name: p.count for p in told.partitions}
            assert list(by_name) == [p.name for p in e.partitions]
            assert (told.policy_version, told.policy_digest) == (e.policy.version, e.policy.digest)
            for name, count in by_name.items():
                try:
                    expected = e.count(name, asks)
                except RefusedError:
                    expected = None
                assert count == expected
            assert told.to_dict()["partitions"][1]["records"] == (
                None if by_name[WHERE] is None else by_name[WHERE].records
            )
        looks = [r.fields for r in e.audit.records(kind="LOOK")]
        assert {r["what"] for r in looks} == {"COUNT"}


def test_info_asks_for_an_owner_only_what_is_its_own():
    with with_hidden() as e:
        told = {p.partition.name: p.count for p in e.info(RecordsRequest(owner="DHS")).partitions}
        assert told["criminal"] is None
        assert told[WHERE].records > len(OPEN)
        assert [r.fields["partition"] for r in e.audit.records(kind="LOOK")] == [WHERE]


def test_without_a_policy_an_unknown_partition_is_refused_in_our_words(tmp_path):
    with Engine.create(tmp_path / "g.fpm", durability="off") as e:
        for way in (*ways(e, asks(), "nowhere"), lambda: e.templates("nowhere", asks())):
            assert "NO_POLICY" in refusal(way)
        found = e.verify(request(ON), "C-1", partition="nowhere")
        assert (found.outcome, found.reason) == (Outcome.REFUSED, Reason.NO_POLICY)
