"""A cluster whose hosts Ray runs: made, opened again, shown, and ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fpmatch.checks import check_integer, check_number, check_text, path_of
from fpmatch.cluster.cluster import BUCKETS, Cluster
from fpmatch.cluster.folder import make_folder, read_key
from fpmatch.cluster.layout import MOST_HOSTS, NAME, first_layout, read_layout, write_layout
from fpmatch.cluster.ray_hosts import HostState, RayHosts, running
from fpmatch.cluster.ray_session import RaySession, check_address
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import CorruptError, StorageError

MAKE = "fpmatch.cluster.host:Host"
PLACE = "ray.json"
FOLDER = "~/.fpmatch/hosts"
"""Where a host keeps its rows on its machine, unless said otherwise."""
PATIENCE = 60.0
"""Seconds until a host must have started."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster's hosts are.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` of Ray's head.
    folder : str
        On each machine.
    """

    address: str
    folder: str


@dataclass(frozen=True, slots=True)
class Running:
    """How a cluster's machines are.

    Parameters
    ----------
    address : str
        Of Ray's head.
    head : bool
        Whether it answers.
    token, tls : bool
        Whether Ray asks for a token, and encrypts.
    hosts : sequence of HostState
    """

    address: str
    head: bool
    token: bool
    tls: bool
    hosts: tuple[HostState, ...]


def host_names(hosts: int) -> tuple[str, ...]:
    """Names of so many hosts: h01, h02 and so on.

    Parameters
    ----------
    hosts : int

    Raises
    ------
    InputError
        If it is no number of hosts.
    """
    check_integer("hosts", hosts, 1, MOST_HOSTS)
    return tuple(f"h{number:02d}" for number in range(1, hosts + 1))


def start_on_ray(
    folder: str | Path,
    address: str,
    hosts: int = 2,
    *,
    replicas: int = 2,
    buckets: int = BUCKETS,
    host_folder: str = FOLDER,
    seconds: float = PATIENCE,
) -> Cluster:
    """Have Ray run a cluster's hosts, each on a machine of its own, and open the cluster.

    May be called as often as one likes: hosts that run are left as they are, and a cluster that
    the folder holds keeps its layout. Hosts live on when this process ends, until `stop`.

    Parameters
    ----------
    folder : path
        For layout, key and address.
    address : str
        ``HOST:PORT`` of Ray's head.
    hosts : int
        For a new cluster.
    replicas, buckets : int
        For a new cluster, see `Cluster.start`.
    host_folder : str
        On each machine, for the rows; each host has a folder of its own in it.
    seconds : float
        Until a host must have started.

    Raises
    ------
    InputError
        If a value cannot be used.
    ClusterError
        If Ray cannot be reached, or not all hosts start.
    MissingExtra
        If Ray is not installed.
    StorageError
        If the folder cannot be used.
    """
    place = path_of(folder)
    where = Place(check_address(address), check_text("host_folder", host_folder, empty=False))
    check_number("seconds", seconds, 1, 3600)
    if not (place / NAME).exists():
        layout = first_layout(host_names(hosts), buckets, replicas)
        make_folder(place)
        write_layout(place, layout)
    _write_place(place, where)
    key = read_key(place)
    with _session(place, where, key) as session:
        names = read_layout(place).hosts
        reached = RayHosts.start(session, names, MAKE, where.folder, key, seconds=seconds)
        return Cluster.open(place, transport=reached)


def open_on_ray(folder: str | Path) -> Cluster:
    """Open a cluster whose hosts Ray runs already.

    Hosts that Ray does not know any more are not there until `start_on_ray` is called again: what
    they hold is not covered where no other host holds it.

    Parameters
    ----------
    folder : path

    Raises
    ------
    StorageError
        If it holds no cluster of Ray's.
    CorruptError
        If a file in it is damaged.
    ClusterError
        If Ray cannot be reached.
    MissingExtra
        If Ray is not installed.
    """
    place = path_of(folder)
    where, key = read_place(place), read_key(place)
    with _session(place, where, key) as session:
        return Cluster.open(place, transport=RayHosts(session, read_layout(place).hosts))


def more_hosts(cluster: Cluster, names: tuple[str, ...], *, seconds: float = PATIENCE) -> None:
    """Have Ray start hosts that a cluster shall get by `Cluster.rebalance`.

    Parameters
    ----------
    cluster : Cluster
        Of `start_on_ray` or `open_on_ray`.
    names : tuple of str
    seconds : float

    Raises
    ------
    ClusterError
        If not all of them start.
    """
    transport = _ray_of(cluster)
    place = read_place(cluster.folder)
    transport.more(names, MAKE, place.folder, read_key(cluster.folder), seconds=seconds)


def show(cluster: Cluster, seconds: float = 3.0) -> Running:
    """How a cluster's machines are; works without Ray's head.

    Parameters
    ----------
    cluster : Cluster
    seconds : float
        Until a host that has not answered counts as lost.
    """
    transport = _ray_of(cluster)
    session = transport.session
    return Running(
        session.address,
        not session.head_lost,
        os.environ.get("RAY_AUTH_MODE") == "token",
        os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"),
        transport.states(seconds),
    )


def stop(cluster: Cluster, names: tuple[str, ...] | None = None) -> None:
    """End hosts; what they hold on disk stays.

    Parameters
    ----------
    cluster : Cluster
    names : tuple of str, optional
        All if not given.

    Raises
    ------
    ClusterError
        If Ray's head does not answer.
    """
    _ray_of(cluster).stop(names)


def stray(cluster: Cluster) -> tuple[str, ...]:
    """Hosts that Ray runs for a cluster, and its layout does not name.

    Parameters
    ----------
    cluster : Cluster

    Raises
    ------
    ClusterError
        If Ray's head does not answer.
    """
    known = set(cluster.layout.hosts)
    return tuple(n for n in running(_ray_of(cluster).session) if n not in known)


def read_place(folder: Path) -> Place:
    """Where a cluster's hosts are.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    StorageError
        If the folder holds no cluster of Ray's.
    CorruptError
        If the file is damaged.
    """
    with storage_errors(PLACE):
        try:
            said = json.loads((folder / PLACE).read_bytes())
        except FileNotFoundError:
            raise StorageError(
                f"{folder} holds no cluster that Ray runs: fpmatch cluster start"
            ) from None
        except ValueError as error:
            raise CorruptError(f"{PLACE} cannot be read") from error
    try:
        return Place(check_address(said["address"]), check_text("folder", said["folder"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{PLACE} does not say where the hosts are") from error


def _write_place(folder: Path, place: Place) -> None:
    said = {"address": place.address, "folder": place.folder}
    with storage_errors(PLACE), replacing(folder / PLACE) as file:
        file.write(json.dumps(said, indent=1).encode())


@contextmanager
def _session(folder: Path, place: Place, key: bytes) -> Iterator[RaySession]:
    """A session under a name that no other cluster has; closed again if what follows fails."""
    name = hashlib.sha256(b"namespace" + key).hexdigest()[:16]
    session = RaySession(place.address, f"fpmatch-{name}")
    try:
        yield session
    except BaseException:
        session.close()
        raise


def _ray_of(cluster: Cluster) -> RayHosts:
    """ClusterError unless Ray runs its hosts."""
    transport = cluster.transport
    if not isinstance(transport, RayHosts):
        raise StorageError(f"{cluster.folder} holds no cluster that Ray runs")
    return transport
