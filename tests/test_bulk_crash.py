"""A bulk enrolment killed at random moments goes on: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine_helpers import print_of, record
from how_often import often

from fpmatch.search import Engine

SCRIPT = Path(__file__).with_name("bulk_crash.py")
ITEMS = 40


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for i in range(ITEMS):
        (folder / f"R-{i:02d}.fpt").write_bytes(print_of(i).to_bytes())
    (folder / "R-99.fpt").write_bytes(b"no template")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs fork and /proc")
@pytest.mark.parametrize(("workers", "kills"), [(0, often(24)), (2, often(8))])
def test_killed_at_random_and_gone_on(tmp_path, source, workers, kills):
    place = tmp_path / "g.fpm"
    with Engine.create(place) as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
    command = [SCRIPT, place, source, workers, kills, 7, ITEMS]
    found = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=500
    )
    assert found.returncode == 0, found.stderr[-2000:]
    said = json.loads(found.stdout)
    assert said["killed"] == kills
    assert said["orphans"] == []
    names = [f"R-{i:02d}" for i in range(ITEMS)]
    assert said["records"] == names
    assert (said["fingers"], said["last"]) == (ITEMS, ITEMS - 1)
    assert said["verifies"]
    # Each of them was stored by one of the runs; the last ones found the rest there.
    report, again = said["report"], said["again"]
    assert report["accepted"] + report["skipped"] == ITEMS
    assert report["skipped"] >= 1
    assert (again["accepted"], again["skipped"]) == (0, ITEMS)
    assert [e["record"] for e in report["errors"]] == ["R-99"]
    assert again["errors"] == report["errors"]
    with Engine.create(tmp_path / "whole.fpm", durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        assert e.enrol("criminal", [record(name, i) for i, name in enumerate(names)]).ok
        assert e._state.gallery.root("criminal") == said["root"]
