"""``fpmatch evaluate``: accuracy on folders of impressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpmatch.cli.output import JsonFile, check_target, emit, figure, progress_bar, table
from fpmatch.cli.output import write_text as write

if TYPE_CHECKING:
    from fpmatch.cli.sheets import Sheet
    from fpmatch.evaluate import Evaluation

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
Extractor = Annotated[str | None, typer.Option(help="neural or classical.")]


def evaluate_command(
    folders: Folders,
    ppi: Ppi = None,
    ppi_map: PpiMap = None,
    identities: IdentitiesFile = None,
    extractor: Extractor = None,
    protocol: Annotated[
        str, typer.Option(help="all: every pair; fvc: first impressions only for non-mated.")
    ] = "all",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with all plots.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Replicates of the intervals.")] = 1000,
    processes: Annotated[int, typer.Option(help="Processes that extract; 0: every core.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Verification and identification error rates on folders of impressions."""
    from fpmatch.evaluate import evaluate
    from fpmatch.evaluate.conditions import default_processes

    check_target(json_file)
    if report is not None:
        from fpmatch.evaluate.plots import new_figure

        check_target(str(report))
        new_figure(1, 1)
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
            progress=progress,
        )
        if report is not None:
            from fpmatch.evaluate.report import render

            write(str(report), render(result))
    emit(result.to_dict(), json_file, _databases(result), _summary(result))


def _databases(result: Evaluation) -> Sheet:
    rows = []
    parts = {**result.databases, "mean": result.mean, "pooled": result.pooled}
    spans = {
        **result.intervals.databases,
        "mean": result.intervals.mean,
        "pooled": result.intervals.pooled,
    }
    for name, m in parts.items():
        low, high = spans[name]["eer"]
        span = f"{figure(low)}-{figure(high)}"
        counts = (round(m.mated), round(m.nonmated))
        rows.append((name, m.eer, span, m.fmr100, m.fmr1000, m.zerofmr, *counts))
    columns = ["database", "EER %", "95 %", "FMR100 %", "FMR1000 %", "ZeroFMR %"]
    return table([*columns, "mated", "non-mated"], rows, title="One to one")


def _summary(result: Evaluation) -> Sheet:
    def span(interval: tuple[float, float]) -> str:
        return f"{figure(interval[0])}-{figure(interval[1])}"

    rows = [
        ("rank-1 %", result.rank1, span(result.intervals.rank1)),
        (
            "FNIR at FPIR 1 %",
            result.fnir_at_fpir_1pct,
            span(result.intervals.fnir_at_fpir_1pct),
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
        title=f"Identification and speed ({result.extractor}, protocol {result.protocol})",
    )
