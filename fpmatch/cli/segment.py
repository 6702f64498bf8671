"""``fpmatch segment``: the fingers of plain slaps, cut apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.fingers import make_folder, write_new
from fpmatch.cli.inputs import Extractor, Isolated, Ppi, parse_position, read_once, split_list
from fpmatch.cli.output import JsonFile, emit, table
from fpmatch.errors import FpmatchError, InputError

if TYPE_CHECKING:
    from fpmatch.image import FingerImage, SlapFinger
    from fpmatch.types import FingerPosition

_SLAPS = {"right": 13, "left": 14, "thumbs": 15}
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="FINGER", help="A finger that is not there; repeat, or use commas."),
]


def segment_command(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A picture, a finger image record or a transaction."),
    ],
    position: Annotated[
        str | None,
        typer.Option(metavar="SLAP", help="right, left or thumbs, or 13, 14 or 15; of a picture."),
    ] = None,
    missing: Missing = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write each finger, its template and a picture there."),
    ] = None,
    ppi: Ppi = None,
    extractor: Extractor = None,
    isolated: Isolated = False,
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Cut plain slaps into single fingers; a slap that fails is reported and the rest goes on."""
    absent = [parse_position(name) for name in split_list(missing or ())]
    if out is not None:
        make_folder(out)
    rows: list[dict[str, Any]] = []
    for name, found in _slaps(source, position, absent, ppi, isolated):
        if isinstance(found, FpmatchError):
            rows.append({"slap": name, "error": str(found)})
            continue
        image, fingers = found
        rows += (_finger(name, one, out, extractor, force) for one in fingers)
        if out is not None:
            from fpmatch.image import draw_cuts

            write_new(out / f"{name}-cuts.png", _png(draw_cuts(image, fingers)), force=force)
    if not rows:
        raise InputError(f"{source} holds no plain slap (position 13, 14 or 15)")
    if len(rows) == 1 and "error" in rows[0]:
        raise InputError(f"{source}: {rows[0]['error']}")
    columns = ["slap", "finger", "box", "turned", "confidence", "minutiae", "quality", "remark"]
    keys = ("finger", "at", "turned", "confidence", "minutiae", "quality")
    cells = [
        (row["slap"], *(row.get(key) for key in keys), row.get("error") or "; ".join(row["notes"]))
        for row in rows
    ]
    emit(rows, json_file, table(columns, cells, left=3, text=["remark"]))
    if any("error" in row for row in rows):
        raise typer.Exit(2)


def _slaps(
    source: Path,
    position: str | None,
    absent: list[FingerPosition],
    ppi: float | None,
    isolated: bool,
) -> Iterator[tuple[str, tuple[FingerImage, tuple[SlapFinger, ...]] | FpmatchError]]:
    """Every slap of a file under a name of its own, cut, or why it could not be."""
    from fpmatch.formats import cut_slap, ebts, pictures_of, read, recognise
    from fpmatch.formats.itl_values import Transaction
    from fpmatch.image import read_image, segment_slap

    data = read_once(source)
    name = source.stem
    if recognise(data) is None:
        if position is None:
            raise InputError("a picture does not say which slap it is: --position right, left, ...")
        image = read_image(data, ppi=ppi, isolated=isolated)
        yield name, (image, segment_slap(image, _code(position), missing=absent))
        return
    if position is not None:
        raise InputError(f"{source} says itself which slaps it holds: leave --position out")
    content = read(data)
    if isinstance(content, Transaction):
        absent = [*absent, *ebts.amputated_in(content)]
    for number, shown in enumerate((p for p in pictures_of(content) if p.slap), 1):
        called = f"{name}-{number}"
        try:
            image = shown.read(ppi=ppi, isolated=isolated)
            yield called, (image, cut_slap(shown, missing=absent, ppi=ppi, isolated=isolated))
        except FpmatchError as error:
            yield called, error


def _code(text: str) -> int:
    name = text.strip().lower()
    if name in _SLAPS:
        return _SLAPS[name]
    if name.isdecimal() and int(name[:4]) in _SLAPS.values():
        return int(name)
    raise InputError(f"--position {text[:40]!r} is no slap: right, left or thumbs, or 13, 14 or 15")


def _finger(
    name: str, one: SlapFinger, out: Path | None, extractor: str | None, force: bool
) -> dict[str, Any]:
    """Extract one finger and write it; what is to be told of it."""
    from fpmatch.template import extract

    finger = one.position.name.lower().replace("_", "-")
    left, top, right, bottom = one.box
    row: dict[str, Any] = {
        "slap": name,
        "position": one.slap,
        "finger": finger,
        "box": [left, top, right, bottom],
        "at": f"{left},{top} to {right},{bottom}",
        "turned": round(math.degrees(one.rotation), 1),
        "confidence": round(one.confidence, 2),
        "stated": one.stated,
        "notes": list(one.notes),
    }
    if out is not None:
        write_new(out / f"{name}-{finger}.png", _png(one.image.pixels), force=force)
    try:
        template = extract(one.image, position=one.position, extractor=extractor)
    except FpmatchError as error:
        return row | {"error": str(error)}
    if out is not None:
        write_new(out / f"{name}-{finger}.fpt", template.to_bytes(), force=force)
    quality = template.image_quality
    known = None if quality > 100 else int(quality)
    return row | {"minutiae": len(template), "quality": known}


def _png(pixels: Any) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", dpi=(500, 500))
    return file.getvalue()
