"""The reference engine on cases that can be checked by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
from engine_helpers import HELD, LATER, OFF, ON, POLICY, Clock, print_of, record, request, world

from fpmatch.errors import RefusedError
from fpmatch.matcher import fuse as product_fuse
from fpmatch.policy import Policy
from fpmatch.reference import ReferenceEngine
from fpmatch.reference.engine import fuse
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
