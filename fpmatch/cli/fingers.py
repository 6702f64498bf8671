"""``fpmatch extract`` and ``fpmatch compare``: single fingers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fpmatch.cli.inputs import (
    EstimatePpi,
    Extractor,
    Isolated,
    Position,
    Ppi,
    Rotation,
    Scale,
    TrustPpi,
    load_template,
    parse_position,
)
from fpmatch.cli.output import JsonFile, emit, figure, progress_bar, table
from fpmatch.errors import FpmatchError, InputError


def extract_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    position: Position = "unknown",
    extractor: Extractor = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a template NAME.fpt for each image.")
    ] = None,
    names: Annotated[
        str, typer.Option(help="Name templates by file, or by path below the shared folder.")
    ] = "file",
    force: Annotated[bool, typer.Option(help="Replace templates that are there.")] = False,
    isolated: Isolated = False,
    json_file: JsonFile = None,
) -> None:
    """Extract minutiae templates; an image that fails is reported and the rest goes on."""
    finger = parse_position(position)
    targets: dict[Path, Path] = {}
    if out is not None:
        from fpmatch.bulk.naming import unique_names

        targets = {p: out / f"{name}.fpt" for p, name in unique_names(images, names).items()}
        make_folder(out)
    rows: list[dict[str, Any]] = []
    with progress_bar() as progress:
        for number, path in enumerate(images, 1):
            try:
                template = load_template(
                    path,
                    ppi=ppi,
                    position=finger,
                    extractor=extractor,
                    trust_ppi=trust_ppi,
                    estimate=estimate_ppi,
                    isolated=isolated,
                )
                data = template.to_bytes()
                if out is not None:
                    write_new(targets[path], data, force=force)
            except FpmatchError as error:
                rows.append({"image": str(path), "error": str(error)})
            else:
                rows.append({"image": str(path), **_describe(template), "bytes": len(data)})
            if progress is not None:
                progress("extracting", number, len(images))
    if len(rows) == 1 and "error" in rows[0]:
        raise InputError(f"{rows[0]['image']}: {rows[0]['error']}")
    cells = [
        (
            r["image"],
            *(r.get(k) for k in ("minutiae", "quality", "bytes")),
            r.get("error", "retake" if r.get("retake") else ""),
        )
        for r in rows
    ]
    columns = ["image", "minutiae", "quality", "bytes", "remark"]
    emit(rows, json_file, table(columns, cells, text=["remark"]))
    if any("error" in row for row in rows):
        raise typer.Exit(2)


def compare_command(
    probe: Annotated[Path, typer.Argument(help="Image or template file.")],
    candidate: Annotated[Path, typer.Argument(help="Image or template file.")],
    rotation: Rotation = "upright",
    scale: Scale = "stated",
    ppi: Ppi = None,
    trust_ppi: TrustPpi = False,
    estimate_ppi: EstimatePpi = False,
    extractor: Extractor = None,
    isolated: Isolated = False,
    json_file: JsonFile = None,
) -> None:
    """Compare two impressions: score, false match rate, paired minutiae."""
    from fpmatch.matcher import compare

    sides = [
        load_template(
            path,
            ppi=ppi,
            extractor=extractor,
            trust_ppi=trust_ppi,
            estimate=estimate_ppi,
            isolated=isolated,
        )
        for path in (probe, candidate)
    ]
    score = compare(*sides, rotation=rotation, scale=scale)
    result = {
        "score": score.value,
        "fmr": score.fmr,
        "fmr_below": score.claim.below,
        "fmr_comparisons": score.comparisons,
        "raw": score.raw,
        "minutiae": [len(side) for side in sides],
        "retake": [side.retake for side in sides],
        "pairs": score.pairs.tolist(),
    }
    rows = [
        ("score, -10 log10(FMR)", score.value),
        ("false match rate", str(score.claim)),
        ("comparisons of different fingers that this rests on", score.comparisons),
        ("minutiae of the probe", len(sides[0])),
        ("minutiae of the candidate", len(sides[1])),
        ("paired minutiae the score rests on", len(score.pairs)),
    ]
    share = f"one in {figure(round(1 / score.fmr))} comparisons of different fingers scores as high"
    note = (
        f"Fewer than {share}: so much can be told from {figure(score.claim.comparisons)} of them."
        if score.claim.below
        else f"About {share}."
    )
    note += " A candidate is no identification: that takes a person's look."
    for which, side in zip(("probe", "candidate"), sides, strict=True):
        if side.retake:
            note += f" Retake: the {which} has a quality of {side.image_quality} only."
    emit(result, json_file, table(["comparison", "value"], rows), note)


def _describe(template: Any) -> dict[str, Any]:
    quality = template.image_quality
    return {
        "minutiae": len(template),
        "quality": None if quality > 100 else int(quality),
        "retake": template.retake,
        "position": template.position.name,
        "slap": template.slap,
        "extractor": template.extractor,
        "width": template.width,
        "height": template.height,
    }


def make_folder(path: Path) -> None:
    """Make a folder where there is none.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror}") from error


def write_new(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file, and the folder that it is in.

    Parameters
    ----------
    path : path
    data : bytes
    force : bool
        Replace a file that is there with other contents.

    Raises
    ------
    InputError
        If there is one and it is not to be replaced, or it cannot be written.
    """
    try:
        if not force and path.exists() and path.read_bytes() != data:
            raise InputError(f"{path} holds something else; --force replaces it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
