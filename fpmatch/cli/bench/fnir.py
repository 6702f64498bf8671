"""``fpmatch bench fnir``: misses at a fixed rate of false alarms."""

from __future__ import annotations

from typing import Annotated

import typer

from fpmatch.cli.bench.gallery import Cache, Threads
from fpmatch.cli.bench.measure import IdentitiesFile, PpiMap, Probes, show
from fpmatch.cli.inputs import Extractor
from fpmatch.cli.output import JsonFile, check_target, progress_bar


def fnir_command(
    fingers: Annotated[int, typer.Option(help="Fingers in the gallery.")] = 100_000,
    nonmated: Annotated[
        int, typer.Option(help="Searches by synthetic fingers that are not enrolled.")
    ] = 10_000,
    mated: Annotated[int, typer.Option(help="Searches by enrolled synthetic fingers.")] = 1000,
    probes: Probes = None,
    ppi_map: PpiMap = None,
    identities: IdentitiesFile = None,
    extractor: Extractor = None,
    efforts: Annotated[
        str, typer.Option(metavar="E[,E...]", help="Efforts; the last is what others are held to.")
    ] = "balanced,scan",
    threads: Threads = 1,
    cache: Cache = None,
    json_file: JsonFile = None,
) -> None:
    """FNIR at FPIR 0.1 % and 1 % with intervals, of several efforts in one gallery."""
    from fpmatch.bench.fnir import bench_fnir

    check_target(json_file)
    with progress_bar() as progress:
        result = bench_fnir(
            fingers,
            probes or (),
            ppi_map=ppi_map,
            identities=identities,
            extractor=extractor,
            nonmated=nonmated,
            mated=mated,
            efforts=tuple(efforts.split(",")),
            threads=threads,
            cache=cache,
            progress=progress,
        )
    show(result, json_file)
