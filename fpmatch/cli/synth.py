"""``fpmatch synth``: synthetic prints, galleries and scenario packs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.output import JsonFile, emit, progress_bar, table

app = typer.Typer(no_args_is_help=True, help="Make synthetic data: nobody's fingers.")

Seed = Annotated[int, typer.Option(help="Seed; equal seeds give equal data on any machine.")]


@app.command("prints")
def prints(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    fingers: Annotated[int, typer.Option(help="How many fingers.")] = 10,
    impressions: Annotated[int, typer.Option(help="Impressions of each.")] = 4,
    seed: Seed = 1,
    sensor: Annotated[str, typer.Option(help="Kind of sensor, e.g. optical, capacitive, ink.")] = (
        "optical"
    ),
    rolled: Annotated[bool, typer.Option("--rolled", help="Rolled, not plain.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Images <finger>_<impression>.png with their exact ground truth beside them."""
    from fpmatch.synthetic import write_prints

    with progress_bar() as progress:
        paths = write_prints(
            folder,
            fingers,
            impressions,
            seed,
            sensor=sensor,
            rolled=rolled,
            progress=(lambda d, n: progress("drawing", d, n)) if progress else None,
        )
    result = {"folder": str(folder), "fingers": fingers, "impressions": len(paths), "seed": seed}
    emit(result, json_file, table(["made", "value"], list(result.items())))
