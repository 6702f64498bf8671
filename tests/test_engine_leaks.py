"""The leak catalogue of the domain description, L1 to L18: each with a test that would see it.

L2, L3 and L11 are also property tests in `test_engine_properties`, L18 in `test_engine_crash`, and
L5, the time a search takes, is measured by `fpmatch.bench.leakage`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import pickle
import random
import re
import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    NOW,
    OFF,
    ON,
    POLICY,
    Clock,
    again,
    engine,
    folder,
    print_of,
    record,
    request,
    told,
    world,
)
from packed_rows import pieces_of_codes

import fpmatch.search.run as run
from fpmatch.errors import AuditError, InputError, RefusedError
from fpmatch.policy import Policy
from fpmatch.search import Engine, crash_points
from fpmatch.search.compare import LocalPartition
from fpmatch.types import Mask, Outcome, Reason

OPAQUE = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')
ORDER = {"order": "o", "authority": "CA"}


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


@pytest.fixture
def at_step():
    """Run something when a search has finished a step."""

    def install(step, act):
        def hook(name):
            if name == step:
                crash_points.hook = None
                act()

        crash_points.hook = hook

    yield install
    crash_points.hook = None


def test_l1_records_that_may_not_be_seen_starve_nobody():
    crowd = [record(f"A-{i:02d}", 1, touch=i + 10) for i in range(30)]
    people = {
        "criminal": [*crowd, record("Z-1", 1, touch=1)],
        "immigration": [
            *(dataclasses.replace(r, record=f"p{i}", protected=True) for i, r in enumerate(crowd)),
            record("Z-2", 1, touch=1),
        ],
    }
    with engine(people) as e:
        for r in crowd:
            e.seal(r.record, partition="criminal", **ORDER)
        response = e.search(request(max_candidates=1))
        assert names(response["criminal"]) == ["Z-1"]
        assert names(response["immigration"]) == ["Z-2"]


def test_l2_l3_scores_do_not_depend_on_other_partitions():
    full = world()
    with engine(full) as e, engine({"criminal": full["criminal"]}) as alone:
        for person in (1, 2, 3, 8):
            asked = request(OFF, person)
            assert e.search(asked).to_bytes() == alone.search(asked).to_bytes()


def test_l4_a_response_counts_nothing_that_was_not_granted():
    with engine() as e:
        for ori in (ON, OFF, HELD):
            response = e.search(request(ori))
            assert set(response.to_dict()) == {"tcn", "policy_version", "partitions"}
            for section in response:
                assert section.cost is None
                said = next(
                    p
                    for p in response.to_dict()["partitions"]
                    if p["partition"] == section.partition
                )
                disclosed = section.outcome is Outcome.SEARCHED_DISCLOSED
                more = {"candidates"} if disclosed else set()
                assert set(said) == {"partition", "outcome", "reason", "complete"} | more


@pytest.mark.parametrize("text", [POLICY, OPAQUE])
def test_withheld_bytes_are_the_same_with_and_without_a_hit(text):
    hit, miss = world(), world()
    miss["immigration"] = []
    sections = []
    for people in (hit, miss):
        with engine(people, text) as e:
            sections.append(told(e.search(request(HELD))))
    assert sections[0] == sections[1]
    assert b"I-1" not in sections[0]


def test_l4_opaque_partitions_do_not_tell_withheld_from_not_searched():
    with engine(text=OPAQUE) as e:
        sections = [e.search(request(ori))["immigration"] for ori in (HELD, OFF, LATER)]
        assert len(set(sections)) == 1
        assert (sections[0].outcome, sections[0].reason) == (
            Outcome.REFUSED,
            Reason.NOT_DISCLOSED,
        )
        truth = [r.partitions["immigration"]["outcome"] for r in e.audit.records(kind="OUTCOME")]
        assert truth[:2] == ["SEARCHED_WITHHELD", "NOT_SEARCHED"]


def test_l5_a_denied_partition_costs_no_comparison():
    with engine() as e:
        response = e.search(request(OFF))
        said = next(iter(e.audit.records(kind="OUTCOME", tcn=response.tcn)))
        denied = said.partitions["immigration"]
        assert all(denied.get(c, 0) == 0 for c in ("live", "codes", "stage1", "stage2"))
        assert said.partitions["criminal"]["stage2"] == 4


def test_l5_a_search_is_never_given_what_it_may_not_search(monkeypatch):
    given = []
    original = run.run_comparisons
    monkeypatch.setattr(
        run,
        "run_comparisons",
        lambda running, cancel: (
            given.append({s.partition for s in running.searchers}),
            original(running, cancel),
        ),
    )
    with engine() as e:
        for ori in (ON, OFF, HELD, LATER, "ZZ0000000"):
            e.search(request(ori))
    both, one = {"criminal", "immigration"}, {"criminal"}
    assert given == [both, one, both, one, set()]


def test_l5_a_withheld_miss_writes_as_often_as_a_hit(monkeypatch):
    wrote = []
    from fpmatch.ledger import Ledger

    original = Ledger._transaction

    def counted(self):
        wrote.append(1)
        return original(self)

    monkeypatch.setattr(Ledger, "_transaction", counted)
    counts = []
    with engine() as e:
        for person in (7, 55):
            wrote.clear()
            e.search(request(HELD, person, partitions=["immigration"]))
            counts.append(len(wrote))
        assert counts[0] == counts[1] == 2
        assert [m.partition for m in e.notifications()] == ["immigration"]
        assert e._state.ledger.pending() == []


def test_l5_withheld_answers_can_be_held_back_to_a_set_time():
    with engine(withheld_ms=300.0) as e:
        for person in (7, 55):
            start = time.monotonic()
            e.search(request(HELD, person))
            assert time.monotonic() - start >= 0.3


def test_l6_one_error_for_everything_a_submitter_may_not_have():
    with engine() as e:
        token = e.search(request(LATER))["immigration"].token
        e.cancel(token)
        e.search(request(HELD, copies_to=[OFF]))
        message = e.notifications()[0].id
        e.seal("C-2", **ORDER)
        rng = random.Random(6)
        junk = ["", "x", "C-1", "C-2", "I-1", token, "D" + "0" * 32]
        junk += ["".join(rng.choices("CI-0123456789", k=6)) for _ in range(20)]
        texts = set()
        for word in junk:
            for act in (
                lambda w=word: e.report_event(w, "CONVICTION"),
                lambda w=word: e.cancel(w),
                lambda w=word: e.copy(w, OFF),
                lambda w=word: e.copy("TCN", w),
                lambda w=word: e.envelope(w, "DHS"),
                lambda w=word: e.envelope(message, w),
            ):
                with pytest.raises(RefusedError) as refused:
                    act()
                texts.add(str(refused.value))
        assert len(texts) == 1


def test_l7_opaque_handles_differ_by_recipient_and_are_no_record_ids():
    with engine(text=OPAQUE) as e:
        mine, again = (e.search(request(ON))["immigration"] for _ in range(2))
        other = e.search(request(KEEPS))["immigration"]
        first = [c.record for c in mine.candidates]
        assert first == [c.record for c in again.candidates]
        assert not set(first) & {c.record for c in other.candidates}
        assert all(re.fullmatch(r"H[0-9a-f]{32}", h) for h in first)
        scores = [(c.score, c.fingers) for c in mine.candidates]
        assert scores == [(c.score, c.fingers) for c in other.candidates]


def test_l8_enrolment_does_not_tell_what_other_partitions_hold():
    with engine() as e, engine({"criminal": []}) as empty:
        same = [record("I-1", 1, touch=1), record("C-9", 2)]
        assert e.enrol("criminal", same) == empty.enrol("criminal", same)


def test_l9_nothing_is_cached_across_roles_seals_or_policies():
    people = {"criminal": [record("C-1", 1)], "immigration": [record("I-1", 1, protected=True)]}
    with engine(people) as e:
        plain, role = request(), request(role="advocate")
        for _ in range(2):
            assert names(e.search(again(plain))["immigration"]) == []
            assert names(e.search(again(role))["immigration"]) == ["I-1"]
        e.seal("I-1", **ORDER)
        assert names(e.search(again(role))["immigration"]) == []
        e.unseal("I-1", **ORDER)
        assert names(e.search(again(role))["immigration"]) == ["I-1"]
        e.publish(e.policy.deactivate(ON, "immigration", authority="DHS", reason="r", at=NOW))
        assert e.search(again(role))["immigration"].outcome is Outcome.NOT_SEARCHED


def compared(e, tcn, partition):
    said = next(iter(e.audit.records(kind="OUTCOME", tcn=tcn)))
    return said.partitions[partition].get("stage2", 0)


def test_l9_a_sealed_or_protected_record_is_not_even_compared():
    people = {
        "criminal": [record("C-1", 1), record("C-2", 2, banned_uses=frozenset({"CNA"}))],
        "immigration": [record("I-1", 1, protected=True), record("I-2", 2)],
    }
    with engine(people) as e:
        e.search(request(tcn="1"))
        e.search(request(tcn="2", role="advocate"))
        e.search(request(tcn="3", transaction="CNA"))
        assert [compared(e, t, "immigration") for t in "123"] == [1, 2, 1]
        assert [compared(e, t, "criminal") for t in "123"] == [2, 2, 1]
        e.seal("C-1", **ORDER)
        e.search(request(tcn="4"))
        assert compared(e, "4", "criminal") == 1
        e.unseal("C-1", **ORDER)
        e.search(request(tcn="5"))
        assert compared(e, "5", "criminal") == 2


def test_l10_a_policy_that_changes_during_a_search_is_obeyed_at_release(at_step):
    with engine() as e:
        harsher = e.policy.deactivate(ON, "immigration", authority="DHS", reason="r", at=NOW)
        at_step("search.compared", lambda: e.publish(harsher))
        response = e.search(request(tcn="raced"))
        section = response["immigration"]
        assert (section.outcome, section.reason) == (
            Outcome.SEARCHED_WITHHELD,
            Reason.RELEASE_DENIED,
        )
        assert section.candidates is None
        assert names(response["criminal"]) == ["C-1"]
        assert [m.partition for m in e.notifications()] == ["criminal"]
        intent = next(iter(e.audit.records(kind="INTENT", tcn="raced")))
        outcome = next(iter(e.audit.records(kind="OUTCOME", tcn="raced")))
        assert intent.fields["policy_version"] == 1
        assert outcome.fields["release_policy_version"] == 2


def test_l10_results_withheld_during_a_search_are_withheld(at_step):
    with engine() as e:
        mode = f'mode = "interoperable"\nwho = "{ON}"'
        held = Policy.parse(POLICY.replace(mode, mode.replace("interoperable", "results_withheld")))
        at_step("search.compared", lambda: e.publish(held))
        section = e.search(request())["immigration"]
        assert (section.outcome, section.reason) == (
            Outcome.SEARCHED_WITHHELD,
            Reason.RESULTS_WITHHELD,
        )
        assert section.candidates is None
        assert {m.partition for m in e.notifications()} == {"criminal", "immigration"}


def test_l10_a_policy_that_opens_during_a_search_opens_nothing(at_step):
    with engine() as e:
        wider = Policy.parse(POLICY.replace("results_withheld", "interoperable"))
        at_step("search.compared", lambda: e.publish(wider))
        assert e.search(request(HELD))["immigration"].candidates is None
        assert names(e.search(request(HELD))["immigration"]) == ["I-1"]


def test_l10_a_grant_that_ends_during_a_search_is_over_at_release(at_step):
    clock = Clock()
    until = NOW + timedelta(seconds=5)
    rule = 'partitions = "criminal"\nauthor = "DOJ-FBI"'
    text = POLICY.replace(rule, f"{rule}\nto = {until.isoformat()}")
    with engine(text=text, clock=clock) as e:
        at_step("search.compared", lambda: setattr(clock, "now", until))
        section = e.search(request())["criminal"]
        assert section.reason is Reason.RELEASE_DENIED
        assert section.candidates is None


def test_l10_a_record_sealed_during_a_search_is_not_released(at_step):
    with engine() as e:
        at_step("search.compared", lambda: e.seal("C-1", **ORDER))
        assert names(e.search(request())["criminal"]) == []
        assert [m.partition for m in e.notifications()] == ["immigration"]


def test_l10_no_policy_at_release_releases_nothing(at_step):
    with engine() as e:
        at_step("search.compared", lambda: setattr(e._state, "policy", None))
        assert {s.reason for s in e.search(request())} == {Reason.RELEASE_DENIED}
        assert e.notifications() == []


def test_l11_a_batch_compares_exactly_what_single_searches_compare():
    people = {
        "criminal": [record("C-1", 1), record("C-2", 2, banned_uses=frozenset({"CNA"}))],
        "immigration": [record("I-1", 1, protected=True), record("I-2", 2)],
    }
    kinds = ({}, {"role": "advocate"}, {"transaction": "CNA"})
    asked = [request(tcn=f"{n}{i}", **kind) for i in range(2) for n, kind in enumerate(kinds)]
    with engine(people) as e:
        e.search_many(asked)
        for partition, counts in (("immigration", [1, 2, 1]), ("criminal", [2, 2, 1])):
            assert [compared(e, r.tcn, partition) for r in asked] == counts * 2


def test_l12_a_retained_probe_is_searched_only_as_far_as_now_and_then_allow():
    with engine() as e:
        e.search(request(KEEPS, person=30, tcn="kept", retain=True))
        e.search(request(ON, person=30, tcn="not", retain=True))
        e.search(request(KEEPS, person=30, tcn="unasked"))
        e.enrol(
            "immigration",
            [record("I-30", 30), record("I-31", 30, 2, banned_uses=frozenset({"retained"}))],
        )
        (later,) = e.cascade("immigration")
        assert names(later["immigration"]) == ["I-30"]
        assert later["criminal"].reason is Reason.NOT_REQUESTED
        assert later.tcn.startswith("kept/")
        e.publish(e.policy.deactivate(KEEPS, "immigration", authority="DHS", reason="r", at=NOW))
        e.enrol("immigration", [record("I-32", 30, 3)])
        before = len(e.notifications())
        (denied,) = e.cascade("immigration")
        assert denied["immigration"].candidates is None
        assert len(e.notifications()) == before
        said = next(iter(e.audit.records(kind="OUTCOME", tcn=denied.tcn)))
        assert said.partitions["immigration"]["reason"] == "ORI_DEACTIVATED"
        assert said.partitions["immigration"].get("stage2", 0) == 0


def test_l12_a_retained_probe_never_gains_by_a_later_policy():
    held = POLICY.replace(
        f'mode = "interoperable"\nwho = "{KEEPS}"', f'mode = "results_withheld"\nwho = "{KEEPS}"'
    )
    with engine(text=held) as e:
        e.search(request(KEEPS, person=30, retain=True))
        e.publish(Policy.parse(POLICY))
        e.enrol("immigration", [record("I-30", 30)])
        (later,) = e.cascade("immigration")
        assert later["immigration"].outcome is Outcome.SEARCHED_WITHHELD
        stopped = POLICY.replace("retain = true", "retain = false")
        e.publish(Policy.parse(stopped))
        (later,) = e.cascade("immigration")
        assert later["immigration"].candidates is None
        assert later["immigration"].outcome is not Outcome.SEARCHED_WITHHELD


def test_l13_the_order_of_enrolment_changes_no_byte():
    people = [record(f"C-{i}", i % 3, touch=0) for i in range(9)]
    answers = set()
    for seed in range(3):
        shuffled = random.Random(seed).sample(people, len(people))
        with engine({"criminal": shuffled}) as e:
            answers.add(told(e.search(request(OFF, person=1, max_candidates=4))))
    assert len(answers) == 1


def test_l14_there_is_no_way_around():
    rooms = Path(run.__file__).parent
    text = "\n".join(p.read_text() for p in rooms.glob("*.py")).lower()
    for word in ("bypass", "superuser", "is_admin", "skip_policy", "unrestricted", "force="):
        assert word not in text
    with engine() as e:
        for role in ("admin", "root", "DHS", "DOJ-FBI", "owner"):
            assert e.search(request(OFF, role=role))["immigration"].candidates is None


def test_l15_representations_logs_and_pickles_hold_no_template_and_nothing_withheld(caplog):
    caplog.set_level(logging.DEBUG)
    with engine() as e:
        response = e.search(request(HELD))
        shown = repr(e) + repr(response) + repr(request()) + repr(e.notifications()) + caplog.text
        raw = pickle.dumps(response)
        assert "I-1" not in shown.replace("TCN-", "")
        assert b"I-1" not in raw
        templates = [print_of(1, t) for t in (0, 1, 5)]
        for t in templates:
            for content in (t.xy.tobytes(), t.angle.tobytes(), t.to_bytes()):
                assert content[:24] not in raw
        assert str(templates[0].xy[0, 0]) not in shown
        with pytest.raises(InputError) as refused:
            e.search(dataclasses.replace(request(), fingers=[templates[0].xy]))
        assert str(templates[0].xy[0, 0]) not in str(refused.value)


def test_l16_masks_are_right_for_every_set_and_beyond_64():
    for n in range(7):
        every = tuple(f"p{i}" for i in range(n))
        for chosen in itertools.product((False, True), repeat=n):
            mask = Mask(sum(b << i for i, b in enumerate(chosen)), every)
            granted = {p for p, b in zip(every, chosen, strict=True) if b}
            assert set(mask.names()) == granted
            assert {p for p in every if p in mask} == granted
            assert "none" not in mask
    wide = Mask(1 << 70, tuple(f"p{i}" for i in range(80)))
    assert wide.names() == ("p70",)
    assert "p6" not in wide


def files_with(place: Path, pieces: list[bytes]) -> list[str]:
    return [
        p.name
        for p in sorted(place.rglob("*"))
        if p.is_file() and any(piece in p.read_bytes() for piece in pieces)
    ]


def pieces_of(template) -> list[bytes]:
    whole = template.to_bytes()
    parts = [whole[i : i + 16] for i in range(12, len(whole) - 16, 16)]
    from fpmatch.descriptor import encode

    form = encode(template)
    codes = [form.codes[i].tobytes() for i in range(len(form))]
    return parts + [c for c in codes if any(c)] + pieces_of_codes(form)


def test_l17_no_byte_of_an_expunged_template_is_left_in_any_file():
    place = folder()
    with Engine.create(place, clock=Clock()) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        e.publish(Policy.parse(POLICY))
        for i in range(0, 40, 8):
            e.enrol("criminal", [record(f"C-{j}", 100 + j) for j in range(i, i + 8)])
            e.search(request(person=100 + i))
    gone = [100 + j for j in range(0, 40, 3)]
    with Engine.open(place, "rw", clock=Clock()) as e:
        assert files_with(place, pieces_of(print_of(100))) != []
        for person in gone:
            e.expunge(f"C-{person - 100}", **ORDER)
            assert files_with(place, pieces_of(print_of(person))) == [], "while it is open"
        assert names(e.search(request(person=101))["criminal"]) == ["C-1"]
    for person in gone:
        assert files_with(place, pieces_of(print_of(person))) == []
    assert files_with(place, pieces_of(print_of(101))) != []
    shutil.rmtree(place)


def test_l17_an_identity_takes_its_waiting_probes_with_it():
    place = folder()
    with Engine.create(place, clock=Clock()) as e:
        e.add_partition("criminal", 1, "DOJ-FBI")
        e.add_partition("immigration", 9, "DHS")
        e.publish(Policy.parse(POLICY))
        e.enrol("criminal", [record("C-1", 1, identity="P-1")])
        mine = {"attributes": {"identity": "P-1"}}
        token = e.search(request(LATER, person=50, **mine))["immigration"].token
        e.search(request(KEEPS, person=51, retain=True, **mine))
        other = e.search(request(LATER, person=52))["immigration"].token
        assert files_with(place, pieces_of(print_of(50, 5))) != []
        receipt = e.expunge("P-1", level="identity", **ORDER)
        assert receipt.probes == 2
        for person in (50, 51):
            assert files_with(place, pieces_of(print_of(person, 5))) == []
        with pytest.raises(RefusedError):
            e.report_event(token, "CONVICTION")
        assert e.report_event(other, "CONVICTION")["immigration"].candidates == ()
    shutil.rmtree(place)


def test_l18_no_intent_no_comparison(monkeypatch):
    compared = []
    with engine() as e:
        monkeypatch.setattr(run, "run_comparisons", lambda *a: compared.append(a))
        monkeypatch.setattr(type(e.audit), "intent", _broken)
        with pytest.raises(AuditError):
            e.search(request())
        assert compared == []


def test_l18_no_outcome_no_answer_and_no_message(monkeypatch):
    with engine() as e:
        with monkeypatch.context() as patch:
            patch.setattr(type(e.audit), "outcome", _broken)
            with pytest.raises(AuditError):
                e.search(request(tcn="lost"))
        assert e.notifications() == []
        assert e._state.ledger.pending() == []
        assert [d.tcn for d in e.audit.verify().dangling] == ["lost"]


def test_l18_an_error_after_the_intent_is_logged_as_failed(monkeypatch):
    with engine() as e:
        with monkeypatch.context() as patch:
            patch.setattr(LocalPartition, "search", lambda *a, **k: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                e.search(request(OFF, tcn="failed"))
        said = next(iter(e.audit.records(kind="OUTCOME", tcn="failed")))
        assert said.fields["error"] == "ZeroDivisionError"
        assert said.partitions["criminal"]["outcome"] == "FAILED"
        assert said.partitions["immigration"]["outcome"] == "NOT_SEARCHED"
        assert e.audit.verify().dangling == ()
        assert json.dumps(dict(said.fields)).count("C-1") == 0


def _broken(*_args, **_more):
    raise AuditError("the disk is full")


def test_l17_an_expungement_meets_a_message_that_is_not_shown_yet(monkeypatch):
    from fpmatch.ledger import Ledger

    with engine() as e:
        release = Ledger.release

        def late(ledger, intent):
            e.expunge("I-1", **ORDER)
            release(ledger, intent)

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "release", late)
            e.search(request(HELD, partitions=["immigration"]))
        (message,) = e.notifications()
        assert b"I-1" not in e.envelope(message.id, "DHS")


# -- what proofs say is so -----------------------------------------------------------------------


def test_a_result_that_was_denied_at_release_is_not_said_to_be_withheld_from_the_start(at_step):
    with engine() as e:
        shown = f'mode = "interoperable"\nwho = "{ON}"'
        later = POLICY.replace(shown, f'mode = "results_withheld"\nwho = "{ON}"')
        at_step("search.compared", lambda: e.publish(Policy.parse(later).with_version(2)))
        e.search(request(ON, tcn="T"))
        e.search(request(HELD, tcn="U"))
        late = e.audit.prove_withheld("T", "immigration").sentence
        early = e.audit.prove_withheld("U", "immigration").sentence
    assert "granted at first, withheld from the submitter at release (RESULTS_WITHHELD)" in late
    assert "at release" not in early
    assert "withheld from the submitter (RESULTS_WITHHELD)" in early


def test_a_proof_says_that_a_search_waits_and_that_nobody_asked():
    with engine() as e:
        e.search(request(LATER, tcn="T"))
        e.search(request(ON, tcn="U", partitions=["criminal"]))
        waits = e.audit.prove_not_searched("T", "immigration").sentence
        asked = e.audit.prove_not_searched("U", "immigration").sentence
    assert "It waits for an event" in waits
    assert "It waits" not in asked
    assert "(NOT_REQUESTED)" in asked
    assert "default deny" not in asked
