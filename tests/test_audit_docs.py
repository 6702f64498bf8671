"""The example in docs/audit.md runs, and its list of fields is that of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from fpmatch.audit import IntentRecord, Kind, OutcomeRecord, PartitionIntent, PartitionOutcome

DOCS = (Path(__file__).parent.parent / "docs" / "audit.md").read_text()


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    exec(compile(example, "docs/audit.md", "exec"), {})
    assert "was not searched (ORI_DEACTIVATED)" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [IntentRecord, OutcomeRecord, PartitionIntent, PartitionOutcome])
def test_every_field_is_named(kind):
    named = set(re.findall(r"\w+", DOCS))
    assert {f.name for f in fields(kind)} - {"partitions", "partition"} <= named


def test_every_kind_is_named():
    assert set(Kind) <= set(re.findall(r"\w+", DOCS))
