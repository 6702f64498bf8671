"""``fpmatch archive export`` and ``import``: a whole gallery as a portable file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.keys import keys_given, keys_of
from fpmatch.cli.output import JsonFile, emit, table

File = Annotated[Path, typer.Argument(metavar="FILE", help="The archive.")]


def export_command(
    gallery: Gallery,
    file: File,
    actor: Annotated[str, typer.Option("--actor", help="Who asks; goes into the log.")] = "",
    json_file: JsonFile = None,
) -> None:
    """Write a whole gallery to a portable file, which is not encrypted."""
    from fpmatch import upkeep

    done = upkeep.export_archive(gallery, file, actor=actor, keys=keys_of(gallery))
    _show(done, json_file)


def import_command(
    file: File,
    gallery: Annotated[Path, typer.Argument(metavar="GALLERY", help="A new folder.")],
    json_file: JsonFile = None,
) -> None:
    """Make a gallery of an archive, in a new folder; an encrypted one where keys are given."""
    from fpmatch import upkeep

    _show(upkeep.import_archive(file, gallery, keys=keys_given()), json_file)


def _show(done: Any, json_file: str | None) -> None:
    rows = [(name, count, done.roots[name]) for name, count in done.records.items()]
    result = {
        "records": done.records,
        "roots": done.roots,
        "impressions": done.impressions,
        "policies": done.policies,
    }
    said = f"{done.impressions} impressions, {done.policies} policies"
    emit(result, json_file, table(["partition", "records", "root"], rows), said)
