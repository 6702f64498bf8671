"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
OF_THE_SITE = {"index.md", "changes.md", "contributing.md", "pictures.md"}
"""Pages that only frame the others where they are built into a site."""


def test_the_example_runs_and_prints_what_its_comments_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    score, candidates, outcome, reason, *explanation, verified = (
        capsys.readouterr().out.splitlines()
    )
    assert float(score) > 40
    assert "record='C-17'" in candidates
    assert outcome == "NOT_SEARCHED"
    assert reason == "ORI_DEACTIVATED"
    assert "CS0010200" in " ".join(explanation)
    assert verified == "True"


def test_every_document_it_names_exists() -> None:
    for path in re.findall(r"`((?:docs/)?[\w/-]+\.md)`", README):
        assert (ROOT / path).is_file(), path


def test_every_make_target_it_names_exists() -> None:
    targets = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", targets, re.MULTILINE), target


def test_every_page_is_in_the_readme():
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - OF_THE_SITE
    assert pages - set(re.findall(r"`docs/([\w.-]+)`", README)) == set()


def test_every_room_is_in_the_map():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`) \|", text.split("## The map of rooms")[1], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    rooms = {path.stem for path in (ROOT / "fpmatch").iterdir() if not path.name.startswith("_")}
    assert named == rooms - {"py"}
