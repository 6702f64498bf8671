"""What Ray runs on a machine: one host, which it makes, and gives calls."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fpmatch.cluster.transport import PING


class Answering(Protocol):
    """What a host is made of."""

    def answer(self, call: bytes) -> bytes:
        """Answer a call."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


Make = Callable[[str, Path, bytes], Answering]


class HostActor:
    """What Ray runs on a machine. Refuses nothing and knows nothing: the host does.

    Parameters
    ----------
    make : str
        ``module:function`` that makes the host, of the package as it is installed there.
    name : str
    folder : str
        On that machine; each host has a folder of its own in it.
    key : bytes
        What the host needs to know its coordinator.
    """

    def __init__(self, make: str, name: str, folder: str, key: bytes) -> None:
        module, _, function = make.partition(":")
        build: Make = getattr(importlib.import_module(module), function)
        place = Path(folder).expanduser() / name
        place.mkdir(parents=True, exist_ok=True)
        self._host = build(name, place, key)

    def answer(self, call: bytes) -> bytes:
        """See `Host.answer`.

        Parameters
        ----------
        call : bytes
        """
        return self._host.answer(call)

    def ping(self) -> bytes:
        """Say that the process lives; never waits for a search."""
        return PING

    def place(self) -> tuple[int, str, str]:
        """Process id, the machine's address, and Ray's name of the machine."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return os.getpid(), str(ray.util.get_node_ip_address()), str(node)

    def end(self) -> None:
        """Let go of files, before the actor is ended."""
        self._host.close()
