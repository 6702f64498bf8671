"""How far hosts are with the system of record."""

from __future__ import annotations

from dataclasses import dataclass

from fpmatch.cluster.keeper import Keeper, Lock
from fpmatch.cluster.layout import Layout
from fpmatch.errors import FpmatchError


@dataclass(frozen=True, slots=True)
class HostLevel:
    """How far a host is with one partition.

    Parameters
    ----------
    host, partition : str
    buckets : int
        That it shall hold.
    level : int
        Of these, how many show the gallery as it is now.
    rows : int
        Fingers in all that it holds, of the partition.
    bytes : int
        Of its segments.
    answers : bool
        Whether it could be asked.
    """

    host: str
    partition: str
    buckets: int
    level: int
    rows: int
    bytes: int
    answers: bool


def status(keeper: Keeper, layout: Layout, lock: Lock) -> tuple[HostLevel, ...]:
    """How far every host is with every partition, asked one after the other.

    Parameters
    ----------
    keeper : Keeper
    layout : Layout
    lock : callable
        Of a partition: a lock under which its columns do not change.
    """
    partitions = [info.name for info in keeper.source.gallery.partitions]
    return tuple(_of(keeper, layout, lock, h, p) for p in partitions for h in layout.hosts)


def _of(keeper: Keeper, layout: Layout, lock: Lock, host: str, partition: str) -> HostLevel:
    held = layout.of(host)
    try:
        told = keeper.levels(host, partition).told
    except (FpmatchError, OSError):
        return HostLevel(host, partition, len(held), 0, 0, 0, answers=False)
    with lock(partition):
        stamp = keeper.source.level(partition).stamp
    buckets = {int(n): said for n, said in told["buckets"].items()}
    level = sum(n in buckets and buckets[n][1] == stamp for n in held)
    rows = sum(said[2] for said in buckets.values())
    return HostLevel(host, partition, len(held), level, rows, told["bytes"], answers=True)
