"""L19: a candidate's paired minutiae are part of a record's template: for named roles alone."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import pytest
from engine_helpers import (
    HELD,
    KEEPS,
    LATER,
    OFF,
    ON,
    POLICY,
    again,
    engine,
    print_of,
    record,
    request,
    told,
    world,
)

import fpmatch as fp
from fpmatch.parameters import SEARCH
from fpmatch.policy import Policy
from fpmatch.search import crash_points
from fpmatch.types import FingerPosition, Outcome, RecordsRequest

ROLES = 'protected_roles = ["advocate"]'
SHOWS = POLICY.replace(ROLES, f'{ROLES}\nminutiae_roles = ["officer"]')
OPAQUE = SHOWS.replace(ROLES, 'status_visibility = "opaque"')
ORDER = {"order": "o", "authority": "CA"}
WHERE = "immigration"


def asked(ori=ON, role="officer", **more):
    return request(ori, role=role, minutiae=True, **more)


def pairings(section):
    return [f.pairing for c in section.candidates for f in c.fingers]


@pytest.fixture
def at_step():
    def install(step, act):
        def hook(name):
            if name == step:
                crash_points.hook = None
                act()

        crash_points.hook = hook

    yield install
    crash_points.hook = None


def test_a_named_role_is_shown_what_the_score_rests_on():
    people = {WHERE: [fp.Record("I-1", [print_of(9), print_of(1, 1), print_of(1, 2)])]}
    with engine(people, SHOWS) as e:
        (found,) = e.search(asked(fingers=[print_of(5), print_of(1, 5)]))[WHERE].candidates
        (finger,) = found.fingers
        rests = finger.pairing
        sides = print_of(1, 5), (print_of(9), print_of(1, 1), print_of(1, 2))[rests.impression]
        by_hand = fp.compare(*sides)
        assert rests.finger == 1
        assert by_hand.value == finger.score
        assert [(a.index, b.index) for a, b in rests.pairs] == [tuple(p) for p in by_hand.pairs]
        for pair in rests.pairs:
            for minutia, template in zip(pair, sides, strict=True):
                assert [minutia.x * 8, minutia.y * 8] == template.xy[minutia.index].tolist()
                turn = int(template.angle[minutia.index]) * 360 / 65536
                assert minutia.angle == pytest.approx(turn, abs=0.006)
        owner = RecordsRequest(owner="DHS")
        assert e.record(WHERE, "I-1", owner).positions[rests.impression] == rests.position
        asked_for, outcome = (
            next(iter(e.audit.records(kind=kind))) for kind in ("INTENT", "OUTCOME")
        )
        assert asked_for.fields["minutiae"] is True
        assert outcome.partitions[WHERE]["paired"] == 1


@pytest.mark.parametrize("rotation", ["upright", "any"])
@pytest.mark.parametrize("positions", ["labelled", "any"])
def test_every_score_that_is_listed_is_explained(rotation, positions):
    left = FingerPosition.LEFT_INDEX
    people = {
        WHERE: [
            fp.Record(f"I-{i}", [print_of(i, 1), print_of(i, 1, left), print_of(i + 5, 2)])
            for i in range(4)
        ]
    }
    with engine(people, SHOWS) as e:
        response = e.search(
            asked(
                fingers=[print_of(1, 5), print_of(1, 5, left), print_of(2, 6)],
                rotation=rotation,
                positions=positions,
                threshold=0.0,
            )
        )
        assert len(pairings(response[WHERE])) >= 8
        assert None not in pairings(response[WHERE])


@pytest.mark.parametrize("role", ["", "advocate", "Officer"])
def test_no_other_role_is_shown_a_byte_more(role):
    with engine(text=SHOWS) as e:
        plain = again(request(ON, role=role))
        assert told(e.search(asked(role=role))) == told(e.search(plain))
        assert {r.partitions[WHERE]["paired"] for r in e.audit.records(kind="OUTCOME")} == {0}


def test_no_partition_shows_them_that_does_not_name_the_role():
    with engine(text=SHOWS) as e:
        response = e.search(asked())
        assert any(pairings(response[WHERE]))
        assert not any(pairings(response["criminal"]))
    with engine(text=POLICY) as e:
        assert not any(pairings(e.search(asked())[WHERE]))


def test_nobody_is_shown_them_unasked():
    with engine(text=SHOWS) as e:
        assert not any(pairings(e.search(request(ON, role="officer"))[WHERE]))


@pytest.mark.parametrize("text", [SHOWS, OPAQUE])
@pytest.mark.parametrize("ori", [OFF, HELD, LATER])
def test_a_section_that_is_not_disclosed_is_the_same_with_and_without(text, ori):
    hit, miss = world(), world()
    miss[WHERE] = []
    seen = set()
    for people in (hit, miss):
        with engine(people, text) as e:
            for one in (asked(ori), request(ori, role="officer")):
                section = e.search(one)[WHERE]
                assert section.candidates is None
                seen.add(dataclasses.replace(section, token=""))
            assert {r.partitions[WHERE]["paired"] for r in e.audit.records(kind="OUTCOME")} == {0}
    assert len(seen) == 1


@pytest.mark.parametrize("text", [SHOWS, OPAQUE])
def test_a_copy_brings_none(text):
    with engine(text=text) as e:
        first = e.search(asked(copies_to=[KEEPS], tcn="T"))
        assert any(pairings(first[WHERE]))
        copy = e.copy("T", KEEPS)
        assert len(copy[WHERE].candidates) == len(first[WHERE].candidates)
        assert not any(pairings(copy[WHERE]))


def test_owner_and_log_get_the_same_bytes_with_and_without():
    seen = []
    for minutiae in (True, False):
        with engine(text=SHOWS) as e:
            e.search(request(ON, role="officer", minutiae=minutiae, tcn="T"))
            (message,) = [m for m in e.notifications() if m.partition == WHERE]
            (outcome,) = e.audit.records(kind="OUTCOME")
            digest = outcome.partitions[WHERE]["candidate_digest"]
            found = json.loads(e.envelope(message.id, "DHS"))
            assert b"pair" not in e.envelope(message.id, "DHS")
            seen.append([[c["record"] for c in found], len(digest)])
            text = json.dumps([dict(r.fields) for r in e.audit.records()])
            assert "190.75" not in text
            assert "pairs" not in text
    assert seen[0] == seen[1]


def test_a_role_that_is_taken_away_during_the_search_is_shown_none(at_step):
    with engine(text=SHOWS) as e:
        later = Policy.parse(SHOWS.replace('minutiae_roles = ["officer"]', ""))
        at_step("search.compared", lambda: e.publish(later))
        section = e.search(asked())[WHERE]
        assert section.outcome is Outcome.SEARCHED_DISCLOSED
        assert not any(pairings(section))


def test_a_role_that_is_named_during_the_search_is_shown_none(at_step):
    with engine(text=POLICY) as e:
        at_step("search.compared", lambda: e.publish(Policy.parse(SHOWS)))
        assert not any(pairings(e.search(asked())[WHERE]))


def test_what_was_removed_during_the_search_explains_nothing(at_step):
    people = {
        WHERE: [record("I-1", 1, 1, event="first"), record("I-1", 1, 5, event="second")],
    }
    with engine(people, SHOWS) as e:
        gone = {"level": "event", "event": "second", "partition": WHERE, **ORDER}
        at_step("search.compared", lambda: e.expunge("I-1", **gone))
        (found,) = e.search(asked())[WHERE].candidates
        assert found.fingers[0].pairing is None
        (found,) = e.search(asked())[WHERE].candidates
        assert found.fingers[0].pairing.impression == 0


def test_opaque_ids_stay_the_only_names():
    with engine(text=OPAQUE) as e:
        response = e.search(asked())
        assert any(pairings(response[WHERE]))
        assert b"I-1" not in response.to_bytes()


def test_a_verification_shows_them_by_the_same_rule():
    with engine(text=SHOWS) as e:
        for role, shown in (("officer", True), ("", False)):
            found = e.verify(asked(role=role), "I-1", partition=WHERE)
            assert (found.fingers[0].pairing is not None) is shown
            assert ("pairing" in found.to_dict()["fingers"][0]) is shown


def test_a_probe_that_is_a_stored_record_shows_none():
    from fpmatch.gallery import facts
    from fpmatch.search.identification import identify
    from fpmatch.search.running import StoredProbe

    with engine({WHERE: [record("I-1", 1, 1), record("I-2", 1, 2)]}, SHOWS) as e:
        key = facts.find(e._state.gallery, WHERE, "I-1")
        mine = asked(fingers=[print_of(1, 1)])
        found = identify(e._state, mine, apart=StoredProbe(WHERE, "I-1", key)).response[WHERE]
        assert [c.record for c in found.candidates] == ["I-2"]
        assert not any(pairings(found))
        assert any(pairings(identify(e._state, asked(fingers=[print_of(1, 1)])).response[WHERE]))


def test_long_lists_are_explained_from_the_top(monkeypatch):
    people = {WHERE: [record(f"I-{i}", i, 1) for i in range(6)]}
    with engine(people, SHOWS) as e:
        monkeypatch.setattr(
            "fpmatch.search.pairings.SEARCH", dataclasses.replace(SEARCH, paired_candidates=2)
        )
        response = e.search(asked(threshold=0.0))
        assert [p is not None for p in pairings(response[WHERE])] == [True] * 2 + [False] * 4


def test_the_deadline_bounds_the_second_comparison(monkeypatch):
    with engine(text=SHOWS) as e:
        late = asked(deadline_ms=60_000.0)
        monkeypatch.setattr(
            "fpmatch.search.pairings.time", SimpleNamespace(monotonic=lambda: math.inf)
        )
        assert not any(pairings(e.search(late)[WHERE]))
