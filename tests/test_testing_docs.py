"""docs/testing.md: its code runs, its tables are those of the code, and a walk is a short one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kit_project"))
from as_installed import path_with

from fpmatch.testing import CHECKS, plugin

pytest_plugins = ("pytester",)
ROOT = Path(__file__).resolve().parent.parent
DOCS = (ROOT / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", DOCS, re.DOTALL)
THEIRS = """
from types import SimpleNamespace

from fpmatch.testing import score as compare
from tiny import TinyEngine


class Engine(TinyEngine):
    def __init__(self, clock, compare):
        super().__init__(SimpleNamespace(clock=clock, compare=compare))


class Service:
    def __init__(self, now, matcher):
        made = Engine(now, matcher)
        self.new_gallery, self.load = made.add_partition, made.enrol
        self.set_policy, self.ask = made.publish, made.search
"""


@pytest.fixture
def project(pytester, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", path_with(tmp_path_factory.mktemp("installed")))
    for name in ("ours", "theirs"):
        (pytester.path / f"{name}.py").write_text(THEIRS)
    for name, code in BLOCKS:
        (pytester.path / name).write_text(code)
    return pytester


def run(project, *args):
    return project.runpytest_subprocess("-p", "no:cacheprovider", "-q", *args, timeout=300)


def lines(code):
    return [line for line in code.splitlines() if line.strip()]


def test_the_walk_is_under_fifteen_lines_and_green(project):
    walk = dict(BLOCKS)["test_our_engine.py"]
    assert len(lines(walk)) < 15
    passed = len(CHECKS) + 14 + 1 - 8
    run(project, "test_our_engine.py").assert_outcomes(passed=passed, skipped=8)


def test_every_other_block_is_green(project):
    names = [name for name, _ in BLOCKS if name not in ("test_our_engine.py", "adapter.py")]
    assert len(names) == 4
    run(project, *names).assert_outcomes(passed=1 + 2 + 1 + 14 + 1)


def test_an_adapter_in_front_of_another_engine_is_enough(project):
    (project.path / "test_adapter.py").write_text(
        "from adapter import Adapter\n"
        "from fpmatch.testing import assert_masks_respected\n"
        "def test_it():\n"
        "    found = assert_masks_respected(Adapter)\n"
        "    assert sum(f.ok is True for f in found) >= 24\n"
    )
    run(project, "test_adapter.py").assert_outcomes(passed=1)


def test_a_walk_with_a_broken_engine_is_red(project):
    ours = project.path / "ours.py"
    ours.write_text(ours.read_text().replace("TinyEngine", "SearchesTheDenied"))
    result = run(project, "test_our_engine.py", "-k", "L5")
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(["*L5-denied-partition-is-not-compared: nothing in it is*"])


def test_every_check_and_every_fixture_is_in_its_table():
    told = dict(re.findall(r"^\| `(L\d+-[a-z-]+)` \| (.*) \|$", DOCS, re.MULTILINE))
    assert list(told) == [check.id for check in CHECKS]
    fixtures = {name for name in vars(plugin) if name.startswith("fpmatch_")}
    assert fixtures <= set(re.findall(r"`(fpmatch_\w+)`", DOCS))


def test_what_it_names_exists():
    from fpmatch import testing

    for name in re.findall(r"`(assert_\w+|[A-Z]\w+(?:Engine|Tests|UnderTest))`", DOCS):
        assert hasattr(testing, name), name
