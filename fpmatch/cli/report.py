"""``fpmatch draw`` and ``fpmatch report``: pictures and pages for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.checks import quoted
from fpmatch.cli.inputs import Extractor, Ppi, load_template, read_once
from fpmatch.cli.keys import keys_of
from fpmatch.cli.output import JsonFile, check_target, emit, write_text
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.image import FingerImage
    from fpmatch.template import Template
    from fpmatch.types import SearchResponse


def draw_command(
    print_: Annotated[Path, typer.Argument(metavar="PRINT", help="Image or template file.")],
    out: Annotated[Path, typer.Option(help="Where to write it: .png or .svg.")],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="[OTHER]", help="Draw what the comparison with this one rests on."),
    ] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Number the minutiae.")] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Join the minutiae of each pair.")] = False,
    title: Annotated[str, typer.Option(help="Printed above.")] = "",
    ppi: Ppi = None,
    extractor: Extractor = None,
    json_file: JsonFile = None,
) -> None:
    """Draw the minutiae of a print, or the paired minutiae of two."""
    from fpmatch.drawing import draw, draw_pairs
    from fpmatch.matcher import compare

    check_target(str(out))
    image, template = _print(print_, ppi, extractor)
    result: dict[str, Any] = {"file": str(out), "minutiae": [len(template)]}
    if other is None:
        drawing = draw(image, template, title=title, numbers=numbers)
    else:
        image_b, template_b = _print(other, ppi, extractor)
        score = compare(template, template_b)
        names = print_.name[-100:], other.name[-100:]
        drawing = draw_pairs(
            image, template, image_b, template_b, score, title=title, names=names, lines=lines
        )
        result["minutiae"].append(len(template_b))
        result |= {"score": score.value, "pairs": score.pairs.tolist()}
    drawing.save(out)
    emit(result, json_file, f"Written: {out}, {drawing.width:.0f} x {drawing.height:.0f} pixels.")


def report_command(
    response: Annotated[
        Path, typer.Argument(metavar="RESPONSE", help="What search --json has written.")
    ],
    out: Annotated[Path, typer.Option(help="The page, one HTML file.")],
    gallery: Annotated[
        Path | None,
        typer.Option(help="The gallery that answered: its log adds reasons and proofs."),
    ] = None,
    ori: Annotated[
        str | None, typer.Option(help="Who submitted it, where several used its number.")
    ] = None,
    probe: Annotated[
        list[Path] | None,
        typer.Option(help="The probe's image or template; one for each finger, in their order."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RECORD=FILE",
            help="Image or template of a candidate; RECORD#2=FILE of its second impression.",
        ),
    ] = None,
    ppi: Ppi = None,
    json_file: JsonFile = None,
) -> None:
    """Write one page for an examiner: candidates, paired minutiae, reasons, proof."""
    from fpmatch.examiner import render
    from fpmatch.search import Engine
    from fpmatch.types import read_response

    check_target(str(out))
    saved = read_response(_read(response))
    probes = [_shown(path, ppi) for path in probe or ()]
    prints: dict[Any, Any] = {}
    for text in image or ():
        key, path = _key_and_path(text, saved)
        prints[key] = _shown(path, ppi)
    if gallery is None:
        page = render(saved, agency=ori, probes=probes, prints=prints)
    else:
        with Engine.open(str(gallery), keys=keys_of(gallery)) as engine:
            page = render(saved, engine=engine, agency=ori, probes=probes, prints=prints)
    write_text(str(out), page)
    count = sum(len(section.candidates or ()) for section in saved)
    result = {"file": str(out), "tcn": saved.tcn, "candidates": count, "bytes": len(page.encode())}
    emit(result, json_file, f"Written: {out}. Candidates: {count}.")


def _print(
    path: Path, ppi: float | None, extractor: str | None
) -> tuple[FingerImage | None, Template]:
    """A print's picture, if the file is one, and its minutiae."""
    from fpmatch.image import FingerImage
    from fpmatch.template import extract

    shown = _shown(path, ppi)
    if isinstance(shown, FingerImage):
        return shown, extract(shown, extractor=extractor)
    return None, shown


def _shown(path: Path, ppi: float | None) -> FingerImage | Template:
    from fpmatch.formats import recognise
    from fpmatch.image import read_image

    source = read_once(path)
    if recognise(source) is not None:
        return load_template(path, ppi=ppi)
    return read_image(source, ppi=ppi)


def _key_and_path(text: str, saved: SearchResponse) -> tuple[str | tuple[str, int], Path]:
    """``RECORD=FILE`` or ``RECORD#N=FILE``; names of records may hold both signs."""
    known = {c.record for section in saved for c in section.candidates or ()}
    at = text.find("=")
    while at > 0:
        name, path = text[:at], Path(text[at + 1 :])
        if name in known:
            return name, path
        record, _, number = name.rpartition("#")
        if record in known and number.isdecimal() and int(number) > 0:
            return (record, int(number) - 1), path
        at = text.find("=", at + 1)
    raise InputError(f"--image {quoted(text)} must read RECORD=FILE, with a record of the response")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
