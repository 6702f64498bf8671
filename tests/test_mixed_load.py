"""The short form of `tests/mixed_load.py`."""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable

import mixed_load
import pytest
from engine_helpers import POLICY, Clock, record

from fpmatch.policy import Policy
from fpmatch.search import Engine


@pytest.mark.slow
def test_a_writer_and_others_beside_it_agree(capsys):
    assert mixed_load.play(0.1, 60, 2, 3) == []
    said = capsys.readouterr().out
    for act in (" enrol", " search", " backup", "at the end: 60 records", "restored: "):
        assert act in said


def minutes(changed: Callable[[int], dict], count: int = 12) -> dict:
    """A reader's minutes, each as the first with something changed."""
    ms = array("f", [10.0, 11.0, 12.0])
    same = {"took": ms, "worked": ms, "kib": 1000, "files": 10}
    every = [
        mixed_load.Minute("reader", Counter(), wrong=[], last=n == count - 1, **same | changed(n))
        for n in range(count)
    ]
    return {"reader": every}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (lambda n: {}, []),
        (lambda n: {"worked": array("f", [10.0 + 3 * n])}, ["reader became slower"]),
        (lambda n: {"kib": 1000 + 100 * n}, ["reader grew"]),
        (lambda n: {"files": 10 + 3 * n}, ["reader keeps files open"]),
    ],
)
def test_growth_is_noticed(changed, found):
    assert mixed_load.grown(minutes(changed)) == found


def test_too_short_a_time_says_so(capsys):
    assert mixed_load.grown(minutes(lambda n: {}, count=2)) == []
    assert "too short" in capsys.readouterr().out


def test_a_loss_at_the_end_would_be_noticed(tmp_path):
    with Engine.create(tmp_path / "g.fpm", clock=Clock(), durability="off") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        engine.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for n, partition in enumerate(mixed_load.PARTITIONS):
            engine.enrol(partition, [record(f"R-{n}", mixed_load.FIRST_PERSON + n)])
        engine.publish(Policy.parse(POLICY))
        assert mixed_load.judged(engine, "", {0: True, 1: False, 2: True}) == [
            "R-1 was found at the end",
            "R-2 was not found at the end",
        ]


@pytest.mark.slow
def test_stopped_early_it_says_what_there_is_by_then():
    words = [sys.executable, mixed_load.__file__, "--minutes", "60", "--records", "40"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "all have begun\n"
        time.sleep(3)
        run.terminate()
        said = run.stdout.read()
    assert "too short" in said
    assert "at the end: 40 records asked for, 0 wrong" in said
    assert (run.returncode, said.splitlines()[-1]) == (0, "0 wrong"), said
