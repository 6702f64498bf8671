"""`Cluster`: hosts, the layout of buckets over them, and the engine that searches them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fpmatch.checks import check_flag, path_of
from fpmatch.cluster.asking import Asked, Asking
from fpmatch.cluster.folder import bind, make_folder, read_key
from fpmatch.cluster.grants import Granter
from fpmatch.cluster.holding import Holding
from fpmatch.cluster.in_process import InProcess
from fpmatch.cluster.keeper import Keeper
from fpmatch.cluster.layout import (
    NAME,
    Layout,
    check_hosts,
    first_layout,
    moves,
    read_layout,
    rebalanced,
    write_layout,
)
from fpmatch.cluster.partition import ClusterPartition
from fpmatch.cluster.source import Source
from fpmatch.cluster.status import HostLevel, status
from fpmatch.cluster.transport import Transport
from fpmatch.errors import ClusterError, FpmatchError, StorageError
from fpmatch.gallery import Gallery
from fpmatch.parameters import ASKING
from fpmatch.search.read_write_lock import ReadWriteLock
from fpmatch.search.searcher import PartitionSearcher
from fpmatch.search.shards import Locks

log = logging.getLogger(__name__)
HOSTS = "hosts"
BUCKETS = 32
"""Of a new cluster: how many machines it can grow to, and small enough for one of them."""


class Cluster:
    """Hosts that hold the rows of a gallery's partitions, for one `Engine`.

    Made by `start` or `open`; handed to `Engine.open(..., shards=cluster)`. The engine remains the
    one that decides, logs and releases, and its gallery the one system of record.

    Parameters
    ----------
    folder : Path
        Holds the layout and the key.
    transport : Transport
    key : bytes
    """

    def __init__(self, folder: Path, transport: Transport, key: bytes) -> None:
        self.folder = folder
        self._layout = read_layout(folder)
        self._transport = transport
        self._key = key
        self._asking = Asking(transport)
        self._keeper = Keeper(transport, key, self._asking)
        self._moving = threading.RLock()
        self._holding = Holding(self._layout)
        self._counting = threading.Lock()
        self._bytes = [0, 0]
        self._locks: Locks | None = None

    @classmethod
    def start(
        cls,
        folder: str | Path,
        hosts: Sequence[str] = ("h1", "h2"),
        *,
        replicas: int = 2,
        buckets: int = BUCKETS,
        transport: Transport | None = None,
    ) -> Self:
        """Open a cluster, and make it first if the folder holds none.

        Parameters
        ----------
        folder : path
            For layout and key; whoever reads it can ask hosts for anything, as the engine can.
        hosts : sequence of str
            Names, for a new cluster; one that is there keeps its own.
        replicas : int
            How many hosts hold each bucket, for a new cluster.
        buckets : int
            Into how many pieces every partition is cut, for a new cluster; fixed for good.
        transport : Transport, optional
            How the hosts are reached. Without one they run in this process, with their folders
            in this folder.

        Raises
        ------
        InputError
            If a value cannot be used.
        StorageError
            If the folder cannot be used.
        """
        place = path_of(folder)
        if not (place / NAME).exists():
            layout = first_layout(hosts, buckets, replicas)
            make_folder(place)
            write_layout(place, layout)
        return cls.open(place, transport=transport)

    @classmethod
    def open(cls, folder: str | Path, *, transport: Transport | None = None) -> Self:
        """Open a cluster that there is.

        Parameters
        ----------
        folder : path
        transport : Transport, optional
            As for `start`.

        Raises
        ------
        StorageError
            If there is none.
        CorruptError
            If its layout or its key is damaged.
        """
        place = path_of(folder)
        layout, key = read_layout(place), read_key(place)
        if transport is None:
            transport = InProcess(place / HOSTS, layout.hosts, key)
        return cls(place, transport, key)

    # -- what it is ----------------------------------------------------------------------------

    @property
    def layout(self) -> Layout:
        """Which host holds which bucket, now."""
        return self._layout

    @property
    def transport(self) -> Transport:
        """How hosts are reached."""
        return self._transport

    @property
    def asking(self) -> Asking:
        """Asks hosts, and knows whom not to wait for."""
        return self._asking

    @property
    def counts(self) -> Asked:
        """Calls, retries, hedges and the like since it was opened."""
        return self._asking.counts

    @property
    def bytes_travelled(self) -> tuple[int, int]:
        """Bytes that searches sent and received since it was opened."""
        with self._counting:
            return self._bytes[0], self._bytes[1]

    @property
    def source(self) -> Source:
        """The system of record that hosts follow.

        Raises
        ------
        ClusterError
            If no engine has it open.
        """
        return self._keeper.source

    def status(self) -> tuple[HostLevel, ...]:
        """How far every host is with every partition.

        Raises
        ------
        ClusterError
            If no engine has this cluster open.
        """
        return status(self._keeper, self._layout, self._reading)

    # -- what an engine asks of it -------------------------------------------------------------

    def attach(self, gallery: Gallery, locks: Locks) -> None:
        """Take a gallery to follow; its partitions are brought level by `level`.

        Parameters
        ----------
        gallery : Gallery
        locks : callable
            The lock of a partition.

        Raises
        ------
        StorageError
            If another engine has it open, or it holds another gallery.
        """
        with self._moving:
            if self._locks is not None:
                raise StorageError(
                    "another engine has this cluster open; for a second one open it again"
                )
            bind(self.folder, gallery.secret("handles"))
            self._locks = locks
            self._keeper.attach(Source(gallery, self._layout.buckets), self._reading)

    def detach(self, gallery: Gallery) -> None:
        """Follow a gallery no more, if it is the one.

        Parameters
        ----------
        gallery : Gallery
        """
        if self._keeper.follows(gallery):
            self._keeper.attach(None, self._reading)
            self._locks = None

    def searcher(self, partition: str, lock: ReadWriteLock) -> PartitionSearcher:
        """The capability to search one partition, and no other.

        Parameters
        ----------
        partition : str
        lock : ReadWriteLock
            The partition's.
        """
        gallery = self.source.gallery
        return ClusterPartition(
            partition,
            Granter(self._key, partition),
            self,
            lambda: gallery.columns(partition),
            lambda: gallery.root(partition),
            lock,
        )

    def level(self, partition: str, *, held: bool = True) -> None:
        """Bring all hosts level with a partition that can be reached; the others come later.

        Parameters
        ----------
        partition : str
        held : bool
            Whether the caller holds the partition's lock.
        """
        self._keeper.level(partition, self._layout, held=held)

    def purge(self, partition: str) -> None:
        """See that no host keeps a byte of what was removed from a partition.

        Parameters
        ----------
        partition : str

        Raises
        ------
        ClusterError
            If a host cannot be reached.
        """
        # A bucket that is on its way may have been read before the removal.
        with self._holding.still() as held:
            self._keeper.purge(partition, held)

    def catch_up(
        self, host: str, partition: str, buckets: Sequence[int], until: float | None
    ) -> None:
        """Bring a host level that a search has found behind.

        Parameters
        ----------
        host, partition : str
        buckets : sequence of int
        until : float or None
            How long the search waits for it, in `time.monotonic`; None: not at all.
        """
        if until is None:
            self._keeper.soon(host, partition, buckets)
            return
        with suppress(FpmatchError, OSError):
            # A search holds the partition's lock for reading. Nobody else holds what it asks for.
            most = ASKING.lost_after
            self._keeper.bring(host, partition, buckets, held=True, patience=most, until=until)

    def tell(self, host: str, call: bytes) -> None:
        """Send a call whose answer nobody waits for.

        Parameters
        ----------
        host : str
        call : bytes
        """
        with suppress(FpmatchError):
            sent = self._transport.submit(host, call)
            sent.add_done_callback(lambda f: f.cancelled() or f.exception())

    def travelled(self, sent: int, received: int) -> None:
        """Count bytes of a search.

        Parameters
        ----------
        sent, received : int
        """
        with self._counting:
            self._bytes[0] += sent
            self._bytes[1] += received

    def _reading(self, partition: str) -> AbstractContextManager[Any]:
        if self._locks is None:
            raise ClusterError("no engine has opened a gallery over this cluster")
        return self._locks(partition).reading()

    # -- hosts come and go ---------------------------------------------------------------------

    def rebalance(self, hosts: Sequence[str], *, copy: bool = True) -> Layout:
        """Have these hosts hold everything, while searches go on; the new layout.

        Segments are copied from hosts that have them; what cannot be copied comes from the system
        of record. Until all is there, the old layout holds. A crash leaves the old one or the new.

        Parameters
        ----------
        hosts : sequence of str
            All that there shall be, each known to the transport.
        copy : bool
            Copy segments; without, hosts make them anew.

        Raises
        ------
        InputError
            If the transport knows no such host.
        ClusterError
            If no engine has this cluster open, or a bucket would be nowhere.
        """
        check_flag("copy", copy)
        names = check_hosts(hosts)
        with self._moving:
            old, source = self._layout, self.source
            if isinstance(self._transport, InProcess):
                for name in names:
                    self._transport.start(name)
            new = rebalanced(old, names)
            if new is old:
                return old
            partitions = [info.name for info in source.gallery.partitions]
            for partition in partitions if copy else ():
                for host, buckets in moves(old, new).items():
                    self._copy(partition, host, buckets, old)
            write_layout(self.folder, new)
            self._holding.also(new)
            self._layout = new
            for partition in partitions:
                for host in new.hosts:
                    self._keeper.forget(host, partition)
                missing = self._keeper.level(partition, new, held=False)
                if missing:
                    log.warning("hosts %s are not level yet", ", ".join(missing))
            self._drop(partitions, old, new)
            self._holding.only(new)
            return new

    def _copy(self, partition: str, host: str, buckets: Sequence[int], old: Layout) -> None:
        for number in buckets:
            for source in old.places[number]:
                try:
                    with self._holding.copying(number, host):
                        self._keeper.move(partition, number, source, host)
                    break
                except (FpmatchError, OSError) as error:
                    log.info("bucket %d was not copied from %s: %s", number, source, error)

    def _drop(self, partitions: Sequence[str], old: Layout, new: Layout) -> None:
        """Have hosts delete what they hold no more; one that is away does so when it is back."""
        for host in old.hosts:
            gone = sorted(set(old.of(host)) - set(new.of(host)))
            for partition in partitions if gone else ():
                with suppress(FpmatchError, OSError):
                    self._keeper.drop(host, partition, gone)

    def close(self) -> None:
        """Let go of hosts and threads. Hosts of this process end and commit what they have."""
        self._keeper.close()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Cluster, {len(self._layout.hosts)} hosts, {self._layout.buckets} buckets>"
