"""How bytes get to a host and back: the only thing that a cluster needs of whatever carries it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

PING = b"?"
"""A call that asks nothing: answered by itself where a host lives, however busy it is.

It never reaches the host: what carries calls answers it at the host's end, in a thread of its own.
"""


class Transport(Protocol):
    """Carries calls to hosts, each known by a name.

    It knows nothing of what a call says. `fpmatch.cluster.host.Host.answer` is what stands at the
    other end: bytes in, bytes out, from any number of threads. Whatever a host refuses or cannot
    do is an answer too, in bytes, which the reader raises; a future fails for one reason only.

    A host may be asked the same again, there or at another host that holds the same buckets: a
    call of a search is a question and changes nothing but the search's own place, and every other
    call may be repeated. So an implementation may ask a second host when the first is slow, but
    it is the coordinator that knows which other host holds the same: see `HostLost`.

    Deadlines are the caller's, by ``future.result(timeout)``: an implementation need not have any,
    but has to fail what it knows to be lost, and may at any time.
    """

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the hosts that can be asked now or were started once, ascending.

        A host that is lost for a while stays in it; its calls fail.
        """
        ...

    def submit(self, host: str, call: bytes) -> Future[bytes]:
        """Have a host answer a call; returns at once.

        Parameters
        ----------
        host : str
            Its name.
        call : bytes

        Returns
        -------
        Future of bytes
            Fails with `HostLost` where no answer will come: the host is gone, restarts, or cannot
            be reached. Whether it did what was asked is not known then.

        Raises
        ------
        InputError
            If there is no host of that name.
        """
        ...

    def close(self) -> None:
        """Let go of connections and threads; calls under way fail with `HostLost`.

        Hosts that the transport has started itself are ended.
        """
        ...


PING = b"?"
