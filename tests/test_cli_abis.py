"""`fpmatch abis`: what the library answers, from a file to a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from abis_cases import gallery, image, message, minutiae, person, pictures
from engine_helpers import OFF, ON, POLICY, Clock, record
from test_cli_transaction import Run

import fpmatch as fp
from fpmatch.policy import Policy

WORDS = ("--gallery", "county.fpm", "--partition", "criminal", "--ori", ON, "--json", "-")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a gallery, messages and the files that they name."""
    with fp.Engine.create(tmp_path / "county.fpm", clock=Clock(), durability="off") as made:
        made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        made.add_partition("immigration", 9, "DHS", expected_fingers=100)
        made.enrol("criminal", [record("C-1", 1)])
        made.enrol("immigration", [record("I-1", 1, 4)])
        made.publish(Policy.parse(POLICY))
    where = {"referenceId": "X-1", "referenceURL": "u"}
    (tmp_path / "insert.json").write_bytes(message("insert", **where))
    (tmp_path / "identify.json").write_bytes(message("identify", referenceId="X-1"))
    within = {"referenceId": "X-1", "gallery": gallery("C-1")}
    (tmp_path / "within.json").write_bytes(message("identify", **within))
    (tmp_path / "delete.json").write_bytes(message("delete", referenceId="X-1"))
    (tmp_path / "bir.xml").write_bytes(minutiae(person(1, 9)))
    (tmp_path / "picture.xml").write_bytes(pictures(image("1_1.png")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_round(fpm: Run, here: Path) -> None:
    code, shown, _ = fpm("abis", "insert.json", *WORDS, "--biometrics", "bir.xml")
    assert (code, json.loads(shown)["returnValue"]) == (0, "1")
    code, shown, _ = fpm("abis", "identify.json", *WORDS, "--out", "answer.json")
    answer = json.loads(shown)
    assert code == 0
    assert json.loads((here / "answer.json").read_bytes()) == answer
    listed = [c["referenceId"] for c in answer["candidateList"]["candidates"]]
    assert sorted(listed) == ["C-1", "I-1"]
    code, shown, _ = fpm("abis", "within.json", *WORDS)
    assert json.loads(shown)["candidateList"]["count"] == "1"
    code, shown, _ = fpm("abis", "delete.json", *WORDS)
    assert (code, json.loads(shown)["failureReason"]) == (1, "2")
    code, shown, _ = fpm("abis", "delete.json", *WORDS, "--authority", "Registrar")
    assert code == 0
    code, shown, _ = fpm("abis", "identify.json", *WORDS)
    assert (code, json.loads(shown)["failureReason"]) == (1, "12")


def test_a_table_is_shown(fpm: Run, here: Path) -> None:
    assert fpm("abis", "insert.json", *WORDS, "--biometrics", "bir.xml")[0] == 0
    code, shown, _ = fpm("abis", "identify.json", *WORDS[:-2])
    assert code == 0
    assert "C-1" in shown
    assert "mosip.abis.identify" in shown


def test_without_the_file_nothing_is_inserted(fpm: Run, here: Path) -> None:
    code, shown, _ = fpm("abis", "insert.json", *WORDS)
    assert (code, json.loads(shown)["failureReason"]) == (1, "7")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.json", *WORDS), "cannot read none.json"),
        (("insert.json", *WORDS, "--biometrics", "none.xml"), "cannot read none.xml"),
        (("insert.json", *WORDS[:4], "--ori", "jail"), "no ORI"),
        (("insert.json", *WORDS[:2], "--partition", "none", "--ori", OFF), "none"),
        (("insert.json", *WORDS, "--least-quality", "200"), "least_quality"),
    ],
)
def test_bad_words(fpm: Run, here: Path, words: tuple[str, ...], said: str) -> None:
    code, _, err = fpm("abis", *words)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_cbeff_files_are_converted(fpm: Run, here: Path) -> None:
    code, _, err = fpm("convert", "bir.xml", "finger.fpt")
    assert (code, err) == (0, "")
    assert fp.Template.from_bytes((here / "finger.fpt").read_bytes()).position == 2
    assert fpm("convert", "picture.xml", "picture.fir", "--to", "fir2005")[0] == 0
    code, shown, _ = fpm("convert", "picture.fir", "again.xml", "--to", "cbeff", "--json", "-")
    assert (code, json.loads(shown)["impressions"]) == (0, 1)
    assert fp.formats.recognise(here / "again.xml") == "cbeff"
    code, _, err = fpm("convert", "picture.xml", "picture.fpt")
    assert (code, "no minutiae" in err) == (2, True)
