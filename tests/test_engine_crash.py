"""Kill -9 between any two steps: nothing acknowledged is lost, nothing is answered unlogged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fpmatch.search import crash_points

HERE = Path(__file__).resolve().parent
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
    return {(r["act"], r["step"]): r for r in json.loads(ran.stdout)}


def test_every_step_was_reached_and_killed(results):
    expected = {("enrol", s) for s in crash_points.ENROL}
    expected |= {("expunge", s) for s in crash_points.EXPUNGE}
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
