"""``fpmatch cluster``: the hosts of a gallery that one machine does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fpmatch.cli.gallery import Gallery
from fpmatch.cli.opened import EngineFile, opened
from fpmatch.cli.output import JsonFile, emit, table

if TYPE_CHECKING:
    from fpmatch.cluster import Cluster
    from fpmatch.cluster.ray_cluster import Running

Folder = Annotated[
    Path | None,
    typer.Option(
        "--cluster",
        metavar="DIR",
        help="Folder of layout, key and address; the gallery's name with .cluster, by default.",
    ),
]
Seconds = Annotated[float, typer.Option(help="Until a host must have started.")]


def start_command(
    gallery: Gallery,
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Of Ray's head, as ray start --head prints it.")
    ],
    hosts: Annotated[int, typer.Option(help="How many, for a new cluster.")] = 2,
    replicas: Annotated[int, typer.Option(help="Hosts that hold the same, likewise.")] = 2,
    buckets: Annotated[
        int, typer.Option(help="Pieces of each partition, likewise; fixed for good.")
    ] = 32,
    host_folder: Annotated[
        str, typer.Option(metavar="DIR", help="On each machine, for its rows.")
    ] = "~/.fpmatch/hosts",
    seconds: Seconds = 60.0,
    cluster: Folder = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Have Ray run the hosts of a gallery, one a machine, and bring them what they lack."""
    from fpmatch.cluster.ray_cluster import start_on_ray

    place = _folder(gallery, cluster)
    made = start_on_ray(
        place,
        address,
        hosts,
        replicas=replicas,
        buckets=buckets,
        host_folder=host_folder,
        seconds=seconds,
    )
    with made, opened(gallery, engine_file, "rw", shards=made):
        _show(made, json_file)


def status_command(
    gallery: Gallery,
    cluster: Folder = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """What each host holds, whether it answers, and how Ray is; status 1 if anything is amiss."""
    with _opened(gallery, cluster) as made, opened(gallery, engine_file, "r", shards=made):
        well = _show(made, json_file)
    if not well:
        raise typer.Exit(1)


def rebalance_command(
    gallery: Gallery,
    hosts: Annotated[
        str | None,
        typer.Option(metavar="N or NAME[,NAME...]", help="All that there shall be afterwards."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy/--anew", help="Copy segments, or have hosts make them anew.")
    ] = True,
    seconds: Seconds = 60.0,
    cluster: Folder = None,
    engine_file: EngineFile = None,
    json_file: JsonFile = None,
) -> None:
    """Spread a gallery over more, fewer or other hosts while it is searched."""
    from fpmatch.cluster.ray_cluster import more_hosts, stop, stray

    with _opened(gallery, cluster) as made, opened(gallery, engine_file, "rw", shards=made):
        names = _names(made, hosts)
        new = tuple(name for name in names if name not in made.layout.hosts)
        if new:
            more_hosts(made, new, seconds=seconds)
        made.rebalance(names, copy=copy)
        left = stray(made)
        stop(made, left)
        _show(made, json_file)


def stop_command(
    gallery: Gallery,
    cluster: Folder = None,
    json_file: JsonFile = None,
) -> None:
    """End the hosts; what they hold stays on their disks, and start goes on from there."""
    from fpmatch.cluster.ray_cluster import show, stop

    with _opened(gallery, cluster) as made:
        ended = [host.name for host in show(made).hosts]
        stop(made)
    emit({"stopped": ended}, json_file, table(["host", "now"], [(h, "ended") for h in ended]))


def _folder(gallery: Path, said: Path | None) -> Path:
    return gallery.with_name(f"{gallery.name}.cluster") if said is None else said


@contextmanager
def _opened(gallery: Path, said: Path | None) -> Iterator[Cluster]:
    from fpmatch.cluster.ray_cluster import open_on_ray

    with open_on_ray(_folder(gallery, said)) as made:
        yield made


def _names(made: Cluster, said: str | None) -> tuple[str, ...]:
    """The hosts that there shall be: those of now, so many, or these."""
    from fpmatch.cluster.ray_cluster import host_names

    if said is None:
        return made.layout.hosts
    if said.isdecimal():
        return host_names(int(said))
    return tuple(name.strip() for name in said.split(","))


def _show(made: Cluster, json_file: str | None) -> bool:
    """Print how a cluster is; whether all is well."""
    from fpmatch.cluster.ray_cluster import show

    how, levels, layout = show(made), made.status(), made.layout
    well = how.head and all(h.alive for h in how.hosts)
    well &= all(one.answers and one.level == one.buckets for one in levels)
    result = {
        "well": well,
        "layout": {
            "version": layout.version,
            "buckets": layout.buckets,
            "replicas": layout.replicas,
            "hosts": {host: layout.of(host) for host in layout.hosts},
        },
        "ray": {"address": how.address, "head": how.head, "token": how.token, "tls": how.tls},
        "hosts": [asdict(host) for host in how.hosts],
        "partitions": [asdict(one) for one in levels],
    }
    machines = [
        (h.name, "yes" if h.alive else "NO", h.node, h.milliseconds, len(layout.of(h.name)))
        for h in how.hosts
    ]
    rows = [
        (one.host, one.partition, one.rows, one.bytes, f"{one.level} of {one.buckets}")
        for one in levels
    ]
    emit(
        result,
        json_file,
        table(["host", "answers", "machine", "ms", "buckets"], machines),
        table(["host", "partition", "fingers", "bytes", "level"], rows),
        _in_words(how),
    )
    return well


def _in_words(how: Running) -> str:
    head = "answers" if how.head else "IS LOST (docs/cluster.md, 'When the head is lost')"
    return (
        f"Ray's head at {how.address} {head}; token {'on' if how.token else 'OFF'}, "
        f"TLS {'on' if how.tls else 'off'}."
    )
