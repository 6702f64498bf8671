"""The mutation checks speak of the code as it is: each names a text that is there once."""

from __future__ import annotations

import re

import engine_mutations
import pytest

ROW = re.compile(r"^\| ([^|]+) \| `([\w/]+\.py)` \| `(test_\w+)(?:\[.*\])?` \|$", re.MULTILINE)


@pytest.mark.parametrize("mutation", engine_mutations.MUTATIONS, ids=lambda m: m[0])
def test_what_is_to_be_broken_is_there(mutation):
    _, name, old, new = mutation
    source = (engine_mutations.ROOT / "fpmatch" / name).read_text("utf-8")
    assert source.count(old) == 1, f"{name}: follow the change in tests/engine_mutations.py"
    assert old != new


def test_titles_differ():
    titles = [m[0] for m in engine_mutations.MUTATIONS]
    assert len(set(titles)) == len(titles)
    assert set(titles) >= engine_mutations.UNSEEN


def test_the_table_speaks_of_what_is_there():
    """A row whose guard has gone, or whose test has, shows nothing."""
    rows = ROW.findall(engine_mutations.TABLE.read_text("utf-8"))
    broken = {title: name for title, name, _, _ in engine_mutations.MUTATIONS}
    tests = "".join(p.read_text("utf-8") for p in engine_mutations.ROOT.glob("tests/test_*.py"))
    assert len(rows) > 150
    assert len({title for title, _, _ in rows}) == len(rows)
    for title, _, test in rows:
        assert title in broken, title
        assert f"def {test}(" in tests, test
