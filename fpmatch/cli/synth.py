"""``fpmatch synth``: synthetic prints, galleries and scenario packs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fpmatch.cli.inputs import Position, parse_position
from fpmatch.cli.output import JsonFile, emit, progress_bar, table
from fpmatch.errors import InputError, MissingExtra

Seed = Annotated[int, typer.Option(help="Seed; equal seeds give equal data on any machine.")]


def prints_command(
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


def gallery_command(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A Parquet file to write.")],
    fingers: Annotated[int, typer.Option(help="How many fingers, one record each.")] = 10_000,
    seed: Seed = 1,
    impression: Annotated[
        int, typer.Option(help="Which touch; equal fingers with other numbers are mates.")
    ] = 0,
    position: Position = "unknown",
    json_file: JsonFile = None,
) -> None:
    """Templates without images, by the million, as fpmatch enrol takes them (needs pyarrow)."""
    from fpmatch.synthetic import batches

    finger = parse_position(position)
    with progress_bar() as progress, _parquet(out) as write:
        done = 0
        for batch in batches(fingers, seed, impression=impression, position=finger):
            write([(f"S{done + i:09d}", t.to_bytes()) for i, t in enumerate(batch)])
            done += len(batch)
            if progress is not None:
                progress("making templates", done, fingers)
    result = {"file": str(out), "fingers": fingers, "seed": seed, "impression": impression}
    emit(result, json_file, table(["made", "value"], list(result.items())))


def scenarios_command(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    json_file: JsonFile = None,
) -> None:
    """The scenario pack as files: policies, invented records, searches, expected outcomes."""
    from fpmatch.cli.scenario import pack

    source = sorted(pack(None).glob("*.toml"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in source:
            (folder / path.name).write_bytes(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error
    emit(
        {"folder": str(folder), "scenarios": [p.stem for p in source]},
        json_file,
        f"{len(source)} scenarios in {folder}.",
        sheet=table(["scenario"], [(p.stem,) for p in source]),
    )


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[list[tuple[str, bytes]]], None]]:
    """A writer of rows (record, template); the file appears when all is written."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow: pip install 'fpmatch[arrow]'") from error
    schema = pa.schema([("record", pa.string()), ("template", pa.binary())])
    partial = path.with_name(path.name + ".part")
    try:
        with pq.ParquetWriter(partial, schema) as writer:

            def write(rows: list[tuple[str, bytes]]) -> None:
                names, stored = zip(*rows, strict=True)
                writer.write_table(pa.table([list(names), list(stored)], schema=schema))

            yield write
        partial.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
