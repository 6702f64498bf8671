"""docs/architecture.md names files and functions that are there, and a search goes that way."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from engine_helpers import engine, request

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
STEPS = re.findall(r"^\|[^|]+\| `([\w/]+\.py)` \| `([\w.]+)` \|$", TEXT, re.MULTILINE)


def names(path: Path) -> set[str]:
    out = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            out.add(node.name)
        if isinstance(node, ast.ClassDef):
            out |= {f"{node.name}.{f.name}" for f in node.body if isinstance(f, ast.FunctionDef)}
    return out


def test_every_row_is_a_step():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    assert len(STEPS) == len(rows) - 1 > 20


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s[1])
def test_every_step_is_there(step):
    file, name = step
    assert name in names(ROOT / "fpmatch" / file)


def test_every_file_of_the_picture_is_there():
    picture = TEXT.split("```")[1]
    files = set(re.findall(r"\b(?:\w+/)*\w+\.py\b", picture))
    rooms = set(re.findall(r"\b(\w+)/(?!\w)", picture))
    for file in files:
        assert list((ROOT / "fpmatch").rglob(file)), file
    assert len(files) > 5
    assert rooms
    assert all((ROOT / "fpmatch" / room).is_dir() for room in rooms)


def test_a_search_goes_this_way():
    """A search of one partition enters every step between the public call and the response.

    Not those that only a large partition has, nor values, which are made and not called.
    """
    values = {"PartitionRequest", "PartitionScores", "PartitionSearcher", "Hold"}
    large = {"vote_by_lists", "probe_votes"}
    called = set()

    def note(frame, event, _):
        if event == "call":
            called.add((frame.f_code.co_filename, frame.f_code.co_qualname))

    with engine() as e:
        sys.setprofile(note)
        try:
            e.search(request())
        finally:
            sys.setprofile(None)
    way = STEPS[[name for _, name in STEPS].index("Engine.search") :]
    inside = [s for s in way if not s[0].startswith("cli/") and s[1] not in values | large]
    missed = [s for s in inside if (str(ROOT / "fpmatch" / s[0]), s[1]) not in called]
    assert missed == []
    assert len(inside) > 15


def test_the_drawing_names_files_that_are_there():
    place = ROOT / "tools" / "draw_architecture.py"
    spec = importlib.util.spec_from_file_location("draw_architecture", place)
    assert spec is not None
    assert spec.loader is not None
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    files = [file for _, file, _ in drawn.STEPS]
    assert len(files) > 15
    assert not [file for file in files if not (ROOT / "fpmatch" / file).is_file()]
    assert (ROOT / drawn.TARGET).is_file()
    assert f"({drawn.TARGET.relative_to('docs')})" in TEXT
