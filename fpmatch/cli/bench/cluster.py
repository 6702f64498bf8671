"""``fpmatch bench cluster``: what spreading a gallery over shards costs a search."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.bench.gallery import Cache, Effort, Fingers, sizes
from fpmatch.cli.bench.measure import show
from fpmatch.cli.output import JsonFile, check_target, progress_bar
from fpmatch.errors import InputError


def cluster_command(
    fingers: Fingers = "10000",
    shards: Annotated[str, typer.Option(metavar="N[,N...]", help="How many shards.")] = "1,2,4,8",
    searches: Annotated[int, typer.Option(help="Searches of each.")] = 40,
    effort: Effort = "balanced",
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """Processor time, latency and bytes of searches over shards, against one process."""
    from fpmatch.bench.cluster import bench_cluster

    check_target(json_file)
    several = sizes(fingers)
    if json_file is not None and len(several) > 1:
        raise InputError("--json takes one size of gallery")
    for size in several:
        with progress_bar() as progress:
            result = bench_cluster(
                size,
                shards=sizes(shards),
                searches=searches,
                effort=effort,
                cache=cache,
                progress=progress,
            )
        show(result, json_file)
