"""Every example of docs/policy.md is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fpmatch.policy import MODES, Policy
from fpmatch.policy import document as doc
from fpmatch.policy.link import STRENGTH
from fpmatch.scenario import format as scenario
from fpmatch.types import Reason

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
TOML = [body for kind, body in BLOCKS if kind == "toml"]
FIRST = TOML[0]


@pytest.mark.parametrize("body", TOML, ids=range(len(TOML)))
def test_toml_examples(body: str, tmp_path: Path) -> None:
    if "[scenario]" in body:
        (tmp_path / "s.toml").write_text(body, encoding="utf-8")
        story = scenario.load(tmp_path / "s.toml")
        assert list(scenario.mismatches(story)) == []
    else:
        policy = Policy.parse(body if body is FIRST else FIRST + body)
        assert Policy.parse(policy.to_toml()) == policy


def test_python_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(FIRST, encoding="utf-8")
    names: dict[str, object] = {}
    for kind, body in BLOCKS:
        if kind == "python":
            exec(body, names)
    shown = capsys.readouterr().out
    expected = next(body for kind, body in BLOCKS if kind == "text")
    assert shown.startswith(expected)


def test_every_key_is_documented() -> None:
    for table in (
        doc.PolicyDocument,
        doc.PartitionTable,
        doc.JurisdictionTable,
        doc.AgencyTable,
        doc.AgreementTable,
        doc.ActivationTable,
        doc.ConsentTable,
        doc.ConditionTable,
        doc.RuleTable,
        doc.ModeTable,
        doc.OptOutTable,
        scenario._SearchTable,
        scenario._RecordTable,
        scenario._ExpectTable,
    ):
        for name, field in table.model_fields.items():
            assert re.search(rf"\b{field.alias or name}\b", PAGE), f"{table.__name__}.{name}"


def test_every_mode_and_reason_is_documented() -> None:
    assert all(f"`{mode}`" in PAGE for mode in MODES)
    listed = re.findall(r"`([A-Z_]+)`", PAGE.split("explain` lists all:")[1].split(".")[0])
    assert [Reason(r) for r in listed] == sorted(STRENGTH, key=lambda r: -STRENGTH[r])
