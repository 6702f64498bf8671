"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


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
    for path in re.findall(r"`((?:docs/)?[A-Za-z_]+\.md)`", README):
        assert (ROOT / path).is_file(), path


def test_every_make_target_it_names_exists() -> None:
    targets = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", targets, re.MULTILINE), target
