"""Fixtures that more than one test file uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the public benchmark data; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FPMATCH_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not (folder / "fvc.json").exists():
        pytest.skip(f"benchmark data not found: set FPMATCH_DATA (looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def synthetic_data() -> Path:
    """Folder of the committed synthetic prints."""
    return ROOT / "data" / "synthetic"
