"""``fpmatch evaluate``: accuracy on folders of impressions."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fpmatch.cli.inputs import Extractor, Scale
from fpmatch.cli.output import JsonFile, check_target, emit, figure, progress_bar, table
from fpmatch.cli.output import write_text as write
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.cli.sheets import Sheet
    from fpmatch.evaluate import Evaluation, LeftOut

Folders = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Folders of <finger>_<impression>.<ext>.")
]
Ppi = Annotated[float | None, typer.Option(help="Resolution of the images, pixels per inch.")]
PpiMap = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSON: folder (path suffix) to ppi.")
]
IdentitiesFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV of fingers of different folders that are one."),
]
MatcherName = Annotated[
    str | None,
    typer.Option(
        "--matcher",
        metavar="NAME",
        help="Another matcher: nbis, sourceafis, module:function or file.py:name.",
    ),
]
Takes = Annotated[
    str | None,
    typer.Option(help="What that matcher is handed: image, native (its own ppi) or template."),
]
LimitSeconds = Annotated[
    float, typer.Option("--limit-s", help="Seconds it may take to prepare an impression.")
]
LIMIT_S = 60.0
_REASONS = 8
"""Reasons of failures that are listed."""


def _points(of: str) -> Any:
    return typer.Option(metavar="FILE", help=f"Write {of} as CSV or Parquet, by its suffix.")


ScoresFile = Annotated[Path | None, _points("every comparison with its score")]
DetFile = Annotated[Path | None, _points("FMR and FNMR at every threshold")]
CmcFile = Annotated[Path | None, _points("the share of mates found at every rank")]


def evaluate_command(
    folders: Folders,
    ppi: Ppi = None,
    ppi_map: PpiMap = None,
    identities: IdentitiesFile = None,
    extractor: Extractor = None,
    protocol: Annotated[
        str, typer.Option(help="all: every pair; fvc: first impressions only for non-mated.")
    ] = "all",
    matcher: MatcherName = None,
    takes: Takes = None,
    limit_s: LimitSeconds = LIMIT_S,
    scale: Scale = "stated",
    group_by: Annotated[
        str | None,
        typer.Option(help="database: each of them, too, at thresholds that the others chose."),
    ] = None,
    scores: ScoresFile = None,
    det: DetFile = None,
    cmc: CmcFile = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with all plots.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Replicates of the intervals.")] = 1000,
    processes: Annotated[
        int,
        typer.Option(help="Processes that work; 0: every core."),
    ] = 0,
    json_file: JsonFile = None,
) -> None:
    """Verification and identification error rates on folders of impressions."""
    from fpmatch.evaluate import evaluate, left_out
    from fpmatch.evaluate.conditions import default_processes

    tables = {"score": scores, "det": det, "cmc": cmc}
    _check(json_file, report, group_by, len(folders), tables)
    with progress_bar() as progress:
        result = evaluate(
            [str(f) for f in folders],
            ppi=ppi,
            ppi_map=ppi_map,
            identities=identities,
            extractor=extractor,
            protocol=protocol,
            processes=processes or default_processes(),
            replicates=bootstrap,
            matcher=matcher,
            takes=takes,
            limit_s=None if matcher is None else limit_s,
            scale=scale,
            progress=progress,
        )
        result = replace(result, command=shlex.join(["fpmatch", *sys.argv[1:]]))
        _write(result, tables)
        if report is not None:
            from fpmatch.evaluate.report import render

            write(str(report), render(result))
    shown, out = [_databases(result)], result.to_dict()
    if group_by is not None:
        parts = left_out(result)
        shown += [_verified(parts), _searched(parts)]
        out["left_out"] = {part.database: part.to_dict() for part in parts}
    shown.append(_summary(result))
    if result.failures:
        shown.append(_failed(result))
    emit(out, json_file, *shown)


def _check(
    json_file: str | None,
    report: Path | None,
    group_by: str | None,
    folders: int,
    tables: Mapping[str, Path | None],
) -> None:
    """Refuse what would fail after the work."""
    from fpmatch.evaluate.tables import check_table

    check_target(json_file)
    for path in tables.values():
        if path is not None:
            check_target(str(path))
            check_table(path)
    if group_by not in (None, "database"):
        raise InputError(f"--group-by {group_by!r}: there is database")
    if group_by is not None and folders < 2:
        raise InputError("--group-by database needs two folders or more")
    if report is not None:
        from fpmatch.evaluate.plots import new_figure

        check_target(str(report))
        new_figure(1, 1)


def _write(result: Evaluation, tables: Mapping[str, Path | None]) -> None:
    from fpmatch.evaluate.tables import cmc_table, det_table, score_table, write_table

    made = {"score": score_table, "det": det_table, "cmc": cmc_table}
    for name, path in tables.items():
        if path is not None:
            write_table(path, made[name](result))


def _databases(result: Evaluation) -> Sheet:
    rows = []
    parts = {**result.databases, "mean": result.mean, "pooled": result.pooled}
    spans = {
        **result.intervals.databases,
        "mean": result.intervals.mean,
        "pooled": result.intervals.pooled,
    }
    for name, m in parts.items():
        span = _span(spans[name]["eer"])
        counts = (round(m.mated), round(m.nonmated))
        rows.append((name, m.eer, span, m.fmr100, m.fmr1000, m.zerofmr, *counts))
    columns = ["database", "EER %", "95 %", "FMR100 %", "FMR1000 %", "ZeroFMR %"]
    by = result.matcher if result.scale == "stated" else f"{result.matcher}, at any scale"
    return table([*columns, "mated", "non-mated"], rows, title=f"One to one: {by}")


def _verified(parts: Sequence[LeftOut]) -> Sheet:
    """Each database at the threshold where the others have an FMR of 0.1 %."""
    rows = [
        (p.database, p.threshold, p.fmr, _span(p.fmr_interval), p.fnmr, _span(p.fnmr_interval))
        for p in parts
    ]
    columns = ["left out", "threshold", "FMR %", "95 % of it", "FNMR %", "95 % of that"]
    return table(columns, rows, title="One to one, where the others have an FMR of 0.1 %")


def _searched(parts: Sequence[LeftOut]) -> Sheet:
    """Each database's searches at the threshold where those of the others have an FPIR of 1 %."""
    rows = [(p.database, p.searches, p.rank1, p.search_threshold, p.fpir, p.fnir) for p in parts]
    columns = ["left out", "searches", "rank-1 %", "threshold", "FPIR %", "FNIR %"]
    return table(columns, rows, title="One to many, where the others have an FPIR of 1 %")


def _failed(result: Evaluation) -> Sheet:
    """Why impressions failed, most frequent reason first."""
    reasons: dict[str, list[str]] = {}
    for sample in result.failures:
        reasons.setdefault(sample.error, []).append(sample.path.name)
    rows = sorted(reasons.items(), key=lambda item: -len(item[1]))
    return table(
        ["failure to extract", "first of them", "how many"],
        [(why, files[0], len(files)) for why, files in rows[:_REASONS]],
        title=f"Failures to extract: {len(rows)} reasons, the first {_REASONS} shown"
        if len(rows) > _REASONS
        else "Failures to extract",
        left=2,
    )


def _span(interval: tuple[float, float]) -> str:
    return f"{figure(interval[0])}-{figure(interval[1])}"


def _summary(result: Evaluation) -> Sheet:
    made_by = result.matcher if result.extractor == "none" else result.extractor
    rows = [
        ("rank-1 %", result.rank1, _span(result.intervals.rank1)),
        (
            "FNIR at FPIR 1 %",
            result.fnir_at_fpir_1pct,
            _span(result.intervals.fnir_at_fpir_1pct),
        ),
        ("searches / gallery templates", f"{len(result.searches)} / {len(result.gallery)}", ""),
        ("failures to extract", len(result.failures), ""),
        ("extraction, median ms of CPU", result.extract_ms_median, ""),
        ("comparison, median us of CPU, non-mated", result.compare_us_median, ""),
        ("stored template, median bytes", result.template_bytes_median, ""),
    ]
    return table(
        ["figure", "value", "95 %"],
        rows,
        title=f"Identification and speed ({made_by}, protocol {result.protocol})",
    )
