"""docs/abis.md against the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from abis_cases import message, minutiae, person
from engine_helpers import POLICY, Clock

import fpmatch as fp
from fpmatch.formats.abis_messages import FailureReason, Operation
from fpmatch.parameters import CALIBRATION
from fpmatch.policy import Policy

PAGE = (Path(__file__).parents[1] / "docs" / "abis.md").read_text("utf-8")
ORI = "CS0010200"


def rows(head: str) -> list[list[str]]:
    """Of the table that begins so: the cells of each row."""
    lines = PAGE.split(head)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_failure_reason_has_its_row() -> None:
    table = rows("| code | in the specification | when |")
    assert [int(code) for code, *_ in table] == [int(reason) for reason in FailureReason]


def test_every_message_has_its_row() -> None:
    table = rows("| message | does | answer has |")
    assert {name.strip("`") for name, *_ in table} == {o.value for o in Operation}


def test_where_the_evidence_ends() -> None:
    for target, one_in, most in rows("| targetFPIR | one in | evidence up to N records |"):
        rate = 10 ** (-float(target) / 10)
        assert 1 / rate == pytest.approx(float(one_in.replace(" ", "")))
        assert rate / CALIBRATION.least_fmr == pytest.approx(float(most.replace(" ", "")))


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fp.Engine.create(tmp_path / "county.fpm", clock=Clock(), durability="off") as made:
        made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        made.publish(Policy.parse(POLICY.replace("CA0380100", ORI)))
    monkeypatch.chdir(tmp_path)
    names = {
        "share": {"u": minutiae(person(1))},
        "message": message("insert", referenceId="X-1", referenceURL="u"),
    }
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(code, "abis.md", "exec"), names)
    assert json.loads(names["answer"])["returnValue"] == "1"


def test_the_candidate_shown_is_of_the_form_that_is_answered(tmp_path: Path) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])

    def form(value: object) -> object:
        if isinstance(value, dict):
            return {key: form(inner) for key, inner in value.items()}
        return [form(inner) for inner in value] if isinstance(value, list) else type(value)

    with fp.Engine.create(tmp_path / "g.fpm", clock=Clock(), durability="off") as made:
        made.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        made.publish(Policy.parse(POLICY.replace("CA0380100", ORI)))
        adapter = fp.formats.abis.Adapter(ORI, "criminal")
        for touch in (0, 1):
            said = message("insert", referenceId=f"X-{touch}", referenceURL="u")
            file = minutiae(person(1, touch))
            fp.formats.abis.handle(said, made, adapter=adapter, fetch=lambda url, f=file: f)
        said = message("identify", referenceId="X-0", flags={"targetFPIR": "30"})
        answer = json.loads(
            fp.formats.abis.handle(said, made, adapter=adapter, fetch=lambda url: b"")
        )
    assert form(answer["candidateList"]) == form(shown)
