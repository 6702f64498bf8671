"""Install and test under every Python and both ends of the dependencies.

    python tools/matrix.py [--pythons 3.11 3.12 3.13] [--tests tests/test_template.py ...]

Lowest: the oldest release that ``pyproject.toml`` allows of every dependency, under the oldest
Python alone (later Pythons have no wheels of them). Latest: what the package index gives, under
each Python. A Python that is not installed is skipped, saying so. Prints one line for each; status
1 if one of them failed, 2 if none could be tried.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = (
    "tests/test_template.py",
    "tests/test_image.py",
    "tests/test_matcher.py",
    "tests/test_index.py",
    "tests/test_gallery.py",
    "tests/test_audit.py",
    "tests/test_engine.py",
    "tests/test_policy_reports.py",
    "tests/test_policy_matrix.py",
    "tests/test_cli.py",
)
TOOLS = ("pytest", "pytest-benchmark", "hypothesis", "scipy", "scikit-learn", "nbis-py", "nistitl")


def requirements() -> tuple[str, list[str], list[str]]:
    """The oldest Python, the dependencies (with those of "arrow"), and the test tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["arrow"], *extras["plot"]]
    tools = [line for line in extras["dev"] if re.split(r"[<>=\[]", line)[0] in TOOLS]
    return project["requires-python"].removeprefix(">="), needed, tools


def interpreter(version: str) -> str | None:
    """A Python of that version that starts, or None."""
    candidates = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(p / "bin" / "python") for p in sorted(pyenv.glob(f"{version}.*"))]
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, candidates):
        said = subprocess.run([path, "-c", code], capture_output=True, text=True)
        if said.returncode == 0 and said.stdout.strip() == version:
            return path
    return None


def attempt(python: str, pins: list[str], tools: list[str], tests: list[str]) -> str:
    """Install and test in a fresh environment; "" if all went well, else what did not."""
    with tempfile.TemporaryDirectory(prefix="fpmatch-matrix-") as folder:
        home = Path(folder) / "venv"
        subprocess.run([python, "-m", "venv", str(home)], check=True)
        inside = str(home / "bin" / "python")
        pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        for step, command in (
            ("install", [*pip, "--only-binary", ":all:", *pins, *tools]),
            ("install", [*pip, "--no-deps", str(ROOT)]),
            ("check", [inside, "-m", "pip", "check"]),
            ("tests", [inside, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]),
        ):
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                lines = (done.stdout + done.stderr).strip().splitlines()
                return f"{step} failed:\n      " + "\n      ".join(lines[-12:])
    return ""


def main() -> int:
    oldest, needed, tools = requirements()
    parser = argparse.ArgumentParser(description="Test under every Python, oldest and newest.")
    parser.add_argument("--pythons", nargs="+", default=["3.11", "3.12", "3.13"])
    parser.add_argument("--tests", nargs="+", default=list(QUICK))
    asked = parser.parse_args()
    failed = tried = 0
    for version in asked.pythons:
        python = interpreter(version)
        if python is None:
            print(f"{version}: skipped, no such Python is installed", flush=True)
            continue
        ends = {"latest": needed}
        if version == oldest:
            ends = {"lowest": [line.replace(">=", "==") for line in needed], **ends}
        for name, pins in ends.items():
            problem = attempt(python, pins, tools, asked.tests)
            print(f"{version} {name}: {problem or 'passed'}", flush=True)
            tried += 1
            failed += bool(problem)
    return 1 if failed else 0 if tried else 2


if __name__ == "__main__":
    sys.exit(main())
