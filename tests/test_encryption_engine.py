"""Tests of the engine run again over encrypted galleries: `encrypted_everywhere` gives the keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
HERE = Path(__file__).resolve().parent
AGAIN = {
    "test_beside_writer.py": "random_changes or sealed or expunged or whole or batch",
    "test_engine_later.py": "deferred or retained or token",
    "test_update.py": "reader or version or identity or lifted",
    "test_copies.py": "l12 or l1_what or waits or failed or handed or fails",
    "test_engine_crash.py": "",
}
"""Which file, and which of its tests; empty for all."""


@pytest.mark.slow
def test_the_engine_does_the_same_over_encrypted_galleries():
    """All files in one run: starting pytest and all that the tests load costs seconds."""
    chosen = " or ".join(
        f"({name} and ({which}))" if which else name for name, which in AGAIN.items()
    )
    words = ["-q", "-x", "-p", "no:cacheprovider", "-k", chosen, *(str(HERE / n) for n in AGAIN)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-rA"],
        env={**os.environ, "FPMATCH_TEST_KEYS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
        cwd=HERE.parent,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    for name in AGAIN:
        assert f"\nPASSED tests/{name}::" in ran.stdout


def test_they_are_encrypted():
    code = (
        "import engine_helpers as h\n"
        "from fpmatch.search import Engine\n"
        "place = h.folder()\n"
        "Engine.create(place, clock=h.Clock(), durability='off').close()\n"
        "Engine.open(place, clock=h.Clock()).close()\n"
        "print((place / 'keys.json').exists())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FPMATCH_TEST_KEYS": "1", "PYTHONPATH": f"{HERE}:{HERE.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "True", ran.stderr
