"""``fpmatch bench tenprint``: one search with all fingers of a person against one with each."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.bench.gallery import Cache, Effort, Threads
from fpmatch.cli.bench.measure import show
from fpmatch.cli.output import JsonFile, check_target, progress_bar


def tenprint_command(
    records: Annotated[int, typer.Option(help="Enrolled people.")] = 1000,
    fingers: Annotated[int, typer.Option(help="Fingers of each, 1 to 10.")] = 10,
    subjects: Annotated[int, typer.Option(help="People searched for.")] = 40,
    effort: Effort = "balanced",
    threads: Threads = 1,
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """Ten fingers as one search against ten searches: time and rank-1, positions known and not."""
    from fpmatch.bench.tenprint import bench_tenprint

    check_target(json_file)
    with progress_bar() as progress:
        result = bench_tenprint(
            records,
            fingers=fingers,
            subjects=subjects,
            effort=effort,
            threads=threads,
            cache=cache,
            progress=progress,
        )
    show(result, json_file)
