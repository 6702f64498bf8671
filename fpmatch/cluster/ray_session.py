"""A connection to a running Ray: with a token, to an address that was named, and watched.

What Ray does by itself is left to it. Four things are not what a coordinator needs and are set
here. Without an address Ray connects to whatever a file in its temporary folder names, which may
be gone or another's: an address has to be given. Without a token everybody who reaches a port may
run what he likes: a token has to be there. A driver that has lost Ray's head is ended by Ray after
a minute: it lives on, and says so. And a call to a head that is lost never returns: whether it is
there is found out by a thread of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

from fpmatch.checks import check_text
from fpmatch.errors import ClusterError, InputError, MissingExtra
from fpmatch.parameters import ASKING

log = logging.getLogger(__name__)
T = TypeVar("T")

WAY_BACK = "hosts answer as long as they live; see 'When the head is lost' in docs/cluster.md"
SETTINGS = {
    # Half a year: the coordinator ends with a message of its own, not at Ray's hands.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "15552000",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Ray runs its workers as if nothing waited for them, at niceness 15.
    "RAY_worker_niceness": "0",
}
"""Of Ray's environment, where nobody has set them; read when Ray is imported."""


def load_ray() -> ModuleType:
    """Ray, imported with the settings that a cluster needs.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    imported = "ray" in sys.modules
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("a cluster needs Ray: pip install 'fpmatch[ray]'") from error
    if imported and not ray.is_initialized():
        # Ray has read its environment when somebody else imported it; it does so itself where it
        # turns tokens on by default.
        vars(ray._raylet)["Config"].initialize("")
    return ray


class RaySession:
    """This process's connection to Ray.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` of Ray's head, as ``ray start --head`` prints it.
    namespace : str
        Where the cluster's hosts have their names.

    Raises
    ------
    InputError
        If the address is none.
    ClusterError
        If nobody answers there, the token is missing or wrong, or this process is connected to
        another Ray.
    MissingExtra
        If Ray is not installed.
    """

    def __init__(self, address: str, namespace: str) -> None:
        self.address = check_address(address)
        self.namespace = check_text("namespace", namespace, empty=False)
        self.ray = load_ray()
        self._own = not self.ray.is_initialized()
        with _raised_as_ours(self.address):
            if self._own:
                self.ray.init(
                    address=self.address,
                    namespace=self.namespace,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            elif self.ray.get_runtime_context().gcs_address != self.address:
                raise ClusterError(
                    "this process is connected to another Ray already, at "
                    f"{self.ray.get_runtime_context().gcs_address}; close that first"
                )
        self._heard = time.monotonic()
        self._nodes: list[dict[str, Any]] = []
        self._asked = threading.Event()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._watch_head, name="fpmatch-head", daemon=True)
        self._watch.start()

    @property
    def silent(self) -> float:
        """Seconds since Ray's head has last answered."""
        return time.monotonic() - self._heard

    @property
    def head_lost(self) -> bool:
        """Whether Ray's head has not answered for longer than a head that lives takes."""
        return self.silent > ASKING.head_after

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Ray's machines as the head last said, those that are gone among them."""
        return list(self._nodes)

    def check_head(self) -> None:
        """ClusterError if Ray's head is lost, with the way back."""
        if self.head_lost:
            raise ClusterError(
                f"Ray's head at {self.address} has not answered for {self.silent:.0f} s; {WAY_BACK}"
            )

    def within(self, seconds: float, do: Callable[[], T], what: str) -> T:
        """Do something that needs Ray's head, which may never answer.

        Parameters
        ----------
        seconds : float
            Until it is given up; the thread that waits for the head is left behind.
        do : callable
        what : str
            For the message.

        Raises
        ------
        ClusterError
            If it has not ended by then, or Ray refuses it.
        """
        self.check_head()
        out: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                out.append(do())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="fpmatch-head-call", daemon=True)
        thread.start()
        thread.join(seconds)
        if out:
            return out[0]
        if failed:
            (error,) = failed
            why = str(error).partition("\n")[0][:200]
            raise ClusterError(f"{what}: {type(error).__name__}: {why}") from error
        raise ClusterError(f"{what}: Ray has not answered for {seconds:.0f} s; {WAY_BACK}")

    def close(self) -> None:
        """Let go of Ray, if this object has connected to it."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._own:
            # Waits for the head where that is lost.
            end = threading.Thread(target=self.ray.shutdown, daemon=True)
            end.start()
            end.join(ASKING.head_after)

    def _watch_head(self) -> None:
        while not self._closed.is_set():
            try:
                self._nodes = self.ray.nodes()
            except Exception:
                # Shut down, or lost: silence says it.
                log.debug("Ray's head does not say who is there", exc_info=True)
            else:
                self._heard = time.monotonic()
            self._closed.wait(ASKING.head_every)


def check_address(address: object) -> str:
    """The address of Ray's head, if it is one.

    Parameters
    ----------
    address : str

    Raises
    ------
    InputError
        If it is not ``HOST:PORT``: Ray would start a cluster of its own, or look for one in a file.
    """
    text = check_text("address", address, empty=False)
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InputError("address must be HOST:PORT of Ray's head, as `ray start --head` prints it")
    return text


@contextmanager
def _raised_as_ours(address: str) -> Iterator[None]:
    """Ray's errors as `ClusterError`."""
    try:
        yield
    except (ClusterError, InputError):
        raise
    except Exception as error:
        kind = type(error).__name__
        if "uthenticat" in kind or "token" in str(error).lower():
            raise ClusterError(
                f"Ray at {address} wants a token: put the one of `ray get-auth-token` on its head "
                "into RAY_AUTH_TOKEN, or its file into RAY_AUTH_TOKEN_PATH"
            ) from error
        raise ClusterError(
            f"Ray at {address} cannot be reached ({kind}): is it running there, is the token the "
            "right one, does RAY_USE_TLS match?"
        ) from error
