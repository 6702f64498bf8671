"""``fpmatch scenario``: a story from the pack, played on a real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.output import JsonFile, emit, table

Pack = Annotated[
    Path | None, typer.Option("--folder", metavar="DIR", help="Folder of scenario files.")
]


def scenario_command(
    name: Annotated[
        str | None, typer.Argument(help="Name or file of a scenario; without one, list them.")
    ] = None,
    folder: Pack = None,
    json_file: JsonFile = None,
) -> None:
    """Play a scenario: what each party sees, and what the log proves; 1 if not as expected."""
    from fpmatch.scenario import play

    if name is None:
        _list(pack(folder), json_file)
        return
    direct = Path(name).suffix == ".toml"
    report = play.play_file(play.find(name, Path() if direct else pack(folder)))
    rows = [
        (
            *(s.label, s.ori, s.at, p.partition, p.outcome, p.reason),
            *(" ".join(p.records), " ".join(p.notified), p.office, p.consent_overridden),
        )
        for s in report.searches
        for p in s.partitions
    ]
    columns = ["search", "agency", "at", "partition", "outcome", "reason"]
    columns += ["submitter sees", "owner told of", "office", "consent overridden"]
    emit(report.to_dict(), json_file, *report.lines(), sheet=table(columns, rows, left=10))
    if not report.ok:
        raise typer.Exit(1)


def pack(folder: Path | None) -> Path:
    """The folder of scenarios: the given one, else that which came with the library.

    Raises
    ------
    InputError
        If the library came without one and no folder was given.
    """
    from fpmatch.scenario.pack import scenario_folder

    return scenario_folder() if folder is None else folder


def _list(folder: Path, json_file: str | None) -> None:
    from fpmatch.scenario.format import load_all

    found = load_all(folder)
    result = [{"name": s.name, "title": s.title, "searches": len(s.searches)} for s in found]
    rows = [(s.name, s.title, len(s.searches)) for s in found]
    emit(result, json_file, table(["scenario", "about", "searches"], rows, left=2))
