"""`fpmatch draw` and `fpmatch report` as a user meets them, bad input too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "fpmatch" / "cli" / "demo_policy.toml"


@pytest.fixture
def prints(synthetic_data) -> Path:
    return synthetic_data / "optical"


@pytest.fixture
def found(fpm, prints, tmp_path) -> Path:
    """A saved response with paired minutiae, beside its gallery."""
    gallery = tmp_path / "g.fpm"
    shown = DEMO.read_text().replace('["CAR"]', '["CAR"]\nroles = ["examiner"]')
    shown = shown.replace('name = "criminal"', 'name = "criminal"\nminutiae_roles = ["examiner"]')
    (tmp_path / "policy.toml").write_text(shown)
    partitions = ("--partition", "criminal:1:DOJ-FBI", "--partition", "immigration:9:DHS")
    assert fpm("init", gallery, *partitions)[0] == 0
    card = (prints / "7_1.png", prints / "7_2.png")
    enrol = ("enrol", gallery, "criminal", *card, "--record", "C=7#1", "--ppi", 500)
    assert fpm(*enrol)[0] == 0
    assert fpm("policy", "publish", gallery, tmp_path / "policy.toml")[0] == 0
    asks = ("--ori", "CS0010200", "--chain", "CSSIR0000", "--role", "examiner", "--ppi", 500)
    words = ("search", gallery, prints / "7_3.png", *asks, "--minutiae")
    assert fpm(*words, "--json", tmp_path / "found.json")[0] == 0
    return tmp_path / "found.json"


def test_a_print_and_two_are_drawn(fpm, prints, tmp_path):
    one, two = tmp_path / "one.png", tmp_path / "two.svg"
    code, out, _ = fpm("draw", prints / "7_1.png", "--ppi", 500, "--out", one, "--numbers")
    assert (code, one.read_bytes()[:4]) == (0, b"\x89PNG")
    assert str(one) in out
    pair = ("draw", prints / "7_1.png", prints / "7_2.png", "--ppi", 500, "--out", two, "--lines")
    code, out, _ = fpm(*pair, "--json", "-")
    assert code == 0
    told = json.loads(out)
    assert told["score"] > 50
    assert f"{len(told['pairs'])} paired" in two.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("7_1.png", "--out", "x.jpg"), "png or .svg"),
        (("7_1.png", "--out", "no/x.png"), "cannot write"),
        (("nowhere.png", "--out", "x.png"), "nowhere.png"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(fpm, prints, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7_1.png").write_bytes((prints / "7_1.png").read_bytes())
    code, _, err = fpm("draw", *words, "--ppi", 500)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_a_page_is_made_of_a_saved_response(fpm, prints, found):
    gallery, page = found.parent / "g.fpm", found.parent / "page.html"
    image = f"C=7#1#2={prints / '7_2.png'}"
    words = ("report", found, "--gallery", gallery, "--probe", prints / "7_3.png", "--ppi", 500)
    code, out, _ = fpm(*words, "--image", image, "--out", page, "--json", "-")
    assert code == 0
    assert json.loads(out)["candidates"] == 1
    text = page.read_text()
    assert "never identities" in text
    assert "Record C=7#1" in text
    assert "is the one that the log recorded" in text
    assert "was not searched" in text
    assert fpm("report", found, "--out", page)[0] == 0
    assert "without the gallery" in " ".join(page.read_text().split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image", "C-9=7_1.png"), "RECORD=FILE"),
        (("--image", "7_1.png"), "RECORD=FILE"),
        (("--image", "C=7#1=nowhere.png"), "nowhere.png"),
        (("--gallery", "nowhere.fpm"), "nowhere.fpm"),
        (("--ori", "CS0010100", "--gallery", "g.fpm"), "no search"),
        (("--out", "no/page.html"), "cannot write"),
    ],
)
def test_what_makes_no_page_is_one_line(fpm, found, monkeypatch, words, message):
    monkeypatch.chdir(found.parent)
    more = words if "--out" in words else (*words, "--out", "page.html")
    code, _, err = fpm("report", found, *more)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not (found.parent / "page.html").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tcn": 5}', "\x00", "null"])
def test_a_file_that_is_no_response_is_one_line(fpm, tmp_path, content):
    (tmp_path / "odd.json").write_text(content)
    code, _, err = fpm("report", tmp_path / "odd.json", "--out", tmp_path / "page.html")
    assert (code, err.count("\n")) == (2, 1)
    assert fpm("report", tmp_path / "none.json", "--out", tmp_path / "page.html")[0] == 2


def test_no_other_role_gets_minutiae_at_the_command_line(fpm, prints, found):
    gallery = found.parent / "g.fpm"
    asks = ("--ori", "CS0010200", "--chain", "CSSIR0000", "--minutiae", "--ppi", 500)
    code, out, _ = fpm("search", gallery, prints / "7_3.png", *asks, "--json", "-")
    assert code == 0
    assert "pairing" not in out
    assert "pairing" in found.read_text()
