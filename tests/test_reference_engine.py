"""The reference engine on cases that can be checked by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
from engine_helpers import HELD, LATER, OFF, ON, POLICY, Clock, print_of, record, request, world

from fpmatch.errors import InputError, RefusedError
from fpmatch.matcher import fuse as product_fuse
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.fusion import fuse
from fpmatch.types import FingerPosition, Outcome, Reason


@pytest.fixture
def engine():
    made = ReferenceEngine(Clock())
    made.add_partition("criminal", 1, "DOJ-FBI")
    made.add_partition("immigration", 9, "DHS")
    for name, records in world().items():
        made.enrol(name, records)
    made.publish(Policy.parse(POLICY))
    return made


def names(section):
    return [c.record for c in section.candidates if c.score >= 50]


def test_modes(engine):
    for ori, outcome in (
        (ON, Outcome.SEARCHED_DISCLOSED),
        (OFF, Outcome.NOT_SEARCHED),
        (HELD, Outcome.SEARCHED_WITHHELD),
        (LATER, Outcome.DEFERRED),
        ("ZZ0000000", Outcome.REFUSED),
    ):
        assert engine.search(request(ori))["immigration"].outcome is outcome
    assert names(engine.search(request())["immigration"]) == ["I-1"]


def test_without_policy_nothing():
    made = ReferenceEngine(Clock())
    made.add_partition("criminal", 1, "X")
    assert {s.reason for s in made.search(request())} == {Reason.NO_POLICY}


def test_seal_expunge_events(engine):
    engine.enrol("criminal", [record("C-1", 1, 1, event="second")])
    engine.expunge("criminal", "C-1", "second")
    assert names(engine.search(request())["criminal"]) == ["C-1"]
    engine.seal("criminal", "C-1")
    assert names(engine.search(request())["criminal"]) == []
    engine.seal("criminal", "C-1", False)
    engine.expunge("criminal", "C-1")
    assert names(engine.search(request())["criminal"]) == []
    with pytest.raises(RefusedError):
        engine.expunge("criminal", "C-1")


def test_an_updated_record_is_as_if_it_had_been_enrolled_so(engine):
    assert names(engine.search(request(ON))["criminal"]) == ["C-1"]
    engine.update("criminal", "C-1", fingers=[print_of(40)])
    assert names(engine.search(request(ON))["criminal"]) == []
    assert names(engine.search(request(ON, person=40))["criminal"]) == ["C-1"]
    engine.update("criminal", "C-1", banned_uses={"CAR"})
    assert names(engine.search(request(ON, person=40))["criminal"]) == []
    engine.update("criminal", "C-1", banned_uses=(), protected=True)
    assert names(engine.search(request(ON, person=40))["criminal"]) == []
    with pytest.raises(InputError, match="no event"):
        engine.update("criminal", "C-1", event="of another", fingers=[print_of(1)])
    with pytest.raises(RefusedError):
        engine.update("criminal", "nobody", protected=True)


def test_opaque_names_come_from_the_caller():
    text = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')
    made = ReferenceEngine(Clock(), lambda *parts: "/".join(parts))
    made.add_partition("immigration", 9, "DHS")
    made.enrol("immigration", world()["immigration"])
    made.publish(Policy.parse(text))
    assert made.search(request())["immigration"].candidates[0].record == f"{ON}/immigration/I-1"
    assert made.search(request(OFF))["immigration"].reason is Reason.NOT_DISCLOSED


def test_unknown_positions_meet_every_finger(engine):
    unknown = dataclasses.replace(print_of(1, 5), position=FingerPosition.UNKNOWN)
    assert names(engine.search(request(fingers=[unknown]))["criminal"]) == ["C-1"]
    thumb = dataclasses.replace(print_of(1, 5), position=FingerPosition.LEFT_THUMB)
    assert engine.search(request(fingers=[thumb]))["criminal"].candidates == ()


def test_fusion_by_hand():
    assert fuse([30.0], [1]) == 30.0
    assert fuse([30.0], [10]) == pytest.approx(20.0, abs=0.02)
    p = 1e-3 * 1e-2
    by_hand = -10 * math.log10(p * (1 - math.log(p)))
    assert fuse([30.0, 20.0], [1, 1]) == pytest.approx(by_hand, abs=0.006)
    assert fuse([0.0], [1]) == fuse([0.0, 0.0], [3, 1]) == 0.0


@pytest.mark.parametrize("values", [[12.34], [50.0, 0.0], [7.5, 33.3, 120.4], [0.01] * 10])
@pytest.mark.parametrize("tries", [1, 2, 17])
def test_fusion_equals_the_products(values, tries):
    assert fuse(values, [tries] * len(values)) == product_fuse(values, [tries] * len(values))


def test_a_matcher_of_ones_own_takes_the_place_of_the_reference():
    asked = []

    def by_width(probe, candidate):
        asked.append((probe, candidate))
        return float(len(probe) + len(candidate))

    made = ReferenceEngine(Clock(), matcher=by_width)
    made.add_partition("criminal", 1, "DOJ-FBI")
    made.enrol("criminal", iter(world()["criminal"]))
    made.publish(Policy.parse(POLICY))
    section = made.search(request())["criminal"]
    assert {c.score for c in section.candidates} == {32.0}
    assert [c.record for c in section.candidates] == ["C-1", "C-2", "C-3", "C-4"]
    assert [b for _, b in asked] == [print_of(i) for i in (1, 2, 3, 4)]
    for wrong in (float("nan"), -1.0, "9", None, True, float("inf")):
        made.matcher = lambda a, b, wrong=wrong: wrong
        with pytest.raises(InputError, match="a matcher's score"):
            made.search(request())


def test_what_it_cannot_use_is_an_error_of_ours(engine):
    for act in (
        lambda: ReferenceEngine("now"),
        lambda: ReferenceEngine(matcher=3),
        lambda: engine.search("x"),
        lambda: engine.search(request(threshold="x")),
        lambda: engine.search(request(fingers=[])),
        lambda: engine.enrol("nowhere", [record("C-1", 1)]),
        lambda: engine.enrol("criminal", "C-1"),
        lambda: engine.enrol("criminal", [1]),
        lambda: engine.add_partition("x", "1", "o"),
        lambda: engine.publish("policy"),
        lambda: engine.seal("criminal", "nobody"),
        lambda: engine.expunge("nowhere", "C-1"),
    ):
        with pytest.raises((InputError, RefusedError)):
            act()


@pytest.mark.parametrize(("number", "owner"), [(9, "X"), (7, "DHS"), (9, "DHS")])
def test_rules_for_another_owners_partition_grant_nothing(number, owner):
    made = ReferenceEngine(Clock())
    made.add_partition("criminal", 1, "DOJ-FBI")
    made.add_partition("immigration", number, owner)
    for name, records in world().items():
        made.enrol(name, records)
    made.publish(Policy.parse(POLICY))
    right = (number, owner) == (9, "DHS")
    for ori, reason in ((ON, Reason.GRANTED), (LATER, Reason.AWAITING_EVENT)):
        section = made.search(request(ori))["immigration"]
        assert section.reason is (reason if right else Reason.PARTITION_MISMATCH)
    assert made.search(request(OFF))["immigration"].reason is Reason.ORI_DEACTIVATED
    assert names(made.search(request())["criminal"]) == ["C-1"]


def test_a_deferred_search_is_taken_up_when_the_case_is_decided(engine):
    token = engine.search(request(LATER, disposition="pending"))["immigration"].token
    other = engine.search(request(LATER, person=2))["immigration"].token
    assert len({token, other, ""}) == 3
    with pytest.raises(InputError):
        engine.report_event(token, "RELEASED")
    answer = engine.report_event(token, "CONVICTION")
    assert names(answer["immigration"]) == ["I-1"]
    assert answer["criminal"].reason is Reason.NOT_REQUESTED
    for gone in (token, "D9"):
        with pytest.raises(RefusedError):
            engine.report_event(gone, "CONVICTION")
    answer = engine.report_event(other, "ACQUITTAL", everywhere=True)
    assert answer["immigration"].outcome is Outcome.DEFERRED_CANCELLED
    assert names(answer["criminal"]) == ["C-2"]


OPAQUE = POLICY.replace('protected_roles = ["advocate"]', 'status_visibility = "opaque"')


def under(mode: str) -> str:
    """The policy with another mode for the agency that is on."""
    ordinary = f'mode = "interoperable"\nwho = "{ON}"'
    return POLICY.replace(ordinary, ordinary.replace("interoperable", mode))


class Meanwhile:
    """A reference engine in which something happens in the middle of a search."""

    def __init__(self) -> None:
        self.acts: list = []
        self.engine = ReferenceEngine(Clock(), matcher=self.compared)
        self.engine.add_partition("criminal", 1, "DOJ-FBI")
        self.engine.add_partition("immigration", 9, "DHS")
        for name, records in world().items():
            self.engine.enrol(name, records)
        self.engine.publish(Policy.parse(POLICY))

    def compared(self, probe, candidate):
        while self.acts:
            self.acts.pop()()
        return 60.0

    def section(self, act):
        self.acts.append(act)
        return self.engine.search(request())["immigration"]


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        (POLICY, Outcome.SEARCHED_DISCLOSED, Reason.GRANTED),
        (under("results_withheld"), Outcome.SEARCHED_WITHHELD, Reason.RESULTS_WITHHELD),
        (under("ori_deactivated"), Outcome.SEARCHED_WITHHELD, Reason.RELEASE_DENIED),
        (OPAQUE, Outcome.SEARCHED_DISCLOSED, Reason.GRANTED),
    ],
)
def test_what_changes_during_a_search_counts_when_it_is_released(text, outcome, reason):
    made = Meanwhile()
    section = made.section(lambda: made.engine.publish(Policy.parse(text)))
    assert (section.outcome, section.reason) == (outcome, reason)
    assert all(c.record.startswith("H") == (text is OPAQUE) for c in section.candidates or ())


def test_a_record_sealed_during_a_search_is_not_released():
    made = Meanwhile()
    assert names(made.section(lambda: None)) == ["I-1", "I-2", "I-7", "I-8"]
    sealed = made.section(lambda: made.engine.seal("immigration", "I-1"))
    assert names(sealed) == ["I-2", "I-7", "I-8"]
