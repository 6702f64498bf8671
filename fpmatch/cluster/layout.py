"""Which host holds which bucket: a stored, checked file, and how it changes when hosts do."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fpmatch.checks import check_integer, check_several, check_text, quoted
from fpmatch.cluster.buckets import MOST_BUCKETS
from fpmatch.durable import replacing, storage_errors
from fpmatch.errors import CorruptError, InputError, StorageError

NAME = "layout.json"
FORMAT = 1
MOST_HOSTS = 1024
MOST_REPLICAS = 8
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """Which hosts hold each bucket, of all partitions alike.

    Parameters
    ----------
    version : int
        Grows with every change, from 1. A host obeys no layout older than one it has seen.
    replicas : int
        How many hosts shall hold a bucket; fewer do where there are fewer hosts.
    places : tuple of tuple of str
        Of each bucket the hosts that hold it, each another.
    """

    version: int
    replicas: int
    places: tuple[tuple[str, ...], ...]

    @property
    def buckets(self) -> int:
        """How many buckets there are; fixed when the cluster is made."""
        return len(self.places)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that hold any, ascending."""
        return tuple(sorted({host for held in self.places for host in held}))

    def of(self, host: str) -> tuple[int, ...]:
        """The buckets that a host holds, ascending."""
        return tuple(n for n, held in enumerate(self.places) if host in held)

    def sets(self) -> tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]:
        """Hosts that hold the same, with the buckets that they hold together; in order."""
        found: dict[tuple[str, ...], list[int]] = {}
        for number, held in enumerate(self.places):
            found.setdefault(tuple(sorted(held)), []).append(number)
        return tuple((held, tuple(which)) for held, which in sorted(found.items()))


def first_layout(hosts: Sequence[str], buckets: int, replicas: int) -> Layout:
    """A layout for new hosts: neighbours in a ring hold the same, and all hold equally much.

    A ring has as many sets of replicas as hosts, so that a search asks each host about once.

    Parameters
    ----------
    hosts : sequence of str
    buckets : int
        Fixed from now on; at least one.
    replicas : int
        At least one.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    names = check_hosts(hosts)
    check_integer("buckets", buckets, 1, MOST_BUCKETS)
    check_integer("replicas", replicas, 1, MOST_REPLICAS)
    several = min(replicas, len(names))
    places = []
    for number in range(buckets):
        at = number * len(names) // buckets if buckets >= len(names) else number
        places.append(tuple(names[(at + n) % len(names)] for n in range(several)))
    return Layout(1, replicas, tuple(places))


def rebalanced(layout: Layout, hosts: Sequence[str]) -> Layout:
    """The layout for other hosts, which moves as few buckets as it takes.

    Hosts that are gone hold nothing any more; each bucket gets its replicas again; then single
    replicas move from the fullest host to the emptiest, until no two differ by more than one.

    Parameters
    ----------
    layout : Layout
    hosts : sequence of str
        All that there shall be.

    Returns
    -------
    Layout
        Of the next version; the same one where nothing has to move.
    """
    names = check_hosts(hosts)
    several = min(layout.replicas, len(names))
    places = [[host for host in held if host in set(names)][:several] for held in layout.places]
    load = Counter(dict.fromkeys(names, 0))
    load.update(host for held in places for host in held)
    for held in places:
        while len(held) < several:
            held.append(min((n for n in names if n not in held), key=lambda n: (load[n], n)))
            load[held[-1]] += 1
    while True:
        fullest = max(names, key=lambda n: (load[n], n))
        moved = _lighten(places, load, fullest, names)
        if not moved:
            break
    told = tuple(tuple(held) for held in places)
    if told == layout.places:
        return layout
    return replace(layout, version=layout.version + 1, places=told)


def _lighten(
    places: list[list[str]], load: Counter[str], fullest: str, names: Sequence[str]
) -> bool:
    """Move one replica off the fullest host, if that makes it more even."""
    for emptiest in sorted(names, key=lambda n: (load[n], n)):
        if load[fullest] - load[emptiest] < 2:
            return False
        for held in places:
            if fullest in held and emptiest not in held:
                held[held.index(fullest)] = emptiest
                load[fullest] -= 1
                load[emptiest] += 1
                return True
    return False


def moves(old: Layout, new: Layout) -> Mapping[str, tuple[int, ...]]:
    """The buckets that each host of a new layout has to get, where there are any."""
    out = {}
    for host in new.hosts:
        wanted = sorted(set(new.of(host)) - set(old.of(host)))
        if wanted:
            out[host] = tuple(wanted)
    return out


def joined(held: Layout, new: Layout, *more: tuple[int, str]) -> Layout:
    """Who may hold what while buckets move: by either of two layouts, or by a copy.

    Parameters
    ----------
    held, new : Layout
    *more : (int, str)
        Buckets, each with a host that it is copied to.
    """
    places = [dict.fromkeys((*a, *b)) for a, b in zip(held.places, new.places, strict=True)]
    for number, host in more:
        places[number][host] = None
    return replace(new, places=tuple(map(tuple, places)))


def check_hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    """Names of hosts, ascending.

    Raises
    ------
    InputError
        If there is none, one comes twice, or cannot be a name.
    """
    told = check_several("hosts", hosts, most=MOST_HOSTS)
    names = tuple(sorted(check_text("a host", n, longest=LONGEST_NAME, empty=False) for n in told))
    if not names or len(set(names)) < len(names):
        raise InputError("hosts must be named, each once, and there must be one")
    for name in names:
        if not all(c.isalnum() or c in "-_." for c in name) or name.startswith("."):
            raise InputError(f"a host is named by letters, digits, - _ and ., not {quoted(name)}")
    return names


def write_layout(folder: Path, layout: Layout) -> None:
    """Store a layout so that a crash leaves the old one or the new one.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    body = {
        "format": FORMAT,
        "version": layout.version,
        "replicas": layout.replicas,
        "places": layout.places,
    }
    with storage_errors(NAME), replacing(folder / NAME) as file:
        file.write(json.dumps({**body, "sha256": _digest(body)}, indent=1).encode())


def read_layout(folder: Path) -> Layout:
    """Read what `write_layout` stored.

    Raises
    ------
    StorageError
        If there is none.
    CorruptError
        If it is damaged, or of another release.
    """
    try:
        content = (folder / NAME).read_bytes()
    except FileNotFoundError:
        raise StorageError(f"{folder} holds no cluster") from None
    except OSError as error:
        raise StorageError(f"{NAME} cannot be read: {error.strerror}") from error
    try:
        told = json.loads(content)
        digest = told.pop("sha256")
        if digest != _digest(told):
            raise CorruptError(f"{NAME}: its digest differs")
        if told["format"] != FORMAT:
            raise CorruptError(f"{NAME} has format {told['format']}; this release reads {FORMAT}")
        places = tuple(check_hosts(held) and tuple(held) for held in told["places"])
        check_integer("buckets", len(places), 1, MOST_BUCKETS)
        return Layout(
            check_integer("version", told["version"], 1, 2**53),
            check_integer("replicas", told["replicas"], 1, MOST_REPLICAS),
            places,
        )
    except CorruptError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{NAME} cannot be read: {error}") from None


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
