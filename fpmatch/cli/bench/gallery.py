"""``fpmatch bench search|mask|batch|build|open``: galleries of synthetic fingers, any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpmatch.cli.bench.measure import IdentitiesFile, PpiMap, Probes, show
from fpmatch.cli.inputs import Extractor
from fpmatch.cli.output import JsonFile, Progress, check_target, progress_bar
from fpmatch.errors import InputError

if TYPE_CHECKING:
    from fpmatch.bench.measure import Bench

Fingers = Annotated[
    str, typer.Option(metavar="N[,N...]", help="Fingers in the gallery; several sizes by commas.")
]
Effort = Annotated[str, typer.Option(help="fast, balanced, scan or exhaustive.")]
Threads = Annotated[int, typer.Option(help="Threads of a search.")]
Cache = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep built galleries here for the next run.")
]


def search_command(
    fingers: Fingers = "10000",
    probes: Probes = None,
    ppi_map: PpiMap = None,
    identities: IdentitiesFile = None,
    extractor: Extractor = None,
    effort: Effort = "balanced",
    threads: Threads = 1,
    scan_probes: Annotated[
        int, typer.Option(help="Probes searched with effort scan above 150 000 fingers.")
    ] = 140,
    peer: Annotated[str, typer.Option(help="nbis (if it is installed) or none.")] = "nbis",
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """Time and rank-1 of single-finger searches, growth with the gallery, bytes a finger."""
    from fpmatch.bench.search import bench_search

    check_target(json_file)
    with progress_bar() as progress:
        result = bench_search(
            sizes(fingers),
            probes or (),
            ppi_map=ppi_map,
            identities=identities,
            extractor=extractor,
            effort=effort,
            threads=threads,
            scan_probes=scan_probes,
            peer=peer,
            cache=cache,
            progress=progress,
        )
    show(result, json_file)


def mask_command(
    fingers: Fingers = "10000",
    effort: Effort = "balanced",
    threads: Threads = 1,
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """What barring a share of the records costs a search."""
    from fpmatch.bench.index import bench_mask

    def one(n: int, progress: Progress | None) -> Bench:
        return bench_mask(n, effort=effort, threads=threads, cache=cache, progress=progress)

    _each(fingers, one, json_file)


def batch_command(
    fingers: Fingers = "10000",
    size: Annotated[int, typer.Option("--batch", help="Searches in a batch.")] = 32,
    threads: Threads = 1,
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """Batches against single searches."""
    from fpmatch.bench.index import bench_batch

    def one(n: int, progress: Progress | None) -> Bench:
        return bench_batch(n, batch=size, threads=threads, cache=cache, progress=progress)

    _each(fingers, one, json_file)


def build_command(
    fingers: Fingers = "10000", cache: Cache = None, json_file: JsonFile = None
) -> None:
    """Enrolment into an index, its merges and its size."""
    from fpmatch.bench.index import bench_build

    _each(fingers, lambda n, p: bench_build(n, cache=cache, progress=p), json_file)


def open_command(
    fingers: Fingers = "10000", cache: Cache = None, json_file: JsonFile = None
) -> None:
    """Opening an index, its first searches, and opening a whole gallery."""
    from fpmatch.bench.index import bench_open

    _each(fingers, lambda n, p: bench_open(n, cache=cache, progress=p), json_file)


def sizes(text: str) -> list[int]:
    """Read ``N[,N...]``.

    Raises
    ------
    InputError
        If one of them is no whole number from 1.
    """
    try:
        out = sorted({int(part) for part in text.replace("_", "").split(",")})
    except ValueError:
        raise InputError(f"--fingers {text!r} must be whole numbers separated by commas") from None
    if out[0] < 1:
        raise InputError(f"--fingers {text!r}: at least one finger")
    return out


def _each(
    fingers: str, one: Callable[[int, Progress | None], Bench], json_file: str | None
) -> None:
    """Measure every size; the largest is the result, all of them are listed."""
    check_target(json_file)
    with progress_bar() as progress:
        results = [one(n, progress) for n in sizes(fingers)]
    last = results[-1]
    if len(results) > 1:
        last = replace(last, figures={**last.figures, "by_fingers": [r.figures for r in results]})
    show(last, json_file)
