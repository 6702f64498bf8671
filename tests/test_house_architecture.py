"""The page and the picture of the architecture name files that are there, and the same ones."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def drawn() -> list[str]:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "tools" / "draw_architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [file for _, file, _ in module.STEPS]


def test_page_and_picture_follow_the_same_way():
    steps = re.findall(r"^\| \d+ \|.*\| `([\w/]+\.py)` \|", PAGE, re.MULTILINE)
    assert steps == drawn()
    assert (ROOT / "docs" / "images" / "architecture.png").is_file()


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert len(named) > 20
    places = [ROOT / "fpmatch", ROOT]
    assert not [n for n in named if not any((place / n).is_file() for place in places)]
