"""``fpmatch bench``: speed, with the conditions it was measured under."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.bench.words import worded
from fpmatch.cli.inputs import Extractor
from fpmatch.cli.output import JsonFile, emit, figure, progress_bar, table

if TYPE_CHECKING:
    from fpmatch.bench.measure import Bench
    from fpmatch.cli.sheets import Sheet

Probes = Annotated[
    list[Path] | None,
    typer.Option("--probes", metavar="DIR", help="Folders of impressions; synthetic without."),
]
PpiMap = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSON: folder (path suffix) to ppi.")
]
IdentitiesFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV of fingers of different folders that are one."),
]


def extract_command(
    probes: Probes = None,
    ppi_map: PpiMap = None,
    extractor: Extractor = None,
    json_file: JsonFile = None,
) -> None:
    """Reading and extraction per image, on one thread."""
    from fpmatch.bench.measure import bench_extract

    with progress_bar() as progress:
        show(
            bench_extract(probes or (), ppi_map=ppi_map, extractor=extractor, progress=progress),
            json_file,
        )


def compare_command(
    probes: Probes = None,
    ppi_map: PpiMap = None,
    identities: IdentitiesFile = None,
    json_file: JsonFile = None,
) -> None:
    """Comparisons of packed and of single templates, on one thread."""
    from fpmatch.bench.measure import bench_compare

    with progress_bar() as progress:
        result = bench_compare(
            probes or (), ppi_map=ppi_map, identities=identities, progress=progress
        )
    show(result, json_file)


def audit_command(
    searches: Annotated[int, typer.Option(help="Searches to record.")] = 2000,
    agencies: Annotated[int, typer.Option(help="Agencies of the policy.")] = 200,
    json_file: JsonFile = None,
) -> None:
    """Decision and both audit records of a search, with and without waiting for the disk."""
    from fpmatch.bench.audit import bench_audit

    with progress_bar() as progress:
        result = bench_audit(searches=searches, agencies=agencies, progress=progress)
    show(result, json_file)


def bulk_command(
    pictures: Annotated[int, typer.Option(help="Pictures enrolled.")] = 200,
    stored: Annotated[int, typer.Option(help="Stored templates enrolled.")] = 4000,
    json_file: JsonFile = None,
) -> None:
    """Bulk enrolment with none, one and two processes beside a naive loop."""
    from fpmatch.bench.bulk import bench_bulk

    with progress_bar() as progress:
        result = bench_bulk(pictures=pictures, stored=stored, progress=progress)
    show(result, json_file)


def leakage_command(
    fingers: Annotated[int, typer.Option(help="Fingers of a large partition.")] = 2000,
    pairs: Annotated[int, typer.Option(help="Paired searches of each question.")] = 200,
    withheld_ms: Annotated[
        float, typer.Option(help="When opaque answers leave; above the longest search.")
    ] = 100.0,
    json_file: JsonFile = None,
) -> None:
    """What a submitter can learn from a clock, under a full and an opaque policy."""
    from fpmatch.bench.leakage import bench_leakage

    with progress_bar() as progress:
        result = bench_leakage(
            fingers=fingers, pairs=pairs, withheld_ms=withheld_ms, progress=progress
        )
    show(result, json_file)


def enrolment_command(
    fingers: Annotated[int, typer.Option(help="Fingers enrolled before.")] = 2000,
    more: Annotated[int, typer.Option(help="Fingers enrolled while searches go on.")] = 4000,
    deadline_ms: Annotated[float | None, typer.Option(help="Deadline of each search.")] = None,
    json_file: JsonFile = None,
) -> None:
    """How long searches take alone, and while another thread enrols."""
    from fpmatch.bench.enrolment import bench_enrolment

    with progress_bar() as progress:
        result = bench_enrolment(
            fingers=fingers, more=more, deadline_ms=deadline_ms, progress=progress
        )
    show(result, json_file)


def show(result: Bench, json_file: str | None) -> None:
    """Print figures and conditions."""
    listed = {k: v for k, v in result.figures.items() if _is_table(v)}
    single = {k: v for k, v in result.figures.items() if k not in listed}
    figures = [(worded(k), _said(result, k, v)) for k, v in flat(single)]
    stated = [(k.replace("_", " "), v) for k, v in flat(result.conditions)]
    emit(
        result.to_dict(),
        json_file,
        table([f"bench {result.name}", "value"], figures),
        *(_listing(name, rows) for name, rows in listed.items()),
        table(["condition", "value"], stated, left=2),
    )


def _said(result: Bench, name: str, value: Any) -> str:
    """A figure, or why there is none."""
    if name in result.nothing:
        return f"nothing to time: {result.nothing[name]}"
    return precise(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _listing(name: str, rows: list[dict[str, Any]]) -> Sheet:
    """A list of like results: one row a figure, one column a result; what is nested is left out."""
    plain = [k for k, v in rows[0].items() if not isinstance(v, dict | list | tuple)]
    head, *rest = plain
    cells = [[worded(k), *(precise(row.get(k)) for row in rows)] for k in rest]
    columns = [worded(head), *(precise(row.get(head)) for row in rows)]
    return table(columns, cells, title=worded(name))


def precise(value: Any) -> str:
    """A figure to four significant digits."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}" if abs(value) < 1e4 else figure(round(value))
    return figure(value)


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested dictionaries as one list of names and values; lists joined."""
    out: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            out += flat(value, f"{prefix}{key} ")
        elif isinstance(value, list | tuple):
            out.append((prefix + key, ", ".join(str(v) for v in value)))
        else:
            out.append((prefix + key, value))
    return out
