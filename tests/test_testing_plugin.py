"""The pytest plugin, in projects of its own: sample projects, what it costs, what it loads."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kit_project"))
from as_installed import path_with

pytest_plugins = ("pytester",)
ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numba", "cv2", "faiss", "scipy", "PIL", "wsq", "typer", "rich", "llvmlite")


@pytest.fixture
def installed(tmp_path_factory, monkeypatch):
    """fpmatch as pip leaves it."""
    monkeypatch.setenv("PYTHONPATH", path_with(tmp_path_factory.mktemp("installed")))


def run(pytester, *args):
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args, timeout=300)


def engine_tests(pytester, engine, *args):
    pytester.makepyfile(
        test_engine=f"""
from fpmatch.testing import EngineTests
from tiny import {engine}

class TestOurs(EngineTests):
    several_fingers = False

    def make_engine(self, setup):
        return {engine}(setup)
"""
    )
    return run(pytester, "-q", "-rsf", *args)


def failed_lines(result):
    return [line for line in result.outlines if line.startswith("FAILED")]


def failures(result):
    return [line.split("::", 2)[2] for line in failed_lines(result)]


def test_a_project_with_a_right_engine_is_green(pytester, installed):
    result = engine_tests(pytester, "TinyEngine")
    result.assert_outcomes(passed=44, skipped=8)
    result.stdout.fnmatch_lines(["*keeps no files in setup.folder*"])


BROKEN = {
    "ListsProtected": ("test_leak[L1-masked-records-crowd-nobody-out]",
         "*records that are protected are listed: ?'A-00'?*"),
    "SearchesTheDenied": ("test_leak[L5-denied-partition-is-not-compared]",
         "*for an agency that is switched off: 4 prints were compared*"),
    "RanksWrong": ("test_agrees_with_the_reference", "*it says*expected*"),
    "WrongMatcher": ("test_agrees_with_the_reference", "*not the reference's twin*"),
    "ForgetsToForget": ("test_leak[L17-expunged-never-comes-back]",
         "*an expunged record is back after an enrolment*"),
}  # fmt: skip
"""Engine, the check that has to see it, and what that has to say."""


def test_a_project_with_broken_engines_fails_by_name(pytester, installed):
    """All of them in one project: starting pytest costs more than their checks."""
    classes = "".join(
        f"""
class Test{engine}(EngineTests):
    several_fingers = False

    def make_engine(self, setup):
        return tiny.{engine}(setup)
"""
        for engine in BROKEN
    )
    pytester.makepyfile(
        test_engine=f"import tiny\nfrom fpmatch.testing import EngineTests\n{classes}"
    )
    result = run(pytester, "-q", "-rsf", "-k", "L1- or L5 or L17 or agrees")
    failed = [line.split("::", 1)[1].partition(" - ")[0] for line in failed_lines(result)]
    for engine, (test, why) in BROKEN.items():
        assert f"Test{engine}::{test}" in failed
        said = [
            section for section in "\n".join(result.outlines).split("\n____")
            if section.startswith("_") and f" Test{engine}.{test} " in section.partition("\n")[0]
        ]  # fmt: skip
        assert len(said) == 1
        assert fnmatch.fnmatchcase(said[0], why), said[0]
    assert not [line for line in result.outlines if "fpmatch/testing/" in line and ": " in line]


def test_searching_the_denied_fails_nothing_but_the_two_checks_that_see_it(pytester, installed):
    result = engine_tests(pytester, "SearchesTheDenied")
    assert [line.partition(" - ")[0] for line in failures(result)] == [
        "test_leak[L5-denied-partition-is-not-compared]",
        "test_leak[L5-denied-partition-costs-nothing]",
    ]


def test_a_class_that_does_not_say_how_an_engine_is_made_says_so(pytester, installed):
    pytester.makepyfile(
        "from fpmatch.testing import EngineTests\nclass TestOurs(EngineTests):\n    pass\n"
    )
    result = run(pytester, "-q", "-k", "L7")
    result.assert_outcomes(failed=1, deselected=51)
    result.stdout.fnmatch_lines(["*make_engine(self, setup) has to give a new engine of yours*"])


def test_matchers_in_a_project(pytester, installed):
    pytester.makepyfile(
        """
from fpmatch.testing import MatcherTests, score

class TestTwin(MatcherTests):
    within = 0.01
    def compare(self, probe, candidate):
        return score(probe, candidate)

class TestScale(MatcherTests):
    def compare(self, probe, candidate):
        return score(probe, candidate) / 7

class TestWrong(MatcherTests):
    within = 0.01
    def compare(self, probe, candidate):
        return float(len(probe))
"""
    )
    result = run(pytester, "-q", "-rsf")
    result.assert_outcomes(passed=3, failed=2, skipped=1)
    result.stdout.fnmatch_lines(["*prints of one finger do not score above*"])
    result.stdout.fnmatch_lines(["*scores are not the expected ones*"])
    assert [line.partition(" - ")[0] for line in failures(result)] == [
        "test_mates_score_above_others",
        "test_scores_are_those_of_the_reference",
    ]


def test_every_fixture_gives_what_it_says(pytester, installed):
    pytester.makepyfile(
        """
from fpmatch.testing import request

def test_prints(fpmatch_print, fpmatch_mates):
    assert fpmatch_mates[3] == (fpmatch_print(3), fpmatch_print(3, 1))

def test_reference(fpmatch_reference, fpmatch_gallery, fpmatch_policy):
    engine = fpmatch_reference({"criminal": fpmatch_gallery}, fpmatch_policy)
    answer = engine.search(request(person=7))
    assert answer["criminal"].candidates[0].record == "R-0007"

def test_scenarios(fpmatch_scenarios):
    assert len(fpmatch_scenarios) == 14

def test_each(fpmatch_scenario):
    assert fpmatch_scenario.searches

def test_abis(fpmatch_abis, fpmatch_mates):
    for person, touches in enumerate(fpmatch_mates):
        fpmatch_abis.insert(f"P-{person}", touches[:1])
    (found,) = fpmatch_abis.identify(fpmatch_mates[4][1:])
    assert found.reference == "P-4"
"""
    )
    run(pytester, "-q").assert_outcomes(passed=18)
    result = pytester.runpytest_subprocess("--fixtures", "-q")
    for name in ("print", "mates", "gallery", "policy", "reference", "scenarios", "abis"):
        result.stdout.fnmatch_lines([f"fpmatch_{name}*"])


LOADED = f"""
import sys
print("loaded:", sorted(m for m in {HEAVY!r} if m in sys.modules))
"""


def python(code, *args):
    done = subprocess.run(
        [sys.executable, *args, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_kit_loads_nothing_heavy():
    names = "from fpmatch.testing import *\nfrom fpmatch import testing\n"
    use = (
        "engine = testing.reference_engine({'criminal': testing.gallery(3)})\n"
        "assert engine.search(testing.request(person=1))['criminal'].candidates\n"
        "make = lambda s: testing.ReferenceEngine(s.clock, matcher=s.compare)\n"
        "testing.assert_scenario(make, 'ring')\n"
    )
    assert python(names + use + LOADED).strip() == "loaded: []"
    nothing = (
        "import fpmatch.testing, sys\nprint('numpy' in sys.modules, 'pydantic' in sys.modules)"
    )
    assert python(nothing).strip() == "False False"


def test_a_project_that_does_not_use_it_pays_for_nothing(pytester, installed):
    pytester.makepyfile(
        "import sys\n"
        "def test_loaded():\n"
        "    ours = sorted(m for m in sys.modules if m.startswith('fpmatch'))\n"
        "    assert set(ours) == {'fpmatch', 'fpmatch.lazy_names', 'fpmatch.testing',"
        " 'fpmatch.testing.plugin'}\n"
        f"    assert not [m for m in {(*HEAVY, 'numpy', 'pydantic')!r} if m in sys.modules]\n"
    )
    run(pytester, "-q", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


BLOCK = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Absent())
"""


def test_the_kit_works_with_numpy_and_pydantic_alone(pytester, installed):
    pytester.makeconftest(BLOCK)
    result = engine_tests(pytester, "TinyEngine")
    result.assert_outcomes(passed=44, skipped=8)


def test_the_block_blocks():
    with pytest.raises(AssertionError, match="No module named 'numba'"):
        python(
            BLOCK + "import fpmatch\nfrom fpmatch.testing import print_of\n"
            "fpmatch.compare(print_of(1), print_of(1, 1))\n"
        )


def test_without_pytest_the_assertions_work_and_the_classes_say_what_is_missing():
    block = BLOCK.replace(repr(HEAVY), repr((*HEAVY, "pytest")))
    code = (
        "from fpmatch import testing\nfrom fpmatch.errors import MissingExtra\n"
        "testing.assert_same_scores(testing.score)\n"
        "try:\n    testing.EngineTests\nexcept MissingExtra as error:\n    print(error)\n"
    )
    assert "fpmatch[testing]" in python(block + code)
