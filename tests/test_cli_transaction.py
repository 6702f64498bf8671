"""`fpmatch transaction --out`: what the library answers, as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_ebts_answers import fields
from test_transact import file, policy, world

import fpmatch as fp
from fpmatch.cli.people import read_people
from fpmatch.errors import InputError
from fpmatch.types import Candidate

PEOPLE = 'partition,record,ucn,name\ncriminal,C-17,A17,"ROE,RICHARD"\ntown,C-17,T17,"ROE,R"\n'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a gallery, a list of people and submissions."""
    world(tmp_path / "county.fpm", policy("results_withheld")).close()
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "tpis.an2").write_bytes(file("TPIS"))
    (tmp_path / "bad.an2").write_bytes(file(second={73: None}))
    (tmp_path / "cut.an2").write_bytes(file()[:-5])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_answers_are_written(fpm: Run, here: Path) -> None:
    words = ["transaction", "tpis.an2", "--gallery", "county.fpm", "--out", "out/sub"]
    code, shown, _ = fpm(*words, "--people", "people.csv", "--json", "-")
    assert code == 0
    report = json.loads(shown)
    assert [row["kind"] for row in report["answers"]] == ["SRT", "SRT"]
    assert {row["partition"] for row in report["answers"]} == {"criminal", "town"}
    assert {row["to"] for row in report["answers"]} == {"CASIR0000"}
    assert report["error"] is None
    outcomes = {s["partition"]: s["outcome"] for s in report["response"]["partitions"]}
    assert outcomes["immigration"] == "SEARCHED_WITHHELD"
    files = sorted((here / "out" / "sub").iterdir())
    assert sorted(row["file"] for row in report["answers"]) == [
        str(path.relative_to(here)) for path in files
    ]
    for row in report["answers"]:
        data = (here / row["file"]).read_bytes()
        expected = b"A17\x1fROE,RICHARD" if row["partition"] == "criminal" else b"T17\x1fROE,R"
        assert fields(_answer(data))[1][64] == expected
        assert row["unnamed"] == [] or row["unnamed"] == ["C-18"]
    code, shown, _ = fpm(*words, "--people", "people.csv")
    assert code == 1
    assert "ERRT" in shown
    assert "not searched" in shown


def _answer(data: bytes) -> SimpleNamespace:
    return SimpleNamespace(data=data)


@pytest.mark.parametrize(("name", "what"), [("bad.an2", b"2.073"), ("cut.an2", b"is cut")])
def test_a_refused_submission_is_answered_and_the_command_says_so(
    fpm: Run, here: Path, name: str, what: bytes
) -> None:
    code, shown, _ = fpm("transaction", name, "--gallery", "county.fpm", "--out", "out")
    assert code == 1
    assert "not searched" in shown
    (path,) = (here / "out").iterdir()
    assert path.name.startswith("ERRT-FPM-")
    assert what in fields(_answer(path.read_bytes()))[1][60]


def test_lights_and_sender(fpm: Run, here: Path) -> None:
    (here / "rapid.an2").write_bytes(file("RPIS", {98: "1"}))
    words = ["--red", "9000", "--yellow", "1", "--sender", "CASIR0000"]
    code, _, _ = fpm("transaction", "rapid.an2", "--gallery", "county.fpm", "--out", "out", *words)
    assert code == 0
    (path,) = (here / "out").iterdir()
    first, second = fields(_answer(path.read_bytes()))
    assert (second[59], first[8]) == (b"Y", b"CASIR0000")
    assert 14 not in second, "without --people nobody is named"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["tpis.an2", "--out", "out"], "say who candidates are"),
        (["tpis.an2", "--people", "people.csv"], "--out"),
        (["tpis.an2", "--out", "out", "--people", "none.csv"], "cannot read none.csv"),
        (["none.an2", "--out", "out"], "cannot read none.an2"),
        (["tpis.an2", "--out", "tpis.an2", "--people", "people.csv"], "cannot write"),
        (["people.csv", "--out", "out"], "no known format"),
        (["tpis.an2", "--out", "out", "--red", "1", "--yellow", "2"], "yellow"),
        (["tpis.an2", "--out", "out", "--sender", "me"], "ORI"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_search(
    fpm: Run, here: Path, words: list[str], what: str
) -> None:
    code, _, said = fpm("transaction", *words, "--gallery", "county.fpm")
    assert code == 2
    assert what in said
    assert len(said.splitlines()) == 1
    with fp.Engine.open(here / "county.fpm") as engine:
        assert not list(engine.audit.records(kind="INTENT"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the first line must be"),
        ("record,ucn,name\n", "the first line must be"),
        ("partition,record,ucn,name,more\n", "the first line must be"),
        (PEOPLE + 'town,C-17,T18,"ROE,R"\n', "line 4: the record is listed twice"),
        (PEOPLE + "town,C-18,T18\n", "line 4: a line has 4 values"),
        (PEOPLE + "town,C-18,T18,ROE,R\n", "line 4: a line has 4 values"),
        (PEOPLE + "town,C-18,t-18,ROE\n", "line 4: ucn must be"),
        (PEOPLE + "town,C-18,T18,R2\n", "line 4: a name must be"),
        (PEOPLE + 'town,C-18,T18,"ROE\n', "no CSV file"),
    ],
)
def test_a_list_of_people_is_checked(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        read_people(path)


def test_a_list_of_people_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"\xef\xbb\xbf" + PEOPLE.replace("\n", "\r\n").encode())
    who = read_people(path)
    assert who("criminal", Candidate("C-17", 1.0, 0.1)).name == "ROE,RICHARD"
    assert who("criminal", Candidate("C-18", 1.0, 0.1)) is None
    assert who("immigration", Candidate("C-17", 1.0, 0.1)) is None
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_people(path)
