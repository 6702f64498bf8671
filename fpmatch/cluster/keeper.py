"""Brings hosts level with the system of record, and buckets to the hosts that shall hold them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from fpmatch.cluster.asking import Asking
from fpmatch.cluster.calling import Line
from fpmatch.cluster.changes import Changes
from fpmatch.cluster.grants import Level
from fpmatch.cluster.layout import Layout
from fpmatch.cluster.messages import Behind, Reply
from fpmatch.cluster.moving import PIECE
from fpmatch.cluster.source import Source
from fpmatch.cluster.transport import Transport
from fpmatch.errors import ClusterError, FpmatchError, HostLost
from fpmatch.gallery import Gallery
from fpmatch.parameters import SEARCH

log = logging.getLogger(__name__)
PATIENCE = 1.0
"""How long whoever holds a partition's lock, and keeps searches waiting, waits for another thread
that brings a host level, or for signs of life of that host."""
ROUNDS = 8
"""How often a host may lack more rows than it was given before it is given up."""

Lock = Callable[[str], AbstractContextManager[Any]]
"""Of a partition: a lock under which its columns do not change."""


class Keeper:
    """Has every host that can be reached hold what it should, and knows which do.

    Parameters
    ----------
    transport : Transport
    key : bytes
        Of the cluster.
    asking : Asking
        Knows whom it is no use to wait for.
    """

    def __init__(self, transport: Transport, key: bytes, asking: Asking) -> None:
        self._transport = transport
        self._key = key
        self._asking = asking
        self._source: Source | None = None
        self._lock: Lock = lambda _: nullcontext()
        self._hosts = threading.Lock()
        self._busy: dict[tuple[str, str], threading.Lock] = {}
        self._believed: dict[tuple[str, str], int] = {}
        self._coming: set[tuple[str, str]] = set()
        self._again: set[tuple[str, str]] = set()
        self._pool = ThreadPoolExecutor(16, "fpmatch-keep")
        self._later = ThreadPoolExecutor(1, "fpmatch-catch-up")

    def attach(self, source: Source | None, lock: Lock) -> None:
        """Take a system of record to follow, or none.

        Parameters
        ----------
        source : Source or None
        lock : callable
        """
        self._source, self._lock = source, lock
        self._believed.clear()

    def follows(self, gallery: Gallery) -> bool:
        """Whether it is this gallery that hosts follow."""
        return self._source is not None and self._source.gallery is gallery

    @property
    def source(self) -> Source:
        """What hosts follow.

        Raises
        ------
        ClusterError
            If no engine has this cluster open.
        """
        if self._source is None:
            raise ClusterError("no engine has opened a gallery over this cluster")
        return self._source

    # -- hosts follow --------------------------------------------------------------------------

    def level(self, partition: str, layout: Layout, *, held: bool) -> tuple[str, ...]:
        """Bring all hosts level that can be reached; the others, which come level later.

        Parameters
        ----------
        partition : str
        layout : Layout
        held : bool
            Whether the caller holds the partition's lock.
        """

        def one(host: str) -> str:
            try:
                self.bring(host, partition, layout.of(host), held=held)
                return ""
            except (FpmatchError, OSError) as error:
                log.warning("host %s is not level: %s", host, error)
                if isinstance(error, HostLost):
                    # Nobody shall wait for it again until it has answered a ping.
                    self._asking.suspect(host)
                with self._hosts:
                    self._believed.pop((host, partition), None)
                return host

        self._asking.look()
        if not held:
            # Nobody waits for this: one that was only slow is not left out.
            self._each(self._asking.suspects, lambda host: self._listen(host, partition))
        suspects = set(self._asking.suspects)
        sound = [host for host in layout.hosts if host not in suspects]
        missing = {host for host in layout.hosts if host in suspects}
        with self._hosts:
            for host in missing:
                self._believed.pop((host, partition), None)
        missing |= {host for host in self._pool.map(one, sound) if host}
        return tuple(sorted(missing))

    def soon(self, host: str, partition: str, buckets: Sequence[int]) -> None:
        """Bring a host level when there is time, beside everything else.

        Parameters
        ----------
        host, partition : str
        buckets : sequence of int
        """
        with self._hosts:
            if (host, partition) in self._coming:
                return
            self._coming.add((host, partition))

        def work() -> None:
            try:
                self.bring(host, partition, buckets, held=False)
            except (FpmatchError, OSError) as error:
                log.warning("host %s is not level yet: %s", host, error)
            finally:
                with self._hosts:
                    self._coming.discard((host, partition))

        self._later.submit(work)

    def bring(
        self,
        host: str,
        partition: str,
        buckets: Sequence[int],
        *,
        held: bool,
        patience: float = PATIENCE,
        until: float | None = None,
    ) -> None:
        """Bring one host's buckets level, however far behind they are.

        Parameters
        ----------
        host, partition : str
        buckets : sequence of int
        held : bool
            Whether the caller holds the partition's lock.
        patience : float
            Seconds that it waits then for another thread that brings the host level, and for
            signs of life of the host.
        until : float, optional
            `time.monotonic` when the caller has no time left: what has come so far stays.

        Raises
        ------
        HostLost
            If it does not answer, or not in time.
        FpmatchError
            Whatever it refuses.
        """
        if until is not None:
            patience = min(patience, max(until - time.monotonic(), 0.0))
        which = (host, partition)
        with self._hosts:
            busy = self._busy.setdefault(which, threading.Lock())
            self._again.add(which)
        # Who holds the partition's lock must not wait long for one that may be waiting for it;
        # whoever brings the host already does so once more then.
        if not busy.acquire(timeout=patience if held else -1):
            raise HostLost(f"host {host} is being brought level")
        try:
            line = self._line(host, partition)
            if held:
                line = replace(line, silent=patience, until=until)
            while which in self._again:
                with self._hosts:
                    self._again.discard(which)
                self._bring(line, buckets, held=held)
        finally:
            busy.release()

    def _bring(self, line: Line, buckets: Sequence[int], *, held: bool) -> None:
        believed = self._believed.get((line.host, line.partition))
        if believed is not None:
            try:
                self._follow(line, believed, buckets)
                return
            except Behind:
                # It has begun again meanwhile, from what it had on disk.
                pass
        self._begin(line, buckets, held=held)

    def _begin(self, line: Line, buckets: Sequence[int], *, held: bool) -> None:
        """Bring a host level of which nothing is known: what it says is checked by digests."""
        source, partition = self.source, line.partition
        lock = nullcontext() if held else self._lock(partition)
        told = line.ask("levels", {"digest": False}).told["buckets"]
        expected = source.gallery.expected(partition)
        stray = [int(n) for n in told if int(n) not in set(buckets)]
        if stray:
            line.ask("drop", {"buckets": stray})
        line.ask("hold", {"buckets": list(buckets), "expected": expected})
        with lock:
            now = source.level(partition)
        levels = {n: told.get(str(n), [0, "", 0, 0]) for n in buckets}
        old = [n for n in buckets if levels[n][1] and levels[n][0] <= now.seq]
        if old:
            least = min(levels[n][0] for n in old)
            found = source.since(partition, least, old)
            if found is not None:
                self._tell(line, *found)
        # Of its own levels none is believed: the digest says if the state is the one that it
        # should be.
        told = line.ask("levels", {"digest": True}).told["buckets"]
        lock = nullcontext() if held else self._lock(partition)
        with lock:
            level, everything = source.everything(partition, buckets)
        wrong = {
            n: changed
            for n, changed in everything.buckets.items()
            if told[str(n)][1] != level.stamp or told[str(n)][3] != changed.now.digest()
        }
        if wrong:
            self._tell(line, level, Changes(None, wrong))
        with self._hosts:
            self._believed[line.host, line.partition] = level.seq

    def _follow(self, line: Line, seq: int, buckets: Sequence[int]) -> None:
        found = self.source.since(line.partition, seq, buckets)
        if found is None:
            raise Behind("changes since then have been forgotten")
        level, changes = found
        self._tell(line, level, changes)
        with self._hosts:
            self._believed[line.host, line.partition] = level.seq

    def _tell(self, line: Line, level: Level, changes: Changes) -> None:
        """Have a host apply changes, giving it the rows that it lacks."""
        body = changes.to_bytes()
        for _ in range(ROUNDS):
            reply = line.ask("follow", {}, [body], level)
            lacks = np.frombuffer(reply.blobs[0], np.int64)
            if not len(lacks):
                return
            for number, changed in changes.buckets.items():
                rows = np.intersect1d(lacks, changed.now.rows)
                pieces = self.source.templates(line.partition, rows, SEARCH.enrol_batch)
                for some, templates in pieces:
                    at = np.searchsorted(changed.now.rows, some)
                    positions = changed.now.positions[at].astype(np.int64)
                    blobs = [some.tobytes(), positions.tobytes(), *templates]
                    line.ask("put", {"bucket": number}, blobs)
        raise ClusterError(f"host {line.host} does not come level with partition {line.partition}")

    # -- what is gone, and where things are ----------------------------------------------------

    def purge(self, partition: str, layout: Layout) -> None:
        """See that no host keeps a byte of what was removed.

        Parameters
        ----------
        partition : str
        layout : Layout
            Who may hold what. Others that answer are emptied.

        Raises
        ------
        ClusterError
            If a host cannot be reached or is not level: the removal is not finished then, and is
            tried again by the next call.
        """
        missing = self.level(partition, layout, held=False)
        if missing:
            raise ClusterError(
                f"hosts {', '.join(missing)} cannot be reached: what was removed is in no search "
                "any more, but on their disks until they are back, or are taken from the cluster"
            )
        self._each(layout.hosts, lambda h: self._line(h, partition).ask("commit", {"purge": True}))
        strangers = set(self._transport.hosts) - {*layout.hosts, *self._asking.suspects}
        self._each(strangers, lambda host: self._empty(host, partition))

    def _empty(self, host: str, partition: str) -> None:
        """Have a host that shall hold nothing delete what a move that was broken off has left."""
        line = self._line(host, partition)
        try:
            told = line.ask("levels", {"digest": False}).told["buckets"]
            line.ask("drop", {"buckets": [int(n) for n in told]})
            line.ask("commit", {"purge": True})
        except (FpmatchError, OSError) as error:
            log.warning("host %s, which should hold nothing, was not emptied: %s", host, error)
            if isinstance(error, HostLost):
                self._asking.suspect(host)

    def move(self, partition: str, bucket: int, source: str, target: str) -> None:
        """Copy a bucket's files from one host to another, where it replaces what is there.

        Parameters
        ----------
        partition : str
        bucket : int
        source, target : str

        Raises
        ------
        HostLost
            If one of them does not answer.
        ClusterError
            If the bucket has changed meanwhile.
        """
        told = self._line(source, partition).ask("files", {"bucket": bucket}).told["files"]
        for name, size in told:
            at = 0
            while at < size or not at:
                asked = {"bucket": bucket, "file": name, "from": at, "most": PIECE}
                piece = self._line(source, partition).ask("read", asked).blobs[0]
                said = {"bucket": bucket, "file": name, "from": at}
                self._line(target, partition).ask("write", said, [piece])
                at += len(piece)
                if not piece:
                    break
            if at != size:
                raise ClusterError("a bucket has changed while it was copied; try again")
        expected = self.source.gallery.expected(partition)
        self._line(target, partition).ask("adopt", {"bucket": bucket, "expected": expected})

    def drop(self, host: str, partition: str, buckets: Sequence[int]) -> None:
        """Have a host delete buckets.

        Parameters
        ----------
        host, partition : str
        buckets : sequence of int
        """
        self._line(host, partition).ask("drop", {"buckets": list(buckets)})

    def levels(self, host: str, partition: str) -> Reply:
        """What a host holds of a partition: of each bucket level, rows and digest.

        Parameters
        ----------
        host, partition : str
        """
        return self._line(host, partition).ask("levels", {"digest": True})

    def forget(self, host: str, partition: str) -> None:
        """Believe nothing of a host any more.

        Parameters
        ----------
        host, partition : str
        """
        with self._hosts:
            self._believed.pop((host, partition), None)

    def close(self) -> None:
        """Let go of threads."""
        self._later.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    # -- one call ------------------------------------------------------------------------------

    def _each(self, hosts: Iterable[str], do: Callable[[str], object]) -> None:
        for future in [self._pool.submit(do, host) for host in hosts]:
            future.result()

    def _listen(self, host: str, partition: str) -> None:
        if host in self._transport.hosts and self._line(host, partition).lives():
            self._asking.clear(host)

    def _line(self, host: str, partition: str) -> Line:
        return Line(self._transport, self._key, host, partition)
