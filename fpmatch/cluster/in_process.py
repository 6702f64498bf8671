"""Hosts in this process: for tests, for trying out, and to measure what splitting alone costs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from fpmatch.checks import quoted
from fpmatch.cluster.host import Host
from fpmatch.cluster.transport import PING
from fpmatch.errors import HostLost, InputError


class InProcess:
    """A `Transport` over hosts that it makes in this process, each with a folder of its own.

    Parameters
    ----------
    folder : Path
        Each host has the folder of its name in it.
    names : sequence of str
    key : bytes
    threads : int
        Calls that are answered at a time, of all hosts together.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], key: bytes, threads: int = 16) -> None:
        self._folder = folder
        self._key = key
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}
        self._pool = ThreadPoolExecutor(threads, "fpmatch-host")
        for name in names:
            self.start(name)

    @property
    def hosts(self) -> tuple[str, ...]:
        """See `Transport`."""
        return tuple(sorted(self._hosts))

    @property
    def running(self) -> Mapping[str, Host]:
        """The hosts themselves."""
        return dict(self._hosts)

    def start(self, name: str) -> None:
        """Make a host, over what its folder holds; without effect on one that is there."""
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = Host(name, self._folder / name, self._key)

    def stop(self, name: str) -> None:
        """End a host; its folder stays."""
        with self._lock:
            host = self._hosts.pop(name, None)
        if host is not None:
            host.close()

    def submit(self, host: str, call: bytes) -> Future[bytes]:
        """See `Transport`.

        Parameters
        ----------
        host : str
        call : bytes

        Raises
        ------
        InputError
            If there is no host of that name.
        HostLost
            If this is closed.
        """
        there = self._hosts.get(host)
        if there is None:
            if not (self._folder / host).exists():
                raise InputError(f"there is no host {quoted(host)}")
            lost: Future[bytes] = Future()
            lost.set_exception(HostLost(f"host {host} has been ended"))
            return lost
        if call == PING:
            here: Future[bytes] = Future()
            here.set_result(PING)
            return here
        try:
            return self._pool.submit(there.answer, call)
        except RuntimeError as error:
            raise HostLost("this cluster is closed") from error

    def close(self) -> None:
        """See `Transport`."""
        self._pool.shutdown(cancel_futures=True)
        for name in self.hosts:
            self.stop(name)
