"""Fixtures that more than one test file uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds so low that a few rows already go through the lists."""
    import dataclasses

    from fpmatch.index import ranking, shortlist
    from fpmatch.parameters import EFFORT_BALANCED, INDEX

    low = dataclasses.replace(INDEX, exhaustive_below=6, scan_below=12)
    monkeypatch.setattr(shortlist, "INDEX", low)
    few = dataclasses.replace(EFFORT_BALANCED, lists_least=12, rescored_least=9, verified_least=4)
    for effort in ("balanced", "scan"):
        monkeypatch.setitem(ranking.PARAMETERS, effort, few)


@pytest.fixture
def fpm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: status, standard output, standard error."""
    from fpmatch.cli.app import run

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fpmatch", *map(str, words)])
        capsys.readouterr()
        try:
            run()
        except SystemExit as stop:
            code = int(stop.code or 0)
        else:
            code = 0
        return code, *capsys.readouterr()

    return call


LONGEST = (
    "test_cluster_ray", "test_site", "test_walks", "test_warming", "test_engine_properties",
    "test_adversary", "test_encryption_engine", "test_cluster", "test_typed_face", "test_notebooks",
    "test_upkeep", "test_policy_never", "test_testing_plugin", "test_policy_properties",
)  # fmt: skip
"""Files with the longest tests: begun first, so that no worker is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest first; the others, and the tests of a file, in their order."""
    place = {name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
