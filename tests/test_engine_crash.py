"""Kill -9 between any two steps: nothing acknowledged is lost, nothing is answered unlogged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fpmatch.search import crash_points

HERE = Path(__file__).resolve().parent
FINISHING = tuple(s for s in crash_points.EXPUNGE if s != "expunge.committed")
KEYED = {
    "enrol with a key": (*crash_points.ENROL, "enrol.compared"),
    "seal": crash_points.SEAL,
    "publish": crash_points.PUBLISH,
    "expunge with a key": ("log.appended", *crash_points.EXPUNGE),
    "expunge many": ("log.appended", *crash_points.EXPUNGE),
    "update": (*crash_points.UPDATE, *FINISHING),
}
LOGGED_AS = {
    "enrol with a key": "ENROL",
    "seal": "SEAL",
    "publish": "POLICY",
    "expunge with a key": "EXPUNGE",
    "expunge many": "EXPUNGE",
    "update": "UPDATE",
}
UNCOMMITTED = ("enrol.checked", "update.checked")
PARTITION = {"partition": crash_points.PARTITION}
BEFORE_INTENT = ("search.decided",)
BEFORE_OUTCOME = ("search.intent", "search.compared", "search.judged", "search.prepared")


@pytest.fixture(scope="module")
def results():
    ran = subprocess.run(
        [sys.executable, str(HERE / "engine_crash.py")],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=HERE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout)
    for result in found["results"]:
        result["unkilled"] = found["unkilled"].get(result["act"])
    return {(r["act"], r["step"]): r for r in found["results"]}


def test_every_step_was_reached_and_killed(results):
    expected = {("enrol", s) for s in crash_points.ENROL}
    expected |= {("expunge", s) for s in crash_points.EXPUNGE}
    expected |= {(act, step) for act, steps in (KEYED | PARTITION).items() for step in steps}
    expected |= {(a, s) for a in ("search", "defer", "retain") for s in crash_points.SEARCH}
    assert set(results) == expected
    assert all(r["signal"] == 9 for r in results.values())


def test_the_log_verifies_after_each(results):
    assert all(r["verifies"] for r in results.values())


@pytest.mark.parametrize("step", crash_points.ENROL)
def test_enrol(results, step):
    r = results["enrol", step]
    assert r["said"] == "", "killed before it could acknowledge"
    committed = step != "enrol.checked"
    assert r["found"]["N-1"] == (["N-1"] if committed else [])
    assert r["found"]["C-1"] == ["C-1"]
    assert r["enrolments"] == 2 + committed, "committed means logged, once"


@pytest.mark.parametrize("step", crash_points.SEARCH)
@pytest.mark.parametrize("act", ["search", "defer", "retain"])
def test_search(results, act, step):
    r = results[act, step]
    dangling = ["killed"] if step in BEFORE_OUTCOME else []
    assert r["dangling"] == dangling
    logged = step not in (*BEFORE_INTENT, *BEFORE_OUTCOME)
    assert r["answered"] == logged
    assert r["said"] == ""
    told = {"search": ["criminal", "immigration"], "defer": ["criminal"]}
    assert r["told"] == (told.get(act, ["criminal", "immigration"]) if logged else [])
    assert r["kept"] == (1 if act != "search" and logged else 0)


@pytest.mark.parametrize("step", crash_points.EXPUNGE)
def test_expunge(results, step):
    r = results["expunge", step]
    assert r["found"]["C-1"] == []
    assert r["found"]["C-2"] == ["C-2"]
    assert r["residue"] == []
    assert r["expungements"] == 1


@pytest.mark.parametrize(("act", "step"), [(a, s) for a, steps in KEYED.items() for s in steps])
def test_an_act_under_a_key_is_done_once_however_often_it_is_repeated(results, act, step):
    r = results[act, step]
    kind = LOGGED_AS[act]
    before = {"ENROL": 2, "POLICY": 1}.get(kind, 0)
    assert r["said"] == "", "killed before it could acknowledge"
    once = 2 if act == "expunge many" else 1
    assert r["kinds"].count(kind) == before + once * (step not in UNCOMMITTED)
    assert r["kinds_then"].count(kind) == before + once
    assert r["answers"][0] == r["answers"][1]
    assert r["roots"] == r["unkilled"], "as if it had not been killed"
    assert r["policy"] == 1 + (act == "publish")
    assert r["unfinished"] == 0
    assert r["verifies_then"]
    if act in ("update", "expunge with a key", "expunge many"):
        assert r["residue"] == []


@pytest.mark.parametrize("step", crash_points.PARTITION)
def test_partition(results, step):
    r = results["partition", step]
    assert r["partitions"] == ["criminal", "immigration", "third"]
    assert r["kinds"].count("PARTITION") == 3
