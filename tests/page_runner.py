"""Does what a page of the documentation tells its reader to do, block by block."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from fpmatch.cli import main

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {
    "python": [sys.executable],
    "pytest": [sys.executable, "-m", "pytest"],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command of the page, and what came of it."""

    line: str
    status: int
    said: str


def text_of(page: str) -> str:
    return (ROOT / "docs" / f"{page}.md").read_text("utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and content of each block of code, in the order of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def own_lines(page: str, until: str = "## ") -> list[str]:
    """What a reader types up to the first heading of that kind: commands and code, no comments."""
    walk = re.split(rf"^{until}", text_of(page), maxsplit=1, flags=re.MULTILINE)[0]
    code = re.findall(r"^```(?:sh|python|toml)\n(.*?)^```", walk, re.DOTALL | re.MULTILINE)
    lines = "".join(code).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def follow(page: str, folder: Path, *, append: str = "") -> list[Ran]:
    """Save each named program, run each command; ``append`` is the file that TOML is added to."""
    ran = []
    for kind, body in blocks(page):
        name = re.match(r"# (\w+\.py)\n", body)
        if kind == "python" and name:
            (folder / name[1]).write_text(body)
        elif kind == "toml":
            with (folder / append).open("a") as file:
                file.write("\n" + body)
        elif kind == "sh":
            ran += [command(line, folder) for line in body.splitlines() if line.strip()]
    return ran


def command(line: str, folder: Path) -> Ran:
    """Run one command; of an installation is checked that what it names is there to install."""
    program, *arguments = shlex.split(line)
    if program == "pip":
        assert arguments.pop(0) == "install"
        for wanted in arguments:
            installable(wanted)
        return Ran(line, 0, "")
    if program == "fpmatch":
        return ours(line, arguments, folder)
    done = subprocess.run(
        [*PROGRAMS[program], *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return Ran(line, done.returncode, done.stdout)


def ours(line: str, arguments: list[str], folder: Path) -> Ran:
    """Our own command line in this process: thirty starts of Python cost half a minute."""
    status, said = 0, io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["fpmatch", *arguments]),
        mock.patch.dict(os.environ, {"COLUMNS": "100"}),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Ran(line, status, said.getvalue())


def installable(wanted: str) -> None:
    """Packages that the tests have, and extras that the project has."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    name, _, extras = wanted.rstrip("]").partition("[")
    for extra in filter(None, extras.split(",")):
        assert extra in project["optional-dependencies"], wanted
    listed = str(project["optional-dependencies"])
    assert name == "fpmatch" or f"'{name}>" in listed, wanted
