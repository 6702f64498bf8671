"""`from fpmatch import ...` means to a type checker what it means at run time."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fpmatch
import fpmatch.testing

ROOT = Path(__file__).resolve().parent.parent
TYPED = ROOT / "tests" / "typed"
MISTAKES = {
    i for i, line in enumerate((TYPED / "wrong.py").read_text().splitlines(), 1) if "fp." in line
}


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def pyright():
    beside = Path(sys.executable).with_name("pyright")
    program = str(beside) if beside.is_file() else shutil.which("pyright")
    if program is None:
        pytest.skip("pyright is not installed")
    try:
        version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("pyright cannot start here: it wants to fetch node")
    if version.returncode:
        pytest.skip("pyright cannot start here: it wants to fetch node")

    def check(name: str) -> str:
        return _run(program, "--pythonpath", sys.executable, str(TYPED / name)).stdout

    return check


def _lines(said: str) -> set[int]:
    return {int(n) for n in re.findall(r"wrong\.py:(\d+)(?::\d+)?(?: -)?:? error", said)}


def test_mypy_follows_the_public_names():
    """All in one run, with what ``make lint`` has found out of the package."""
    pytest.importorskip("mypy")
    files = [str(TYPED / name) for name in ("right.py", "kit.py", "wrong.py")]
    args = ("--config-file", "setup.cfg", "--no-error-summary", *files)
    said = _run(sys.executable, "-m", "mypy", *args).stdout
    assert [line for line in said.splitlines() if "wrong.py:" not in line] == []
    assert _lines(said) == MISTAKES


def test_pyright_follows_the_public_names(pyright):
    assert "0 errors" in pyright("right.py")
    assert "0 errors" in pyright("kit.py")
    assert _lines(pyright("wrong.py")) == MISTAKES


@pytest.mark.parametrize("package", [fpmatch, fpmatch.testing], ids=lambda p: p.__name__)
def test_the_names_are_the_same_to_both(package):
    """The block for type checkers, the table of lazy imports and ``__all__`` agree."""
    tree = ast.parse(Path(package.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        (entry.asname, statement.module)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for entry in statement.names
        if entry.asname == entry.name
    }
    assert told == set(package._PUBLIC.items())
    assert sorted({*package.__all__} - {"__version__"}) == sorted(package._PUBLIC)
    assert dir(package) == sorted(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_every_public_name_can_be_had():
    for name in fpmatch.__all__:
        assert getattr(fpmatch, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'engine_of_doom'"):
        _ = fpmatch.engine_of_doom


PUBLIC = """
AuditError Candidate Drawing Engine ExtractionError FingerImage FingerPosition FormatError
FpmatchError Impression InputError Ori Outcome PartitionResult Policy PolicyError Reason Record
RecordsRequest Score SearchRequest SearchResponse SlapFinger Template compare draw draw_pairs
extract quality read_image read_templates sample segment_slap warm
"""


def test_no_public_name_goes_unnoticed():
    """A name that is taken away, or added without a word here, breaks or binds users."""
    assert sorted(fpmatch._PUBLIC) == PUBLIC.split()
