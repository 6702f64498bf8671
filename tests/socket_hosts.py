"""Hosts as processes of their own behind sockets of this machine, for faults of the coordinator.

They outlive whoever asks them, as hosts of Ray do, and a coordinator that was forked reaches them
at once, so that it can be killed some hundred times. ``python tests/socket_hosts.py SOCKET NAME
FOLDER KEY`` is one host.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

THREADS = 8


def serve(socket: str, name: str, folder: str, key: str) -> None:
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

    with Listener(socket, "AF_UNIX", backlog=64) as listener:
        print("ready", flush=True)  # noqa: T201
        while True:
            threading.Thread(target=talk, args=(listener.accept(),), daemon=True).start()


class Processes:
    """Hosts, each a process; kept in a folder, one below it for each.

    Parameters
    ----------
    folder : Path
    key : bytes
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder, self.key = folder, key
        self.running: dict[str, subprocess.Popen] = {}

    def socket(self, name: str) -> str:
        return str(self.folder / f"{name}.socket")

    def start(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.socket(name))
            self.running[name] = subprocess.Popen(
                [sys.executable, __file__, self.socket(name), name,
                 str(self.folder / name), self.key.hex()],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            )  # fmt: skip
        for name in names:
            out = self.running[name].stdout
            assert out is not None
            assert out.readline() == b"ready\n", f"host {name} did not start"

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        for name in tuple(self.running):
            self.kill(name)


class SocketHosts:
    """A `Transport` to them, made in the process that uses it.

    Parameters
    ----------
    sockets : mapping of str to str
        Of each host's name.
    """

    def __init__(self, sockets: dict[str, str]) -> None:
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
            connection: Connection = Client(self._sockets[host], "AF_UNIX")
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
    serve(*sys.argv[1:])
    time.sleep(0)
