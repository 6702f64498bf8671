"""The mock ABIS: plain values, failures on demand, and messages answered as the engine answers."""

from __future__ import annotations

import json

import pytest
from abis_cases import Abis, minutiae
from engine_helpers import ON, POLICY, engine

from fpmatch import testing
from fpmatch.errors import InputError
from fpmatch.formats import abis
from fpmatch.testing.abis_values import Call, Match

COUNTS = POLICY.replace('transactions = ["CAR", "CNA"]', 'transactions = ["CAR", "CNA", "COUNT"]')


@pytest.fixture
def mock():
    made = testing.MockAbis()
    for person in range(4):
        made.insert(f"P-{person}", [testing.print_of(person)])
    made.insert("twice", [testing.print_of(2, 3)])
    return made


def test_it_finds_who_was_inserted_and_nobody_else(mock):
    assert [m.reference for m in mock.identify("twice")] == ["P-2"]
    probe = [testing.print_of(2, 5)]
    found = mock.identify(probe)
    assert {m.reference for m in found} == {"P-2", "twice"}
    assert found == sorted(found, key=lambda m: -m.score)
    assert found[0] == Match(found[0].reference, testing.score(probe[0], testing.print_of(2)))
    assert mock.identify(probe, max_results=1) == found[:1]
    assert mock.identify(probe, gallery=["twice", "P-1", "nobody"]) == [
        m for m in found if m.reference == "twice"
    ]
    assert mock.identify([testing.print_of(77)]) == []
    assert len(mock.identify([testing.print_of(77)], threshold=0.0)) == 5


def test_what_was_deleted_is_gone(mock):
    assert mock.reference_count() == 5
    mock.delete("P-2")
    assert mock.identify("twice") == []
    assert mock.reference_count() == len(mock.references) == 4
    assert mock.pending_jobs() == 0
    mock.insert("P-2", [testing.print_of(9)])
    assert mock.identify("twice") == []


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda m: m.insert("P-1", [testing.print_of(1)]), "exists"),
        (lambda m: m.insert("P-9", []), "no data"),
        (lambda m: m.identify("P-9"), "not found"),
        (lambda m: m.identify(""), "not found"),
        (lambda m: m.identify([]), "no data"),
        (lambda m: m.delete("P-9"), "not found"),
    ],
)
def test_what_cannot_be_done_has_a_reason(mock, act, reason):
    with pytest.raises(testing.AbisError) as told:
        act(mock)
    assert told.value.reason == reason
    assert mock.calls[-1].failed == reason


def test_it_fails_when_it_is_told_to_and_keeps_account(mock):
    mock.calls.clear()
    mock.fail_next("out of order", times=2)
    for act in (lambda: mock.insert("P-9", [testing.print_of(9)]), mock.ping):
        with pytest.raises(testing.AbisError, match="out of order"):
            act()
    mock.ping()
    assert "P-9" not in mock.references
    assert mock.calls == [
        Call("insert", "P-9", "out of order"),
        Call("ping", "", "out of order"),
        Call("ping"),
    ]


def test_a_matcher_of_ones_own():
    made = testing.MockAbis(matcher=lambda a, b: 60.0 + len(b))
    made.insert("A", [testing.print_of(1)])
    assert made.identify([testing.print_of(2)]) == [Match("A", 88.0)]


@pytest.mark.parametrize(
    "act",
    [
        lambda m: m.insert(7, []),
        lambda m: m.insert("", []),
        lambda m: m.insert("A", testing.print_of(1)),
        lambda m: m.insert("A", ["print"]),
        lambda m: m.identify("P-1", gallery="P-2"),
        lambda m: m.identify("P-1", max_results=0),
        lambda m: m.identify("P-1", threshold="high"),
        lambda m: m.identify(7),
        lambda m: m.delete(None),
        lambda m: m.fail_next("", 1),
        lambda m: m.fail_next("x", 0),
        lambda m: testing.MockAbis(matcher=3),
        lambda m: testing.MockAbis(threshold="x"),
        lambda m: m.abis("{}", abis.Adapter(ON, "criminal"), fetch=bytes),
        lambda m: m.abis(b"{}", "adapter", fetch=bytes),
        lambda m: m.abis(b"{}", abis.Adapter(ON, "criminal"), fetch=None),
    ],
)
def test_what_cannot_be_used_is_an_error_of_ours(mock, act):
    with pytest.raises(InputError):
        act(mock)


def told(answer):
    return {k: v for k, v in answer.items() if k != "responsetime"}


def person(number, touch=0):
    return testing.print_of(number, touch, minutiae=32)


def test_messages_are_answered_as_an_engine_answers_them():
    with engine({"criminal": []}, COUNTS) as e:
        for options in ({}, {"target_fpir": 20.0}, {"threshold": 0.0, "max_results": 2}):
            both = [
                Abis(served, authority="Registrar", **options) for served in (e, testing.MockAbis())
            ]
            said = [list(conversation(one)) for one in both]
            assert [told(a) for a in said[0]] == [told(a) for a in said[1]]
            assert {a["returnValue"] for a in said[0]} == {"1", "2"}


def conversation(one):
    """Everything that may be asked, ending with nobody in the gallery."""
    yield one.ask("ping")
    for number in range(4):
        yield one.insert(f"P-{number}", person(number))
    yield one.insert("P-1", person(1))  # the same request, delivered twice
    yield one.ask("insert", referenceId="P-1", referenceURL="nowhere", requestId="R-2")
    yield one.insert("dup", person(2, 3))
    yield one.insert("empty", b"")
    yield one.insert("broken", b"<BIR")
    yield one.ask("insert", referenceId="x", referenceURL="nowhere")
    one.files["url"] = minutiae(person(3, 1))
    for more in (
        {"referenceId": "dup"},
        {"referenceId": "nobody"},
        {"referenceURL": "url"},
        {"referenceId": "dup", "flags": {"maxResults": "1", "targetFPIR": "30"}},
        {"referenceId": "dup", "flags": {"maxResults": "0"}},
        {"referenceId": "dup", "gallery": {"referenceIds": [{"referenceId": "P-1"}]}},
        {"referenceId": "dup", "gallery": {"referenceIds": [{"referenceId": "P-2"}]}},
        {"referenceId": "dup", "gallery": {"referenceIds": []}},
        {},
    ):
        yield one.ask("identify", **more)
    yield one.ask("referenceCount")
    yield one.ask("pendingJobs")
    yield one.ask("nothing")
    yield one.ask("ping", version="9")
    for reference in ("P-0", "P-0", "P-1", "P-2", "P-3", "dup"):
        yield one.ask("delete", referenceId=reference)


def test_messages_fail_when_it_is_told_to():
    one = Abis(testing.MockAbis())
    for text, code in (
        ("internal", "1"),
        ("not fetched", "7"),
        ("out of order", "1"),
        ("17", "17"),
    ):
        one.engine.fail_next(text)
        answer = one.ask("ping")
        assert (answer["returnValue"], answer["failureReason"]) == ("2", code)
    assert one.ask("ping")["returnValue"] == "1"
    assert one.reason("delete", referenceId="P-1") == "2"  # no authority is configured
    assert (
        json.loads(abis.handle(b"", one.engine, adapter=one.adapter, fetch=one.fetch))[
            "failureReason"
        ]
        == "4"
    )
