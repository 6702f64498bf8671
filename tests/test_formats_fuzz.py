"""A short run of tests/fuzz_formats.py."""

from __future__ import annotations

import fuzz_formats
import pytest


@pytest.mark.parametrize("reader", sorted(fuzz_formats.SEEDS))
def test_mutated_inputs_raise_nothing_foreign(reader: str) -> None:
    tally = fuzz_formats.fuzz(reader, 1500, seed=1)
    assert [what for _, what in tally.faults] == []
    assert tally.read > 10
    assert tally.refused > 10


def test_the_fuzzer_notices_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(data: bytes) -> bool:
        raise IndexError("foreign")

    monkeypatch.setattr(fuzz_formats, "seeds", lambda reader: [])
    monkeypatch.setattr(fuzz_formats.mutate, "mutate", lambda starts, rng: b"x")
    monkeypatch.setattr(fuzz_formats, "use", leak)
    assert len(fuzz_formats.fuzz("fmr", 3).faults) == 3
    monkeypatch.setattr(fuzz_formats, "use", lambda data: bool(bytes(1 << 20)))
    assert "bytes for 1" in fuzz_formats.fuzz("fmr", 1).faults[0][1]
