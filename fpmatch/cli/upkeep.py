"""``fpmatch check``: is everything in a gallery as it should be, and can it be mended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.output import JsonFile, emit, progress_bar, table


def check_command(
    gallery: Gallery,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what is derived, and check again.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compute every finger's search form again, too.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Verify everything in a gallery against everything else."""
    from fpmatch import upkeep

    with progress_bar() as progress:
        if repair:
            found, left = upkeep.repair(gallery, deep=deep, progress=progress)
        else:
            found = left = upkeep.check(gallery, deep=deep, progress=progress)
    result = {
        "findings": [asdict(finding) for finding in left],
        "mended": [asdict(finding) for finding in found if finding not in left],
    }
    tables = []
    if result["mended"]:
        rows = [(one["where"], one["what"]) for one in result["mended"]]
        tables.append(table(["mended", "what was wrong"], rows, text=["what was wrong"]))
    if left:
        cells = [(one.where, one.what, one.do) for one in left]
        tables.append(table(["where", "what is wrong", "what to do"], cells, text=["what to do"]))
    emit(result, json_file, *tables, *([] if left else ["Everything fits."]))
    if left:
        raise typer.Exit(1)
