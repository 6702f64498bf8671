"""Hosts as processes of their own behind sockets of this machine, for faults of the coordinator.

They outlive whoever asks them, as hosts of Ray do, and a coordinator that was forked reaches them
at once, so that it can be killed some hundred times. ``python tests/socket_hosts.py`` is a process
that has everything imported, and forks hosts: one is there again in a moment. A host is behind a
socket of this machine's, or in a network namespace behind one of its network.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from namespaces import Namespaces, enter  # noqa: E402

THREADS = 8
PORT = 7777
Address = str | tuple[str, int]
"""A socket's file, or an address of a network and a port."""


def serve(address: Address, name: str, folder: str, key: str) -> None:
    """Answer calls until this process is ended."""
    from fpmatch.cluster.host import Host
    from fpmatch.cluster.transport import PING

    host = Host(name, Path(folder), bytes.fromhex(key))
    pool = ThreadPoolExecutor(THREADS)

    def talk(connection: Connection) -> None:
        lock = threading.Lock()

        def say(number: bytes, answer: bytes) -> None:
            # Whoever asked may be gone.
            with lock, contextlib.suppress(OSError):
                connection.send_bytes(number + answer)

        with contextlib.suppress(EOFError, OSError):
            while True:
                said = connection.recv_bytes()
                number, call = said[:8], said[8:]
                if call == PING:
                    say(number, PING)
                else:
                    pool.submit(lambda n=number, c=call: say(n, host.answer(c)))

    with Listener(address, backlog=64) as listener:
        os.write(1, f"{name} {os.getpid()}\n".encode())
        while True:
            threading.Thread(target=talk, args=(listener.accept(),), daemon=True).start()


def fork_hosts() -> None:
    """Fork a host for each line that is read, until there are no more."""
    searched_once()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    for line in sys.stdin.buffer:
        if os.fork():
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asked = json.loads(line)
        if asked["space"]:
            enter(asked["space"])
        address = asked["address"]
        host = asked["name"], asked["folder"], asked["key"]
        serve(address if isinstance(address, str) else tuple(address), *host)


def searched_once() -> None:
    """Have everything in memory that a host needs for a search."""
    from engine_helpers import ON, POLICY, Clock, record, request
    from engine_helpers import folder as new_folder

    from fpmatch.cluster import Cluster
    from fpmatch.policy import Policy
    from fpmatch.search import Engine

    place = new_folder()
    how: dict[str, Any] = {"clock": Clock(), "durability": "off"}
    try:
        Engine.create(place / "g.fpm", **how).close()
        with (
            Cluster.start(place / "cluster", buckets=2) as cluster,
            Engine.open(place / "g.fpm", "rw", shards=cluster, **how) as engine,
        ):
            engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            engine.add_partition("immigration", 9, "DHS", expected_fingers=100)
            engine.enrol("criminal", [record("C-1", 1)])
            engine.publish(Policy.parse(POLICY))
            engine.search(request(ON, 1))
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Processes:
    """Hosts, each a process; kept in a folder, one below it for each.

    Parameters
    ----------
    folder : Path
    key : bytes
    apart : bool
        Each in a network namespace of its own, where such can be made.
    """

    def __init__(self, folder: Path, key: bytes, *, apart: bool = False) -> None:
        self.folder, self.key = folder, key
        self.running: dict[str, int] = {}
        self.namespaces = Namespaces() if apart and not Namespaces.why_not() else None
        self.machines: dict[str, str] = {}
        self.forks = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        assert self._line() == "ready", "no hosts can be forked"

    def _line(self) -> str:
        assert self.forks.stdout is not None
        return self.forks.stdout.readline().decode().strip()

    def socket(self, name: str) -> Address:
        """Where a host is, or will be."""
        if self.namespaces is None:
            return str(self.folder / f"{name}.socket")
        if name not in self.machines:
            self.machines[name] = self.namespaces.add()
        return self.machines[name], PORT

    def start(self, *names: str) -> None:
        assert self.forks.stdin is not None
        for name in names:
            address, space = self.socket(name), ""
            if isinstance(address, str):
                Path(address).unlink(missing_ok=True)
            elif self.namespaces is not None:
                space = self.namespaces.made[address[0]]
            asked = {
                "address": address, "name": name, "folder": str(self.folder / name),
                "key": self.key.hex(), "space": space,
            }  # fmt: skip
            self.forks.stdin.write(json.dumps(asked).encode() + b"\n")
        self.forks.stdin.flush()
        for _ in names:
            name, _, process = self._line().partition(" ")
            assert process, f"hosts {names} did not start"
            self.running[name] = int(process)

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.kill(process, signal.SIGKILL)
        # It is no child of this process: it is gone when there is nobody of that number.
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(process, 0)
                time.sleep(0.002)

    def forget(self, name: str) -> None:
        """Have a host that was killed find nothing of what it held."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def end(self) -> None:
        for name in tuple(self.running):
            self.kill(name)
        self.forks.kill()
        self.forks.wait()
        if self.namespaces is not None:
            self.namespaces.end()


class SocketHosts:
    """A `Transport` to them, made in the process that uses it.

    Parameters
    ----------
    sockets : mapping of str to an address
        Of each host's name.
    """

    def __init__(self, sockets: Mapping[str, Address]) -> None:
        self._sockets = dict(sockets)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._open: dict[str, tuple[Connection, dict[bytes, Future]]] = {}
        self._closed = False

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted(self._sockets))

    def submit(self, host: str, call: bytes) -> Future:
        from fpmatch.errors import HostLost, InputError

        if host not in self._sockets:
            raise InputError(f"there is no host {host!r}")
        future: Future = Future()
        with self._lock:
            try:
                if self._closed:
                    raise OSError("closed")
                connection, waiting = self._connection(host)
                number = next(self._numbers).to_bytes(8, "big")
                waiting[number] = future
                connection.send_bytes(number + call)
            except OSError as error:
                future.set_exception(HostLost(f"host {host}: {error}"))
        return future

    def _connection(self, host: str) -> tuple[Connection, dict[bytes, Future]]:
        if host not in self._open:
            connection: Connection = Client(self._sockets[host])
            waiting: dict[bytes, Future] = {}
            self._open[host] = connection, waiting
            threading.Thread(
                target=self._listen, args=(host, connection, waiting), daemon=True
            ).start()
        return self._open[host]

    def _listen(self, host: str, connection: Connection, waiting: dict[bytes, Future]) -> None:
        from fpmatch.errors import HostLost

        with contextlib.suppress(EOFError, OSError):
            while True:
                said = connection.recv_bytes()
                with self._lock:
                    future = waiting.pop(said[:8])
                future.set_result(said[8:])
        with self._lock:
            if self._open.get(host, (None,))[0] is connection:
                del self._open[host]
            left, waiting_now = list(waiting.values()), waiting
            waiting_now.clear()
        for future in left:
            if not future.done():
                future.set_exception(HostLost(f"host {host} is gone"))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            every, self._open = self._open, {}
        for connection, _ in every.values():
            connection.close()


if __name__ == "__main__":
    fork_hosts()
