"""Upkeep's calls to one host: signed, and waited for while it gives signs of life."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fpmatch.cluster.grants import UPKEEP, Granter, Level
from fpmatch.cluster.messages import Call, Reply, read_reply
from fpmatch.cluster.transport import PING, Transport
from fpmatch.errors import HostLost
from fpmatch.parameters import ASKING

NOWHERE = Level(0, "")
LONGEST = 60 * ASKING.lost_after
"""Seconds that one call may take of a host that answers pings."""


@dataclass(frozen=True, slots=True)
class Line:
    """To one host, about one partition.

    Parameters
    ----------
    transport : Transport
    key : bytes
        Of the cluster.
    host, partition : str
    silent : float
        Seconds without an answer, and without one to a ping, until the host is given up.
    until : float or None
        `time.monotonic` when whoever asked has no time left.
    """

    transport: Transport
    key: bytes
    host: str
    partition: str
    silent: float = ASKING.lost_after
    until: float | None = None

    def ask(
        self,
        verb: str,
        said: dict[str, Any],
        blobs: Sequence[bytes] = (),
        level: Level = NOWHERE,
    ) -> Reply:
        """Have the host do something, and wait until it has.

        Parameters
        ----------
        verb : str
        said : dict
        blobs : sequence of bytes
        level : Level

        Raises
        ------
        HostLost
            If it does not answer.
        ForeignReply
            If what answers is not that host.
        FpmatchError
            Whatever it refuses.
        """
        granter = Granter(self.key, self.partition)
        grant = granter.grant(UPKEEP, level)
        call = granter.sign(grant, Call(verb, grant, 0, said, blobs).to_bytes())
        return read_reply(granter.heard(call, self.wait(self.transport.submit(self.host, call))))

    def lives(self) -> bool:
        """Whether it answers a ping."""
        try:
            return self.wait(self.transport.submit(self.host, PING)) == PING
        except HostLost:
            return False

    def wait(self, future: Future[bytes]) -> bytes:
        """The answer, for as long as the host answers pings meanwhile.

        Parameters
        ----------
        future : Future of bytes

        Raises
        ------
        HostLost
            If it does not, or takes too long.
        """
        begun = heard = time.monotonic()
        ping: Future[bytes] | None = None
        while True:
            now = time.monotonic()
            until = now + ASKING.ping_after if ping is None else heard + self.silent
            waiting = {future} if ping is None else {future, ping}
            first = concurrent.futures.FIRST_COMPLETED
            wake = until if self.until is None else min(until, self.until)
            concurrent.futures.wait(waiting, max(wake - now, 0.0), first)
            if future.done():
                return future.result()
            now = time.monotonic()
            if self.until is not None and now >= self.until:
                raise HostLost(f"host {self.host} has not answered in the time that there was")
            # Time in which this process stood still is not the host's silence.
            heard += max(now - until, 0.0)
            if ping is None:
                ping = self.transport.submit(self.host, PING)
            elif ping.done():
                ping.result()
                ping, heard = None, now
            elif now >= heard + self.silent:
                raise HostLost(f"host {self.host} does not answer")
            if now > begun + LONGEST:
                raise HostLost(f"host {self.host} takes too long")
