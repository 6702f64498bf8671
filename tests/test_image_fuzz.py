"""A short run of tests/fuzz_pictures.py, and what long runs found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fuzz_pictures
import pytest


@pytest.mark.parametrize("kind", [kind for kind in fuzz_pictures.KINDS if kind != "WSQ"])
def test_mutated_pictures_raise_nothing_foreign(kind: str, tmp_path: Path) -> None:
    cuts = len(fuzz_pictures.Inputs(kind).cuts)
    tally = fuzz_pictures.fuzz(kind, cuts + 300, tmp_path / "now", first=cuts - 100)
    assert tally.faults == []
    assert tally.inputs == 400
    assert tally.read > 5


def test_the_fuzzer_notices_what_it_looks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(kind: str, seed: int, first: int, last: int, where: Path):
        code = (
            f"import sys, os; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "import fuzz_pictures as f\n"
            "from pathlib import Path\n"
            "def bad(data, kind):\n"
            "    bad.calls += 1\n"
            "    number = bad.calls + first - 2 if bad.calls > 1 else -1\n"
            "    if number == 2: os.abort()\n"
            "    if number == 4: raise IndexError('foreign')\n"
            "    if number == 50: bad.kept = b'x' * (f.allowed(10**5) + 10**7)\n"
            "    return False\n"
            "bad.calls = 0\n"
            f"first = {first}\n"
            "f.use = bad\n"
            f"f._child({kind!r}, {seed}, {first}, {last}, Path({str(where)!r}))\n"
        )
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(fuzz_pictures, "_start", start)
    tally = fuzz_pictures.fuzz("PPM", 60, tmp_path / "now")
    assert tally.inputs == 60
    assert [number for number, _ in tally.faults] == [2, 4, 50]
    said = [what for _, what in tally.faults]
    assert said[0] == "killed by SIGABRT"
    assert "IndexError" in said[1]
    assert "bytes for" in said[2]
