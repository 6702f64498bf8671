"""The fourteen stories of the domain description, played on a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpmatch.scenario.play import find, play_file

FOLDER = Path(__file__).resolve().parent.parent / "data" / "synthetic" / "scenarios"
NAMES = sorted(p.stem for p in FOLDER.glob("*.toml"))


def test_there_are_fourteen():
    assert len(NAMES) == 14


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_as_it_is_told(name):
    report = play_file(find(name, FOLDER))
    assert report.mismatches == ()
    assert report.log_verifies
    for search in report.searches:
        for seen in search.partitions:
            assert seen.proved in ("searched", "withheld", "not searched")
            assert (seen.stage2 == 0) == (seen.proved == "not searched")
    text = "\n".join(report.lines())
    assert report.title in text
    assert "alien" not in text.lower()


def test_a_wrong_expectation_is_reported(tmp_path):
    text = (FOLDER / "single_jail_off.toml").read_text()
    wrong = text.replace('records = ["C-1"]', 'records = ["C-9"]', 1)
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    report = play_file(path)
    assert not report.ok
    assert "C-9" in report.mismatches[0]
