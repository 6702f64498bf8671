"""The mutation checks speak of the code as it is: each names a text that is there once."""

from __future__ import annotations

import engine_mutations
import pytest


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
