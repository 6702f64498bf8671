"""Every command answers arguments that mean nothing with one short line and no traceback."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from engine_helpers import POLICY, world

import fpmatch as fp
from fpmatch.cli.app import app, run
from fpmatch.policy import Policy

LONG_JOBS = {"bench", "demo", "evaluate", "scenario", "synth", "warm"}
"""They make something of their own; wrong values for them are in the tests of each."""
WRONG = [
    "nope", "junk", "empty", "folder", "g.fpm", "a.png", "p.toml", "t.csv", "x.json", "", "-1",
    "1e999", "nan", os.fsdecode(b"\xff.png"), "x" * 5000, "x" * 300, "criminal", "CA0380100",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory, synthetic_data) -> Path:
    place = tmp_path_factory.mktemp("wrong")
    with fp.Engine.create(place / "g.fpm", durability="off") as e:
        e.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        e.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in world().items():
            e.enrol(name, records)
        e.publish(Policy.parse(POLICY))
    (place / "junk").write_bytes(random.Random(1).randbytes(3000))
    (place / "empty").write_bytes(b"")
    (place / "folder").mkdir()
    (place / "p.toml").write_text(POLICY)
    (place / "t.csv").write_text("a,b\n1,2\n")
    (place / "x.json").write_text("[1]")
    shutil.copy(synthetic_data / "optical" / "1_1.png", place / "a.png")
    return place


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        if path or name not in LONG_JOBS:
            yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_wrong_values(path, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.stdin", open(os.devnull, encoding="utf-8"))  # noqa: SIM115
    parameters = COMMANDS[path].params
    rng = random.Random(" ".join(path))
    for value in WRONG:
        good = rng.choice((["g.fpm", "criminal", "a.png"], ["a.png"] * 3))
        words = ["fpmatch", *path]
        arguments = [p for p in parameters if p.param_type_name == "argument"]
        for i in range(len(arguments)):
            words.append(value if rng.random() < 0.5 else good[min(i, 2)])
        for option in (p for p in parameters if p.param_type_name == "option" and not p.is_flag):
            if option.required or rng.random() < 0.2:
                words += [option.opts[0], value if rng.random() < 0.7 else good[1]]
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        try:
            run()
        except SystemExit:
            said = capsys.readouterr().err
            assert "Traceback" not in said, words
            assert len(said) < 2000, words


def test_all_commands_are_tried():
    assert len(COMMANDS) > 15
