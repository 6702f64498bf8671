"""A cluster without machines: hosts that answer when told to, on a clock that is turned."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field

from fpmatch.cluster.transport import PING
from fpmatch.errors import HostLost

NEVER = float("inf")


class TurnedClock:
    """Time passes only while somebody waits, and then at once."""

    def __init__(self) -> None:
        self.time = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self.time

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Have something done after a while; never, after `NEVER`."""
        if seconds < NEVER:
            heapq.heappush(self._due, (self.time + seconds, next(self._order), do))

    def wait(self, futures: Collection[Future], until: float) -> None:
        while not any(future.done() for future in futures):
            if not self._due or self._due[0][0] > until:
                assert until < NEVER, "a wait that nothing would ever end"
                self.time = max(self.time, until)
                return
            self.time, _, do = heapq.heappop(self._due)
            do()

    def pass_by(self, seconds: float) -> None:
        """Let time pass without anybody waiting for an answer."""
        self.wait((), self.time + seconds)


@dataclass
class FakeHost:
    """Keeps each search's place: an answer depends on all that it was asked, in order.

    A call is ``search/number/text``. What is out of turn fails the test: it would be wrong.
    """

    name: str
    holds: str = ""
    """What it holds; hosts that hold the same answer alike."""
    delay: Callable[[bytes, float], float] = lambda call, now: 0.01
    """Seconds until a call that comes at a time is answered."""
    dies: float = NEVER
    """When it dies: calls under way and later ones are lost."""
    tells: bool = True
    """Whether the transport notices that it is dead; else its calls are never answered."""
    back: float = NEVER
    """When it is there again, and has forgotten every search."""
    places: dict[bytes, list[bytes]] = field(default_factory=dict)
    calls: list[tuple[float, bytes]] = field(default_factory=list)

    def answer(self, call: bytes) -> bytes:
        search, number, _ = call.split(b"/", 2)
        asked = self.places.setdefault(search, [])
        assert int(number) == len(asked), f"{self.name} was asked {call!r} out of turn"
        asked.append(call)
        return truth(self.holds, asked)

    def dead(self, now: float) -> bool:
        return self.dies <= now < self.back


def truth(holds: str, asked: list[bytes]) -> bytes:
    """The answer of a host that holds something to the last of several questions."""
    return hashlib.sha256(b"|".join([holds.encode(), *asked])).digest()


class FakeTransport:
    """A `Transport` of fake hosts."""

    def __init__(self, clock: TurnedClock, *hosts: FakeHost) -> None:
        self.clock = clock
        self.by_name = {host.name: host for host in hosts}
        self.pings: list[tuple[float, str]] = []

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted(self.by_name))

    def submit(self, host: str, call: bytes) -> Future:
        to, now = self.by_name[host], self.clock.now()
        future: Future = Future()
        if call == PING:
            self.pings.append((now, host))
        else:
            to.calls.append((now, call))
        if to.dead(now):
            if to.tells:
                future.set_exception(HostLost(host))
            return future
        if now >= to.back and not getattr(to, "_forgot", False):
            to.places, to._forgot = {}, True  # type: ignore[attr-defined]
        seconds = to.delay(call, now)
        if now + seconds >= to.dies > now:
            if to.tells:
                self.clock.later(to.dies - now, lambda: future.set_exception(HostLost(host)))
            return future

        def done() -> None:
            future.set_result(PING if call == PING else to.answer(call))

        self.clock.later(seconds, done)
        return future

    def close(self) -> None:
        pass
