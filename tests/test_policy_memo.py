"""An answer that is remembered is the answer that the procedure would give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fpmatch.policy import Policy, memo
from fpmatch.policy.decide import decide
from fpmatch.types import Facts, Ori

SITE = Ori("CA0380100")
AT = datetime(2011, 1, 1, tzinfo=UTC)
TEXT = """
transactions = ["CAR"]
[attributes]
citizen = ["yes", "no"]
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
requires_activation = false
searches_protected = true
[[agency]]
ori = "CA0380100"
to = 2013-01-01
[[rule]]
id = "open"
effect = "permit"
who = "*"
partitions = "immigration"
author = "DHS"
to = 2012-01-01
"""
WAITS = """
[[rule]]
id = "wait"
effect = "forbid"
who = "CA0380100"
partitions = "immigration"
author = "CA0380100"
unless = { disposition = ["convicted"] }
defer = { event = "CONVICTION", days = 5 }
"""


def facts(**more: object) -> Facts:
    return Facts((SITE,), "CAR", **more)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Facts]:
    """Every run of the decision procedure from here on."""
    runs: list[Facts] = []

    def one(registry, asked, at, digest):
        runs.append(asked)
        return decide(registry, asked, at, digest)

    monkeypatch.setattr(memo, "decide", one)
    return runs


def test_the_same_facts_are_decided_once_between_two_dates(monkeypatch) -> None:
    runs = counted(monkeypatch)
    policy = Policy.parse(TEXT)
    ends = datetime(2012, 1, 1, tzinfo=UTC)
    for at in (AT, AT + timedelta(days=9), ends - timedelta(microseconds=1)):
        decision = policy.decide(facts(), at)
        assert decision.at == at
        assert decision["immigration"].probe
    assert len(runs) == 1
    assert not policy.decide(facts(), ends)["immigration"].probe
    assert policy.decide(facts(), AT)["immigration"].probe
    assert len(runs) == 2


@pytest.mark.parametrize(("first", "second"), [(True, 1), (False, 0), (1, True), (0, False)])
def test_a_flag_is_not_taken_for_a_number(first: object, second: object) -> None:
    policy = Policy.parse(TEXT)
    for flag in (first, second):
        granted = policy.decide(facts(protected=flag), AT)["immigration"].probe
        assert granted == isinstance(flag, bool)


def test_what_waits_for_an_event_has_its_own_last_day() -> None:
    policy = Policy.parse(TEXT + WAITS)
    for at in (AT, AT + timedelta(days=1)):
        assert policy.decide(facts(), at)["immigration"].defer_expires == at + timedelta(days=5)


@pytest.mark.parametrize(
    "asked",
    [
        facts(charge="x" * 65),
        facts(purpose=["C"]),
        facts(attributes={"citizen": ["no"]}),
        facts(requested=("immigration", "nowhere")),
        Facts((SITE, Ori("ZZ0000000")), "CAR"),
        Facts((SITE,), "nothing"),
    ],
)
def test_what_a_caller_makes_up_takes_no_room(monkeypatch, asked: Facts) -> None:
    runs = counted(monkeypatch)
    policy = Policy.parse(TEXT)
    assert policy.decide(asked, AT) == policy.decide(asked, AT)
    assert len(runs) == 2


def test_attributes_that_the_policy_does_not_declare_do_not_count(monkeypatch) -> None:
    runs = counted(monkeypatch)
    policy = Policy.parse(TEXT)
    for i in range(3):
        policy.decide(facts(attributes={"identity": str(i)}), AT)
    assert len(runs) == 1
    policy.decide(facts(attributes={"citizen": "no"}), AT)
    assert len(runs) == 2


def test_the_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(memo, "_ENTRIES", 3)
    runs = counted(monkeypatch)
    policy = Policy.parse(TEXT)
    for _ in range(2):
        for charge in "abcd":
            policy.decide(facts(charge=charge), AT)
    assert 4 < len(runs) <= 8
    assert len(policy._memo._kept) <= 3
