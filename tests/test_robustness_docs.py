"""docs/robustness.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "robustness.md").read_text("utf-8")


def test_every_test_that_is_named_is_there():
    files = set(re.findall(r"`(test_\w+\.py)`", TEXT))
    functions = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(files) > 10
    assert not [name for name in files if not (TESTS / name).is_file()]
    whole = "\n".join(p.read_text("utf-8") for p in TESTS.glob("test_*.py"))
    assert not [name for name in functions if f"def {name}(" not in whole]
