"""``fpmatch demo``: play it in a fresh gallery and show every step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.output import CSV_TARGET, JsonFile, console, emit, progress_bar, table
from fpmatch.errors import StorageError


def demo_command(
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the gallery, to try other commands on.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Enrol two partitions, publish a policy, search as three agencies, prove what happened."""
    from fpmatch.cli import demo_page, demo_play

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise StorageError(f"{keep} is not empty; name a new folder")
    quiet = "-" in (json_file, CSV_TARGET.get())
    out = console()

    def say(text: str) -> None:
        if not quiet:
            out.print(text, style="dim")

    if not quiet:
        out.print(demo_page.opening())
    with tempfile.TemporaryDirectory(prefix="fpmatch-demo-") as folder, progress_bar() as progress:
        told = demo_play.play(keep or Path(folder) / "county.fpm", progress, say=say)
    if not quiet:
        for part in demo_page.pages(told, keep):
            out.print(part)
    shown = table(["shown", "held"], demo_play.checks(told), text=["held"])
    emit(demo_play.result(told), json_file, sheet=shown)
    if not all(held for _, held in demo_play.checks(told)):
        raise typer.Exit(1)
