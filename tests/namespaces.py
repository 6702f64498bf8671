"""Network namespaces on one bridge: machines of this one, whose cable can be pulled."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

NETWORK = 0x40000000
"""What `setns` is told: a network namespace and no other kind."""


class Namespaces:
    """Machines with an address each, seen from this one through a bridge; root makes them.

    Parameters
    ----------
    name : str, optional
        Of six hexadecimal digits, that no other has.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = uuid.uuid4().hex[:6] if name is None else name
        self.bridge = f"fpm{self.name}"
        self.net = f"10.{64 + int(self.name[:2], 16) % 128}.{int(self.name[2:4], 16)}"
        self.address = f"{self.net}.1"
        self.made: dict[str, str] = {}
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    @staticmethod
    def why_not() -> str:
        """Why none can be made here; empty where they can."""
        if shutil.which("ip") is None:
            return "there is no `ip` here (iproute2)"
        if os.geteuid() != 0:
            return "this process is not root's"
        space = f"fpm-try-{os.getpid()}"
        made = subprocess.run(
            ["ip", "netns", "add", space], capture_output=True, text=True, check=False
        )
        subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        return made.stderr.strip()[:100] if made.returncode else ""

    def add(self) -> str:
        """One more; its address."""
        number = len(self.made) + 2
        space, address = f"{self.bridge}-{number}", f"{self.net}.{number}"
        self.made[address] = space
        outer, inner = f"f{self.name}{number}o", f"f{self.name}{number}i"
        ip("netns", "add", space)
        ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        ip("link", "set", inner, "netns", space)
        ip("link", "set", outer, "master", self.bridge, "up")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", inner)
        ip("-n", space, "link", "set", inner, "up")
        ip("-n", space, "link", "set", "lo", "up")
        # Whoever asks may be at another address of this machine.
        ip("-n", space, "route", "add", "default", "via", self.address)
        return address

    def kill(self, address: str) -> None:
        """End every process of a machine."""
        found = subprocess.run(
            ["ip", "netns", "pids", self.made[address]], capture_output=True, text=True, check=True
        )
        for process in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    def link(self, address: str, state: str) -> None:
        """Take a machine's link up or down, at the other end of its cable."""
        ip("link", "set", f"f{self.name}{address.rpartition('.')[2]}o", state)

    def end(self) -> None:
        for space in self.made.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)


def enter(space: str) -> None:
    """Have this process, which has one thread, live in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (Path("/run/netns") / space).open() as there:
        if libc.setns(there.fileno(), NETWORK):
            raise OSError(ctypes.get_errno(), f"namespace {space} cannot be entered")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
