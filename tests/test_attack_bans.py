"""What narrows access and is misspelt or of the wrong type is refused, never ignored."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from engine_helpers import HELD, ON, POLICY, again, engine, print_of, record, request

from fpmatch import checks
from fpmatch.errors import InputError, PolicyFileError
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.types import Outcome, Record

NO_BANS = [
    "CAR", "", b"CAR", {"car"}, {"Car"}, {"TRANSACTION:CAR"}, {"CAR "}, {" CAR"}, {"CAR", "cna"},
    {"purpose:f"}, {"purpose:"}, {"purpose"}, {"PURPOSE:F"}, {"role:"}, {"role: officer"},
    {"role:officer "}, {"Role:officer"}, {"Retained"}, {"retain"}, {""}, {"*"}, {None}, {1},
    {b"CAR"},
    {"CAR": True}, None, 5, object(), {"C\u0410R"}, {"CAR,CNA"}, {"CAR CNA"}, ["CAR", ["CNA"]],
    {"X" * 33}, {"CAR\x00"}, frozenset(f"T{i}" for i in range(65)),
]  # fmt: skip
BANS = [
    {"CAR"}, {"CNA", "purpose:F"}, {"role:officer"}, {"retained"}, ["CAR"], ("CAR",), set(),
    frozenset(),
]  # fmt: skip


@pytest.mark.parametrize("uses", NO_BANS)
def test_what_could_never_ban_anything_is_refused(uses):
    with engine({"criminal": []}) as e:
        report = e.enrol("criminal", [Record("C-1", [print_of(1)], banned_uses=uses)])
        assert report.accepted == 0
        assert "banned_uses" in report.errors[0].message
        assert e.search(request())["criminal"].candidates == ()


@pytest.fixture(scope="module")
def unruled(tmp_path_factory):
    with Engine.create(tmp_path_factory.mktemp("unruled") / "g", durability="off") as made:
        made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        yield made


@pytest.mark.parametrize("uses", NO_BANS)
def test_it_is_refused_before_there_is_a_policy_too(unruled, uses):
    report = unruled.enrol("criminal", [Record("C-1", [print_of(1)], banned_uses=uses)])
    assert report.accepted == 0
    assert "banned_uses" in report.errors[0].message


@pytest.mark.parametrize("uses", BANS)
def test_bans_in_every_form_that_is_taken_hold(uses):
    with engine({"criminal": []}) as e:
        assert e.enrol("criminal", [Record("C-1", [print_of(1)], banned_uses=uses)]).ok
        asked = {"transaction": "CNA"} if "CNA" in uses else {}
        found = e.search(request(**asked))["criminal"].candidates
        assert (found == ()) == bool({"CAR", "CNA"} & set(uses))


@pytest.mark.parametrize("uses", [{"CRA"}, {"purpose:Z"}, {"role:oficer"}, {"role:Officer"}])
def test_a_ban_of_a_use_that_the_policy_does_not_know_is_refused(uses):
    with engine({"criminal": []}) as e:
        report = e.enrol("criminal", [Record("C-1", [print_of(1)], banned_uses=uses)])
        assert "knows no" in report.errors[0].message


@pytest.mark.parametrize("protected", ["no", "yes", "", 0, 1, None, [], "False", np.int8(0)])
def test_a_protection_that_is_no_truth_value_is_refused(protected):
    with engine({"immigration": []}) as e:
        report = e.enrol("immigration", [Record("I-1", [print_of(1)], protected=protected)])
        assert "protected" in report.errors[0].message


def test_a_protection_of_numpys_kind_holds():
    with engine({"immigration": []}) as e:
        people = [Record("I-1", [print_of(1)], protected=np.bool_(True))]
        assert e.enrol("immigration", people).ok
        assert e.search(request())["immigration"].candidates == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retain", "no"), ("retain", 0), ("retain", None), ("protected", "no"), ("protected", 1),
        ("protected", ""), ("partitions", "criminal"), ("partitions", b"criminal"),
        ("partitions", 1), ("partitions", {"criminal": 1}), ("partitions", ["1"]),
        ("partitions", [1.0]), ("partitions", [True]), ("partitions", [None]),
        ("partitions", ["a"] * 10_000), ("chain", "CASIR0000"), ("chain", None), ("chain", [1]),
        ("chain", ["CASIR0000"] * 100_000), ("copies_to", "CASIR0000"), ("copies_to", None),
        ("copies_to", [None]), ("attributes", None), ("attributes", [("a", "b")]),
        ("attributes", {"a": 1}), ("attributes", {1: "a"}), ("attributes", {"a": None}),
        ("attributes", {str(i): "x" for i in range(65)}), ("role", None), ("role", ["officer"]),
        ("role", "\ud800"), ("charge", 5), ("charge", b"felony"), ("disposition", True),
        ("purpose", None), ("transaction", None), ("transaction", ("CAR",)), ("tcn", None),
        ("tcn", 5), ("tcr", "\x00"), ("fingers", None), ("fingers", "x"), ("fingers", [None]),
        ("fingers", [print_of(1)] * 101), ("max_candidates", True), ("max_candidates", "5"),
        ("max_candidates", 1.5), ("max_candidates", 10**30), ("max_candidates", -1),
        ("threshold", float("nan")), ("threshold", "1"), ("threshold", True),
        ("threshold", 10**400), ("deadline_ms", float("inf")), ("deadline_ms", True),
        ("deadline_ms", "100"), ("deadline_ms", 0), ("effort", None), ("effort", ["scan"]),
        ("booking_ori", None), ("booking_ori", 5),
    ],

)  # fmt: skip
def test_a_request_with_a_wrong_value_is_refused_before_anything_is_logged(field, value):
    with engine() as e:
        before = e.audit.verify().last_seq
        with pytest.raises(InputError) as refused:
            e.search(dataclasses.replace(request(), **{field: value}))
        assert len(str(refused.value)) < 400
        assert " at 0x" not in str(refused.value)
        assert e.audit.verify().last_seq == before


def test_a_request_cannot_change_while_it_is_searched(monkeypatch):
    import fpmatch.search.run as run

    with engine() as e:
        asked = ["criminal"]
        copies: list[str] = []
        attributes: dict[str, str] = {}
        compare = run.run_comparisons

        def changes(*arguments: Any) -> None:
            asked.append("immigration")
            copies.append("CA0380102")
            attributes["citizen"] = "yes"
            compare(*arguments)

        monkeypatch.setattr(run, "run_comparisons", changes)
        answer = e.search(request(partitions=asked, copies_to=copies, attributes=attributes))
        assert answer["immigration"].outcome is Outcome.NOT_SEARCHED
        with pytest.raises(PermissionError):
            e.copy(answer.tcn, "CA0380102")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('transactions = ["CAR", "CNA"]', 'transactions = ["CAR", "cna"]'),
        ('transactions = ["CAR", "CNA"]', 'transactions = ["CAR", "purpose:F"]'),
        ('transactions = ["CAR", "CNA"]', 'transactions = ["CAR", "CNA "]'),
        ("version = 1", 'version = 1\npurposes = ["C", "f"]'),
        ('protected_roles = ["advocate"]', 'protected_roles = ["Advocate"]'),
        ('protected_roles = ["advocate"]', 'protectedroles = ["advocate"]'),
        ("retain = true", 'retain = "no"'),
        ("requires_activation = false", 'requires_activation = "false"'),
    ],
)
def test_a_policy_with_such_a_word_is_refused(old, new):
    assert POLICY.count(old) == 1
    with pytest.raises(PolicyFileError):
        Policy.parse(POLICY.replace(old, new))


# -- tables ------------------------------------------------------------------------------------


def table(**columns: Any):
    pa = pytest.importorskip("pyarrow")
    first = {"record": ["C-1"], "template": [print_of(1).to_bytes()]}
    return pa.table({**first, **columns})


@pytest.mark.parametrize(
    "columns",
    [
        {"banned_uses": ["CAR"]},
        {"banned_uses": [["car"]]},
        {"protected": ["no"]},
        {"protected": [1]},
    ],
)
def test_tables_with_such_values_are_refused(columns):
    with engine({"criminal": []}) as e:
        assert e.enrol("criminal", table(**columns)).errors


@pytest.mark.parametrize("name", ["protcted", "Protected ", "banned_use", "bannned_uses", "evnt"])
def test_a_column_that_looks_misspelt_is_refused(name):
    with engine({"criminal": []}) as e, pytest.raises(InputError, match="meant"):
        e.enrol("criminal", table(**{name: [True]}))


def test_columns_that_mean_nothing_to_us_are_passed_over():
    with engine({"criminal": []}) as e:
        assert e.enrol("criminal", table(warehouse=["north"])).ok


def test_bans_in_tables_hold():
    with engine({"criminal": []}) as e:
        assert e.enrol("criminal", table(banned_uses=[["CAR"]])).ok
        assert e.search(request())["criminal"].candidates == ()


def test_rows_of_one_record_that_differ_in_protection_are_refused():
    pa = pytest.importorskip("pyarrow")
    rows = {
        "record": ["C-1", "C-1"],
        "template": [print_of(1).to_bytes(), print_of(2).to_bytes()],
        "protected": [False, True],
    }
    with engine({"criminal": []}) as e:
        assert "protected" in e.enrol("criminal", pa.table(rows)).errors[0].message


# -- how values are shown ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, "\x1b[31m", "\ud800", b"\x00" * 1000, object(), 10**5000, [1] * 10**5, {1: 2},
     print_of(1), print_of, float("nan")],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_values_from_outside_are_shown_short_and_escaped(value):
    shown = checks.quoted(value)
    assert len(shown) < 120
    assert shown.isascii()
    assert shown.isprintable()
    assert "0x" not in shown


def test_submissions_are_compared_as_they_were_checked():
    with engine() as e:
        first = request(ON)
        assert (
            e.search(first)["criminal"].candidates == e.search(again(first))["criminal"].candidates
        )
        assert e.search(request(HELD))["immigration"].candidates is None
        assert record("C-1", 1).banned_uses == frozenset()
