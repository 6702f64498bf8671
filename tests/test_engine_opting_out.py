"""Opting out: asked, answered and in effect are three things; and what is told is logged."""

from __future__ import annotations

import shutil
import threading

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    NOW,
    OFF,
    ON,
    OTHER,
    POLICY,
    Clock,
    engine,
    request,
    world,
)

from fpmatch.audit import Kind
from fpmatch.errors import AuditError, InputError, PolicyError, ReadOnlyError, RefusedError
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points

WHERE = "immigration"


def events(e, kind: Kind):
    return [r.fields for r in e.audit.records(kind=kind)]


def test_a_request_is_on_record_and_changes_nothing():
    with engine() as e:
        receipt = e.request_opt_out(ON, WHERE, reason="a vote of the council")
        assert (receipt.who, receipt.partition, receipt.status) == (ON, WHERE, "open")
        assert receipt.policy_version == e.policy.version == 1
        assert not receipt.in_effect
        (said,) = e.audit.records(kind=Kind.OPT_OUT)
        assert said.seq == receipt.audit_seq
        assert {k: said.fields[k] for k in ("request", "cri", "partition", "status")} == {
            "request": receipt.request, "cri": ON, "partition": WHERE, "status": "open",
        }  # fmt: skip
        assert "council" not in str(said.fields)
        assert e.opt_outs()[0].reason == "a vote of the council"
        assert e.search(request(ON))[WHERE].candidates
        (found,) = e.ineffective_opt_outs()
        assert (found.request, found.status, found.searches_since) == (receipt.request, "open", 1)


def test_accepted_is_not_in_effect_before_a_policy_keeps_it():
    with engine() as e:
        asked = e.request_opt_out(ON, WHERE, request="r-1")
        first = e.answer_opt_out("r-1", "accepted", authority=ON, answer="so be it")
        assert (first.status, first.answer, first.in_effect) == ("accepted", "so be it", False)
        assert first.audit_seq > asked.audit_seq
        assert e.ineffective_opt_outs() == []
        e.search(request(ON))
        assert [(o.request, o.searches_since) for o in e.ineffective_opt_outs()] == [("r-1", 1)]
        e.publish(e.policy.deactivate(ON, WHERE, authority=ON, reason="as accepted", at=NOW))
        (kept,) = e.opt_outs("accepted")
        assert kept.in_effect
        assert kept.policy_version == e.policy.version
        e.search(request(ON))
        assert e.ineffective_opt_outs()[0].searches_since == 1
        assert e.opt_outs("open") == []


OFFICERS = POLICY.replace(
    f'mode = "interoperable"\nwho = "{ON}"\npartition = "immigration"\nauthor = "DHS"',
    f'mode = "interoperable"\nwho = "{ON}"\npartition = "immigration"\nauthor = "DHS"\n'
    f'[[rule]]\nid = "officers"\neffect = "forbid"\nwho = "{ON}"\npartitions = "immigration"\n'
    'author = "DHS"\nunless = { role = ["officer"] }',
)
FELONS = OFFICERS.replace('role = ["officer"]', 'charge = ["felony"]')


@pytest.mark.parametrize(
    ("text", "who", "facts"),
    [(OFFICERS, ON, {"role": "officer"}), (FELONS, ON, {"charge": "felony"}), (POLICY, LATER, {})],
)
def test_what_some_search_undoes_is_not_in_effect(text, who, facts):
    """Nothing of an ordinary search, and yet a role, a charge or a verdict has it searched."""
    with engine(text=text) as e:
        assert not e.search(request(who))[WHERE].candidates
        receipt = e.request_opt_out(who, WHERE)
        found = e.search(request(who, **facts))[WHERE]
        if found.token:
            found = e.report_event(found.token, "CONVICTION")[WHERE]
        assert found.candidates
        assert not receipt.in_effect
        e.publish(e.policy.deactivate(who, WHERE, authority=who, reason="asked", at=NOW))
        assert e.opt_outs()[0].in_effect


def test_a_jurisdiction_asks_for_all_below_it():
    with engine() as e:
        e.request_opt_out("CA", WHERE)
        for ori in (ON, HELD, OFF):
            e.search(request(ori))
        (found,) = e.ineffective_opt_outs()
        assert found.searches_since == 2
        # Who reads the log alone does not know the tree.
        assert e.audit.ineffective_opt_outs()[0].searches_since == 0


@pytest.mark.parametrize(
    ("authority", "allowed"),
    [(ON, True), ("CA", True), ("DHS", True), ("DOJ-FBI", False), (OFF, False), ("x", False)],
)
def test_who_could_decide_may_answer_and_nobody_else(authority, allowed):
    with engine() as e:
        e.request_opt_out(ON, WHERE, request="r-1")
        if allowed:
            assert e.answer_opt_out("r-1", "refused", authority=authority).authority == authority
            return
        with pytest.raises(PolicyError):
            e.answer_opt_out("r-1", "accepted", authority=authority)
        assert [o.status for o in e.opt_outs()] == ["open"]
        assert events(e, Kind.AUTH_FAILED)[-1]["authority"] == authority
        assert len(events(e, Kind.OPT_OUT)) == 1


def test_what_cannot_be_asked_or_answered():
    with engine() as e:
        e.request_opt_out(ON, WHERE, request="r-1")
        for call in (
            lambda: e.request_opt_out(ON, WHERE, request="r-1"),
            lambda: e.request_opt_out("CA0000000", WHERE),
            lambda: e.request_opt_out(ON, "no such"),
            lambda: e.request_opt_out("", WHERE),
            lambda: e.request_opt_out(ON, WHERE, reason=3),
            lambda: e.answer_opt_out("r-2", "accepted", authority=ON),
            lambda: e.answer_opt_out("r-1", "open", authority=ON),
            lambda: e.answer_opt_out("r-1", "accepted", authority=""),
            lambda: e.opt_outs("closed"),
        ):
            with pytest.raises(InputError):
                call()
        e.answer_opt_out("r-1", "refused", authority=ON)
        with pytest.raises(InputError):
            e.answer_opt_out("r-1", "accepted", authority=ON)
        assert len(events(e, Kind.OPT_OUT)) == 2


def test_without_a_policy_one_may_ask_and_nobody_answers(tmp_path):
    with Engine.create(tmp_path / "a.fpm", durability="off") as e:
        e.add_partition(WHERE, 9, "DHS", expected_fingers=100)
        receipt = e.request_opt_out(ON, WHERE)
        assert (receipt.policy_version, receipt.in_effect) == (0, True)
        with pytest.raises(RefusedError):
            e.answer_opt_out(receipt.request, "accepted", authority=ON)
    with Engine.open(tmp_path / "a.fpm") as e:
        assert [o.request for o in e.opt_outs()] == [receipt.request]
        with pytest.raises(ReadOnlyError):
            e.request_opt_out(ON, WHERE)


DECLARED = (
    POLICY
    + f"""
[[optout]]
id = "d-1"
who = "{ON}"
partition = "immigration"
requested = 2010-05-18
"""
)
ANSWERED = DECLARED + 'status = "refused"\ndecided = 2010-06-01\nanswer = "no"\n'


def test_requests_that_a_policy_declares_are_on_record_and_no_later_policy_loses_one():
    with engine(text=DECLARED) as e:
        assert [(o.request, o.status) for o in e.opt_outs()] == [("d-1", "open")]
        e.request_opt_out(OFF, WHERE, request="r-1")
        e.publish(Policy.parse(DECLARED))
        assert len(events(e, Kind.OPT_OUT)) == 2
        e.publish(Policy.parse(POLICY))
        assert {o.request for o in e.opt_outs("open")} == {"d-1", "r-1"}
        e.publish(Policy.parse(ANSWERED))
        assert [(o.request, o.answer) for o in e.opt_outs("refused")] == [("d-1", "no")]
        # What was answered stays so, whatever an older document says.
        e.publish(Policy.parse(DECLARED))
        assert [o.status for o in e.opt_outs() if o.request == "d-1"] == ["refused"]
        said = [(x["request"], x["status"]) for x in events(e, Kind.OPT_OUT)]
        assert said == [("d-1", "open"), ("r-1", "open"), ("d-1", "refused")]
        version = e.policy.version
        declared, asked = DECLARED.split("[[optout]]")
        with pytest.raises(InputError, match="d-1"):
            e.publish(Policy.parse(declared + "[[optout]]" + asked.replace(ON, OFF)))
        assert e.policy.version == version


def test_what_was_cut_off_between_policy_and_requests_is_made_up_for(tmp_path, monkeypatch):
    from fpmatch.search import opting_out

    with Engine.create(tmp_path / "a.fpm", durability="off", clock=Clock()) as e:
        e.add_partition(WHERE, 9, "DHS", expected_fingers=100)
        with monkeypatch.context() as patch:
            patch.setattr(opting_out, "take_over", lambda _: None)
            e.publish(Policy.parse(DECLARED))
        assert e.opt_outs() == []
    with Engine.open(tmp_path / "a.fpm", "rw", clock=Clock()) as e:
        assert [o.request for o in e.opt_outs()] == ["d-1"]
        assert len(events(e, Kind.OPT_OUT)) == 1


# -- what is told, and to whom -----------------------------------------------------------------


def test_a_delivery_is_logged_once_and_with_its_search():
    with engine() as e:
        response = e.search(request(HELD, partitions=[WHERE]))
        (message,) = e.notifications()
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(e.deliver(message.id))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [False, False, False, True]
        (said,) = events(e, Kind.NOTIFY)
        assert said == {
            "notification": message.id, "partition": WHERE, "owner": "DHS",
            "office": message.office, "tcn": response.tcn, "search_seq": response.audit_seq,
        }  # fmt: skip
        assert not e.deliver("N-none")
        assert len(events(e, Kind.NOTIFY)) == 1


def test_a_delivery_that_cannot_be_logged_waits_on(monkeypatch):
    with engine() as e:
        e.search(request(HELD, partitions=[WHERE]))
        (message,) = e.notifications()
        with monkeypatch.context() as patch:
            patch.setattr(
                type(e.audit), "events", lambda *_: (_ for _ in ()).throw(AuditError("x"))
            )
            with pytest.raises(AuditError):
                e.deliver(message.id)
        assert e.notifications() == [message]
        assert e.deliver(message.id)
        assert e.notifications() == []
        assert e.notifications(delivered=True) == [message]


@pytest.mark.parametrize(("step", "told"), [("notify.claimed", 0), ("notify.logged", 1)])
def test_a_process_that_dies_while_it_delivers(tmp_path, monkeypatch, step, told):
    """The files as they are at that moment, opened by another process, as it were."""
    place, copy = tmp_path / "a.fpm", tmp_path / "b.fpm"
    with Engine.create(place, durability="off", clock=Clock()) as e:
        for name, ndr, owner in (("criminal", 1, "DOJ-FBI"), (WHERE, 9, "DHS")):
            e.add_partition(name, ndr, owner, expected_fingers=100)
            e.enrol(name, world()[name])
        e.publish(Policy.parse(POLICY))
        e.search(request(HELD, partitions=[WHERE]))
        (message,) = e.notifications()
        monkeypatch.setattr(
            crash_points, "hook", lambda s: shutil.copytree(place, copy) if s == step else None
        )
        e.deliver(message.id)
        monkeypatch.setattr(crash_points, "hook", None)
    with Engine.open(copy, "rw", clock=Clock()) as e:
        assert len(e.notifications()) == 1 - told
        assert len(e.notifications(delivered=True)) == told
        assert len(events(e, Kind.NOTIFY)) == told


def test_a_delivery_by_another_that_is_alive_is_left_to_it(tmp_path, monkeypatch):
    place = tmp_path / "a.fpm"
    with Engine.create(place, durability="off", clock=Clock()) as e:
        e.add_partition(WHERE, 9, "DHS", expected_fingers=100)
        e.enrol(WHERE, world()[WHERE])
        e.publish(Policy.parse(POLICY))
        e.search(request(HELD))
        (message,) = e.notifications()
    seen = []

    def look(step):
        if step == "notify.claimed":
            monkeypatch.setattr(crash_points, "hook", None)
            with Engine.open(place, clock=Clock()) as other:
                seen.append((other.notifications(), other.deliver(message.id)))

    with Engine.open(place, clock=Clock()) as e:
        monkeypatch.setattr(crash_points, "hook", look)
        assert e.deliver(message.id)
        assert seen == [([], False)]
        assert len(events(e, Kind.NOTIFY)) == 1


def test_copies_and_envelopes_are_logged_as_they_leave(monkeypatch):
    with engine() as e:
        response = e.search(request(ON, copies_to=[KEEPS], partitions=[WHERE]))
        (message,) = e.notifications()
        with monkeypatch.context() as patch:
            patch.setattr(
                type(e.audit), "events", lambda *_: (_ for _ in ()).throw(AuditError("x"))
            )
            for call in (
                lambda: e.copy(response.tcn, KEEPS),
                lambda: e.envelope(message.id, "DHS"),
            ):
                with pytest.raises(AuditError):
                    call()
        assert e.copy(response.tcn, KEEPS)[WHERE].candidates
        assert b"I-1" in e.envelope(message.id, "DHS")
        for call in (
            lambda: e.copy(response.tcn, KEEPS),
            lambda: e.copy(response.tcn, OTHER),
            lambda: e.envelope(message.id, "DOJ-FBI"),
            lambda: e.envelope("N-none", "DHS"),
        ):
            with pytest.raises(RefusedError):
                call()
        assert [(x["what"], x["recipient"], x["search_seq"]) for x in events(e, Kind.RELEASE)] == [
            ("copy", KEEPS, response.audit_seq),
            ("envelope", "DHS", response.audit_seq),
        ]
        failed = [x["what"] for x in events(e, Kind.AUTH_FAILED)]
        assert failed == ["copy", "copy", "envelope", "envelope"]
