"""docs/cli.md against the code: every command and option is there, and nothing else is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


@cache
def commands() -> dict[str, Any]:
    """Every command of the tree by its full name."""
    import typer

    from fpmatch.cli.app import app

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for key, child in command.commands.items():
                yield from walk(child, f"{name} {key}")
        else:
            yield name, command

    return dict(walk(typer.main.get_command(app), "fpmatch"))


def options(command: Any) -> set[str]:
    return {o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"}


@cache
def sections() -> dict[str, str]:
    parts = re.split(r"^### `(fpmatch [^`]+)`$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def examples() -> list[str]:
    text = PAGE.read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.startswith("    fpmatch ")]


def test_every_command_has_a_section_and_no_other():
    assert set(sections()) == set(commands())


@pytest.mark.parametrize("name", sorted(sections()) if PAGE.exists() else [])
def test_every_option_is_described_and_no_other(name):
    described = set(re.findall(r"^\| `(--[\w-]+)", sections()[name], flags=re.MULTILINE))
    assert described == options(commands()[name]) - {"--json", "--csv"}


def test_every_command_takes_json_and_csv():
    wanted = {"--json", "--csv"}
    assert not [name for name, command in commands().items() if not wanted <= options(command)]


@pytest.mark.parametrize("line", examples() if PAGE.exists() else [])
def test_examples_parse(line):
    """Each shown command line names a command and only options that it has."""
    words = shlex.split(line, comments=True)
    tree = commands()
    name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in tree), None)
    assert name is not None, line
    used = {w.split("=")[0] for w in words if w.startswith("--")}
    assert used <= options(tree[name]), line


def test_evaluation_page_names_the_json_keys():
    text = (PAGE.parent / "evaluation.md").read_text("utf-8")
    for key in (
        "databases", "mean", "pooled", "rank1", "fnir_at_fpir_1pct", "extract_ms_median",
        "compare_us_median", "template_bytes_median", "failures_to_extract", "eer", "fmr100",
        "fmr1000", "zerofmr", "undefined", "intervals", "identification",
    ):  # fmt: skip
        assert f"`{key}`" in text or f'"{key}"' in text, key


def test_a_word_alone_gives_the_same_commands():
    """What the command line loads for one word is what it loads for all of them."""
    import typer

    from fpmatch.cli.app import WORDS, grown

    every = typer.main.get_command(grown()).commands
    for word in sorted(WORDS):
        (alone,) = typer.main.get_command(grown(word)).commands.items()
        whole = every[word]
        assert alone[0] == word
        assert shape(alone[1]) == shape(whole)


def shape(command: Any) -> Any:
    if hasattr(command, "commands"):
        return {name: shape(child) for name, child in command.commands.items()}
    return options(command)
