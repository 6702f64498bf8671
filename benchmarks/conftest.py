"""What benchmarks share: synthetic prints, one thread, the machine named in the header."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpmatch.evaluate import conditions

ROOT = Path(__file__).resolve().parent.parent


def pytest_report_header() -> str:
    return (
        f"fpmatch benchmarks on {conditions.one_line()}; parameters {conditions.parameter_hash()}"
    )


@pytest.fixture(scope="session")
def prints() -> list[Path]:
    """The committed optical prints, 388 x 374 pixels."""
    return sorted((ROOT / "data" / "synthetic" / "optical").glob("*.png"))


@pytest.fixture
def one_thread():
    """OpenCV on one thread while a benchmark runs."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)
