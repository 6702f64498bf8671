"""Hosts that did not answer lately: asked last, until they have answered again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from fpmatch.errors import HostLost
from fpmatch.parameters import AskingParameters


@dataclass(slots=True)
class _Suspect:
    """When it is pinged next, how long it waits after that, and the ping that is under way."""

    due: float
    pause: float
    ping: Future[bytes] | None = None


class Suspects:
    """The list of suspects of one coordinator; safe for threads.

    A suspect is pinged beside the searches, which do not wait for it, and is one no more as soon as
    it has answered. So a host that is back costs nobody a hedge, and one that stays away costs one
    ping a while, at growing distances.

    Parameters
    ----------
    ping : callable
        Of a host's name: sends a ping, whose answer is the future.
    patience : AskingParameters
    """

    def __init__(self, ping: Callable[[str], Future[bytes]], patience: AskingParameters) -> None:
        self._ping = ping
        self._patience = patience
        self._lock = threading.Lock()
        self._list: dict[str, _Suspect] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Who is suspected now, ascending."""
        with self._lock:
            return tuple(sorted(self._list))

    def add(self, host: str, now: float) -> None:
        """Suspect a host; again changes nothing.

        Parameters
        ----------
        host : str
        now : float
            Seconds, of the clock that all calls here use.
        """
        pause = self._patience.again_after
        with self._lock:
            self._list.setdefault(host, _Suspect(now + pause, pause))

    def clear(self, host: str) -> None:
        """Suspect a host no longer: it has answered.

        Parameters
        ----------
        host : str
        """
        with self._lock:
            self._list.pop(host, None)

    def look(self, now: float) -> int:
        """Ping those that are due, and clear those that have answered.

        Parameters
        ----------
        now : float

        Returns
        -------
        int
            How many were pinged.
        """
        sent = 0
        with self._lock:
            for host, suspect in list(self._list.items()):
                ping = suspect.ping
                if ping is not None and ping.done():
                    suspect.ping = None
                    if answered(ping):
                        del self._list[host]
                        continue
                if now < suspect.due:
                    continue
                # One that was not answered stays: a host that was stopped answers it later.
                suspect.pause = min(2 * suspect.pause, self._patience.again_most)
                suspect.due = now + suspect.pause
                if suspect.ping is None:
                    suspect.ping = self._ping(host)
                    sent += 1
        return sent

    def last(self, replicas: Sequence[str]) -> tuple[str, ...]:
        """The same hosts, suspects behind the others; otherwise in the order given.

        Parameters
        ----------
        replicas : sequence of str
        """
        with self._lock:
            return tuple(sorted(replicas, key=self._list.__contains__))


def answered(future: Future[bytes]) -> bool:
    """Whether a future that is done holds an answer.

    Parameters
    ----------
    future : Future of bytes

    Raises
    ------
    Exception
        What it failed with, unless that is `HostLost`.
    """
    error = future.exception()
    if error is not None and not isinstance(error, HostLost):
        raise error
    return error is None
