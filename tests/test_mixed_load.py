"""The short form of `tests/mixed_load.py`."""

from __future__ import annotations

import mixed_load
import pytest


@pytest.mark.slow
def test_a_writer_and_readers_beside_it_agree(capsys, monkeypatch):
    # Whether something grows takes longer than this to tell.
    monkeypatch.setattr(mixed_load, "grown", lambda searches, readers: [])
    assert mixed_load.play(0.1, 60, 2, 3) == []
    said = capsys.readouterr().out
    assert " enrol" in said
    assert " search" in said


def test_growth_is_noticed():
    steady = [(n / 10, 0.01, 1000) for n in range(200)]
    assert mixed_load.grown(steady, 2) == []
    slower = [(at, took * (1 + at), most) for at, took, most in steady]
    larger = [(at, took, most + int(100 * at)) for at, took, most in steady]
    assert mixed_load.grown(slower, 2) == ["searches became slower"]
    assert mixed_load.grown(larger, 2) == ["readers grew"]
    assert mixed_load.grown(steady[:10], 2)
