"""Several of Ray's machines on this one, for tests: small, and gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from namespaces import Namespaces

HERE = Path(__file__).resolve().parent
MARK = "FPMATCH_TEST_MACHINES"
SET = ("RAY_TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_health_check_period_ms")
STORE = 80_000_000
"""Bytes of each machine's store, the least that Ray takes: a search does not use it."""


class Machines:
    """A head without hosts, and machines with room for one host each."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.place = tempfile.mkdtemp(prefix="fpm-ray-")
        self.cluster: Any = None
        self.nodes: list[Any] = []
        self.namespaces: Namespaces | None = None

    def begin(self, count: int, *, apart: bool = False) -> None:
        """Start them; on a busy machine Ray gives itself up after 30 s, so twice if need be.

        Parameters
        ----------
        count : int
        apart : bool
            Each in a network namespace of its own, where such can be made.
        """
        os.environ |= {
            MARK: self.mark,
            "RAY_TMPDIR": self.place,
            "RAY_AUTH_TOKEN": self.mark,
            "RAY_AUTH_MODE": "token",
            # A machine that is gone is noticed after five of them; a busy one has ten seconds each.
            "RAY_health_check_period_ms": "500",
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
        }
        from fpmatch.cluster.ray_session import load_ray

        load_ray()
        from ray.cluster_utils import Cluster

        if apart and not Namespaces.why_not():
            self.namespaces = Namespaces(self.mark[:6])
        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        if self.namespaces is not None:
            head["node_ip_address"] = self.namespaces.address
        for attempt in range(3):
            try:
                self.cluster = Cluster(initialize_head=True, head_node_args=head)
                self.nodes = [self.more() for _ in range(count)]
                return
            except Exception:
                if attempt == 2:
                    raise
                self.kill()

    @property
    def address(self) -> str:
        return self.cluster.address

    def add(self) -> Any:
        return self.cluster.add_node(
            num_cpus=1, object_store_memory=STORE, resources={"fpmatch": 1}, include_dashboard=False
        )

    def more(self) -> Any:
        """One machine more; in a namespace it is not waited for."""
        if self.namespaces is None:
            return self.add()
        space = self.namespaces.made[address := self.namespaces.add()]
        ray = Path(sys.executable).with_name("ray")
        start = (
            f"{ray} start --address={self.address} --node-ip-address={address} --num-cpus=1 "
            f"--resources='{{\"fpmatch\": 1}}' --object-store-memory={STORE} --block"
        )
        # Ray gives a machine up after 30 s, which a busy one takes to start.
        return subprocess.Popen(
            ["ip", "netns", "exec", space, "sh", "-c", f"until {start}; do sleep 1; done"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def remove_at(self, place: tuple[int, str, str]) -> None:
        """Have the machine be gone where a process is: process id, address, Ray's name of it."""
        if self.namespaces is not None:
            self.namespaces.kill(place[1])
        else:
            self.remove(next(node for node in self.nodes if node.node_id == place[2]))

    def cut(self, address: str) -> None:
        """Pull a machine's cable."""
        assert self.namespaces is not None
        self.namespaces.link(address, "down")

    def mend(self, address: str) -> None:
        """Put it back."""
        assert self.namespaces is not None
        self.namespaces.link(address, "up")

    def remove(self, node: Any) -> None:
        self.cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        self.cluster.head_node.kill_gcs_server(check_alive=False)

    def processes(self) -> list[int]:
        """Every process that was started for these machines, but this one."""
        marked = f"{MARK}={self.mark}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if marked in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def kill(self) -> None:
        with contextlib.suppress(Exception):
            self.cluster.shutdown()
        until = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < until:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)

    def end(self) -> None:
        self.kill()
        for name in (MARK, *SET):
            os.environ.pop(name, None)
        shutil.rmtree(self.place, ignore_errors=True)
        if self.namespaces is not None:
            self.namespaces.end()


@contextlib.contextmanager
def machines(count: int, *, apart: bool = False) -> Iterator[Machines]:
    made = Machines()
    try:
        made.begin(count, apart=apart)
        yield made
    finally:
        made.end()


class Echo:
    """A host that says its name and the call; ``sleep N`` takes its time."""

    def __init__(self, name: str, folder: Path, key: bytes) -> None:
        self.name, self.folder, self.key = name, folder, key

    def answer(self, call: bytes) -> bytes:
        if call.startswith(b"sleep "):
            time.sleep(float(call[6:]))
        return self.name.encode() + b" " + call

    def close(self) -> None:
        (self.folder / "closed").touch()
