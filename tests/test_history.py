"""The history of ratios: its lines, and the picture that is drawn of them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import record  # noqa: E402

LINE = {
    "date": "2026-01-02T03:04:05Z",
    "commit": "0123456789ab",
    "changed": False,
    "machine": "A processor",
    "cores": 2,
    "load": 0.5,
    "ratios": {"compare_by_reference": 0.25},
}


def text(**other):
    return json.dumps({**LINE, **other}) + "\n"


def test_every_line_of_the_history_is_well_formed():
    lines = record.read(record.HISTORY.read_text("utf-8"))
    assert lines
    assert all(line["ratios"] for line in lines)


def test_the_picture_is_that_of_the_history():
    lines = record.read(record.HISTORY.read_text("utf-8"))
    assert record.PICTURE.read_text("utf-8") == record.drawn(lines)


def test_a_line_as_it_is_made_is_read():
    assert record.read(text()) == [LINE]
    made = record.line_of({"encode_by_reference": 0.5})
    assert record.read(json.dumps(made)) == [made]


@pytest.mark.parametrize(
    "other",
    [
        {"host": "somewhere"},
        {"date": "yesterday"},
        {"commit": "main"},
        {"machine": "/home/somebody"},
        {"cores": "2"},
        {"ratios": {"compare_us": 12.0}},
        {"ratios": {"compare_by_reference": 0.0}},
        {"ratios": {"compare_by_reference": float("nan")}},
        {"ratios": {"compare_by_reference": "fast"}},
    ],
)
def test_anything_else_is_refused(other):
    with pytest.raises(ValueError, match=r"."):
        record.read(text(**other))


def test_a_slower_commit_is_higher_and_machines_are_not_mixed():
    def line(value, machine="A"):
        return {**LINE, "machine": machine, "ratios": {"compare_by_reference": value}}

    picture = record.drawn([line(0.1), line(0.2), line(0.05), line(9.0, "B")])
    heights = [float(y) for y in re.findall(r'cy="([0-9.]+)"', picture)]
    assert heights[1] < heights[0] < heights[2]
    assert heights[3] == heights[0]


def test_a_ratio_is_ours_by_theirs_for_a_piece():
    def work(n):
        return lambda: sum(range(n))

    assert 2 < record.ratio(work(400_000), work(100_000)) < 8
    assert 0.5 < record.ratio(work(400_000), work(100_000), times=4) < 2


def test_the_page_names_every_ratio():
    page = (ROOT / "docs" / "history.md").read_text("utf-8")
    assert [name for name in record.RATIOS if f"`{name}`" not in page] == []
