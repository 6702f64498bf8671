"""``fpmatch convert``: from one interchange format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.cli.inputs import parse_position
from fpmatch.cli.output import JsonFile, check_target, emit, table
from fpmatch.errors import InputError

SUFFIXES = {".fpt": "fpt", ".xyt": "xyt"}
"""What a target is where ``--to`` is not given; a source is never judged by its name."""

Side = Annotated[int | None, typer.Option(help="Of the image of an .xyt file, pixels.")]

Source = Annotated[Path, typer.Argument(metavar="IN", help="File of minutiae or finger images.")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")]
To = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="iso2005, iso2011, incits2004, incits2009, incits2009am1, incits2007, xyt, xyt-m1 or "
        "fpt; fir2005 or fir2011 for finger images; cbeff for either; by default what OUT ends "
        "with, .fpt or .xyt.",
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Of IN, where its content does not tell."),
]
View = Annotated[int | None, typer.Option(help="Take one impression only; they count from 0.")]
Finger = Annotated[
    str | None, typer.Option(metavar="FINGER", help="Finger, where IN does not say or says wrong.")
]
Resolution = Annotated[
    float | None, typer.Option(help="Resolution of IN, where it does not say or says wrong.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse IN if it departs from its standard.")
]


def convert_command(
    source: Source,
    target: Target,
    to: To = None,
    from_format: From = None,
    view: View = None,
    position: Finger = None,
    ppi: Resolution = None,
    width: Side = None,
    height: Side = None,
    strict: Strict = False,
    json_file: JsonFile = None,
) -> None:
    """Convert between interchange formats, and say what was lost."""
    from fpmatch import formats

    name = to or SUFFIXES.get(target.suffix.lower())
    if name is None:
        raise InputError(f"say --to which format: {', '.join(formats.TARGETS)}")
    if (width is None) != (height is None):
        raise InputError("--width and --height go together")
    check_target(str(target))
    content = formats.read(source, from_format, strict=strict)
    result = formats.convert(
        content,
        name,
        view=view,
        position=None if position is None else parse_position(position),
        ppi=ppi,
        size=None if width is None or height is None else (width, height),
    )
    data = formats.write(result.content)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from error
    noted = [d.what for d in getattr(content, "deviations", ())]
    report = {
        "from": formats.format_of(content),
        "to": name,
        "impressions": _impressions(result.content),
        "bytes": len(data),
        "lost": list(result.losses),
        "deviations": noted,
    }
    rows = [(k, ", ".join(map(str, v)) if isinstance(v, list) else v) for k, v in report.items()]
    emit(report, json_file, table(["conversion", ""], rows, left=2))


def _impressions(content: Any) -> int:
    """How many there are in what was made: a stored template is one."""
    several = getattr(content, "views", getattr(content, "blocks", None))
    return 1 if several is None else len(several)
