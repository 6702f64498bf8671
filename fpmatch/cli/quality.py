"""``fpmatch quality``: how good prints are, and which should be captured again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.inputs import Extractor, Isolated, Ppi, read_once
from fpmatch.cli.output import JsonFile, emit, progress_bar, table
from fpmatch.errors import ExtractionError, FpmatchError, InputError

if TYPE_CHECKING:
    from fpmatch.template import ImageQuality, Template

NOT_COMPUTED, FAILED = 254, 255
"""As in `fpmatch.template.quality`, which ``--help`` does not wait for."""


def quality_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Images, records, transactions or templates."),
    ],
    ppi: Ppi = None,
    extractor: Extractor = None,
    nfiq2: Annotated[
        bool | None,
        typer.Option(
            "--nfiq2/--no-nfiq2", help="NFIQ 2 too; by default where nbis-py is installed."
        ),
    ] = None,
    isolated: Isolated = False,
    json_file: JsonFile = None,
) -> None:
    """Quality of prints, 0 to 100: ours, NFIQ 2's, and which should be captured again."""
    from fpmatch.image.nfiq2 import nfiq2_installed

    if nfiq2 and not nfiq2_installed():
        raise InputError("--nfiq2 needs nbis-py: pip install 'fpmatch[nfiq]'")
    how: dict[str, Any] = {"extractor": extractor, "nfiq2": nfiq2}
    rows: list[dict[str, Any]] = []
    with progress_bar() as progress:
        for number, path in enumerate(files, 1):
            try:
                rows += _judged(path, ppi, isolated, how)
            except FpmatchError as error:
                rows.append({"file": str(path), "error": str(error)})
            if progress is not None:
                progress("judging", number, len(files))
    if len(rows) == 1 and "error" in rows[0]:
        raise InputError(f"{rows[0]['file']}: {rows[0]['error']}")
    columns = ["file", "quality", "nfiq2", "minutiae", "extractor", "remark"]
    cells = [
        (
            row["file"],
            _shown(row.get("quality")),
            _shown(row.get("nfiq2")),
            row.get("minutiae"),
            row.get("extractor"),
            _remark(row),
        )
        for row in rows
    ]
    emit(rows, json_file, table(columns, cells, text=["extractor", "remark"]))
    if any("error" in row for row in rows):
        raise typer.Exit(2)


def _judged(
    path: Path, ppi: float | None, isolated: bool, how: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each print in a file; templates bring the quality that they hold."""
    from fpmatch.formats import pictures_of, read, recognise, templates_of
    from fpmatch.image import read_image
    from fpmatch.template import quality

    source = read_once(path)
    if recognise(source) is None:
        found = quality(read_image(source, ppi=ppi, isolated=isolated), **how)
        return [{"file": str(path), **_measured(found)}]
    content = read(source)
    pictures = pictures_of(content)
    if not pictures:
        templates = templates_of(content, ppi=ppi)
        named = _names(path, len(templates))
        return [{"file": name, **_stored(one)} for name, one in zip(named, templates, strict=True)]
    rows: list[dict[str, Any]] = []
    for name, shown in zip(_names(path, len(pictures)), pictures, strict=True):
        try:
            if shown.finger is None:
                raise ExtractionError(f"position {shown.positions[0]} is no single finger")
            found = quality(shown.read(ppi=ppi, isolated=isolated), **how)
        except FpmatchError as error:
            rows.append({"file": name, "error": str(error)})
        else:
            rows.append({"file": name, "position": int(shown.positions[0]), **_measured(found)})
    return rows


def _names(path: Path, count: int) -> list[str]:
    return [str(path)] if count == 1 else [f"{path}, {n} of {count}" for n in range(1, count + 1)]


def _measured(found: ImageQuality) -> dict[str, Any]:
    row: dict[str, Any] = {
        "quality": found.value,
        "nfiq2": found.nfiq2,
        "minutiae": found.minutiae,
        "retake": found.retake,
        "extractor": found.extractor,
    }
    return {**row, "reason": found.reason} if found.reason else row


def _stored(template: Template) -> dict[str, Any]:
    return {
        "quality": template.image_quality,
        "nfiq2": NOT_COMPUTED,
        "minutiae": len(template),
        "retake": template.retake,
        "extractor": template.extractor,
    }


def _shown(value: int | None) -> int | str | None:
    return None if value == NOT_COMPUTED else "none" if value == FAILED else value


def _remark(row: dict[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    what = ["retake"] if row["retake"] else []
    return ": ".join([*what, *([row["reason"]] if "reason" in row else [])])
