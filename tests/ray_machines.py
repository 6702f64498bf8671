"""Several of Ray's machines on this one, for tests: small, and gone afterwards whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARK = "FPMATCH_TEST_MACHINES"
STORE = 80_000_000
"""Bytes of each machine's store, the least that Ray takes: a search does not use it."""


class Machines:
    """A head without hosts, and machines with room for one host each."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.place = tempfile.mkdtemp(prefix="fpm-ray-")
        self.cluster: Any = None
        self.nodes: list[Any] = []

    def begin(self, count: int) -> None:
        """Start them; on a busy machine Ray gives itself up after 30 s, so twice if need be.

        Parameters
        ----------
        count : int
        """
        os.environ |= {
            MARK: self.mark,
            "RAY_TMPDIR": self.place,
            "RAY_AUTH_TOKEN": self.mark,
            "RAY_AUTH_MODE": "token",
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
        }
        from fpmatch.cluster.ray_session import load_ray

        load_ray()
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        for attempt in range(3):
            try:
                self.cluster = Cluster(initialize_head=True, head_node_args=head)
                self.nodes = [self.add() for _ in range(count)]
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
        for name in (MARK, "RAY_TMPDIR", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
            os.environ.pop(name, None)
        shutil.rmtree(self.place, ignore_errors=True)


@contextlib.contextmanager
def machines(count: int) -> Iterator[Machines]:
    made = Machines()
    try:
        made.begin(count)
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
