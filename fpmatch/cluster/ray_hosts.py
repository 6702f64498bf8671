"""Hosts as actors of Ray: one a machine, with many threads, restarted by Ray.

Ray places them (each asks for one of the resource `RESOURCE`, of which a machine has one, so that
no two share a machine), starts a killed one again, on a spare machine if its own is gone, and
carries the bytes. A call's bytes travel inside the call: putting them into Ray's store first was
slower.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fpmatch.checks import check_text
from fpmatch.cluster.ray_actor import HostActor
from fpmatch.cluster.ray_session import RaySession
from fpmatch.cluster.transport import PING
from fpmatch.errors import ClusterError, HostLost, InputError
from fpmatch.parameters import ASKING

RESOURCE = "fpmatch"
THREADS = 16
"""Calls that a host works on at a time; further ones wait."""
PINGS = 2


@dataclass(frozen=True, slots=True)
class HostState:
    """How a host is.

    Parameters
    ----------
    name : str
    alive : bool
        Whether it has answered a ping.
    milliseconds : float or None
        What the answer took.
    node : str
        Address of the machine; empty if it has none now.
    """

    name: str
    alive: bool
    milliseconds: float | None
    node: str


class RayHosts:
    """A `Transport` over hosts that Ray runs.

    Parameters
    ----------
    session : RaySession
        Closed with this object.
    names : sequence of str
        Hosts that run already: see `running` and `start`.

    Raises
    ------
    ClusterError
        If one of them is not there.
    """

    def __init__(self, session: RaySession, names: Sequence[str]) -> None:
        self._session = session
        self._closed = False
        self._handles: dict[str, Any] = {}
        for name in sorted(names):
            self._handles[name] = _find(session, name)

    @classmethod
    def start(
        cls,
        session: RaySession,
        names: Sequence[str],
        make: str,
        folder: str,
        key: bytes,
        *,
        seconds: float = 60.0,
    ) -> RayHosts:
        """Have Ray start hosts, one a machine, and wait until they answer.

        They live on when this process ends, until `stop`.

        Parameters
        ----------
        session : RaySession
        names : sequence of str
            One that runs already is left as it is.
        make : str
            ``module:function``, called with name, folder and key where the host runs.
        folder : str
            On each machine; made if it is missing.
        key : bytes
        seconds : float
            Until it must have answered.

        Raises
        ------
        ClusterError
            If not all of them answer by then; those that do go on. The message says how many
            machines there are.
        """
        _begin(session, names, (make, folder, key), seconds)
        hosts = cls(session, names)
        hosts._wait_for(names, seconds)
        return hosts

    @property
    def session(self) -> RaySession:
        """The connection to Ray."""
        return self._session

    def more(
        self, names: Sequence[str], make: str, folder: str, key: bytes, *, seconds: float = 60.0
    ) -> None:
        """Have Ray start further hosts, as `start` does.

        Parameters
        ----------
        names : sequence of str
        make : str
        folder : str
        key : bytes
        seconds : float

        Raises
        ------
        ClusterError
            If not all of them answer by then.
        """
        _begin(self._session, names, (make, folder, key), seconds)
        for name in names:
            self._handles[name] = _find(self._session, name)
        self._wait_for(names, seconds)

    @property
    def hosts(self) -> tuple[str, ...]:
        """See `Transport.hosts`."""
        return tuple(sorted(self._handles))

    def submit(self, host: str, call: bytes) -> Future[bytes]:
        """See `Transport.submit`.

        Parameters
        ----------
        host : str
        call : bytes

        Raises
        ------
        InputError
            If there is no host of that name.
        """
        if host not in self._handles:
            raise InputError(f"there is no host {host!r}")
        handle, out = self._handles[host], Future[bytes]()
        if self._closed:
            out.set_exception(HostLost("the connection to the hosts is closed"))
            return out
        out.set_running_or_notify_cancel()
        try:
            if call == PING:
                ref = handle.ping.options(concurrency_group="ping").remote()
            else:
                ref = handle.answer.remote(call)
            ref.future().add_done_callback(lambda done: self._hand_on(host, done, out))
        except Exception as error:
            out.set_exception(self._lost(host, error))
        return out

    def wait(self, seconds: float, names: Sequence[str] | None = None) -> tuple[str, ...]:
        """Wait until hosts answer; the names of those that do not.

        Does not wait for those that Ray says it will not start again.

        Parameters
        ----------
        seconds : float
        names : sequence of str, optional
            All if not given.
        """
        until = time.monotonic() + seconds
        missing, ended = list(self.hosts if names is None else names), []
        while missing and time.monotonic() < until:
            for name, ping in {name: self.submit(name, PING) for name in missing}.items():
                try:
                    ping.result(max(until - time.monotonic(), 0.0))
                    missing.remove(name)
                except TimeoutError:
                    pass
                except HostLost as lost:
                    if isinstance(lost.__cause__, self._session.ray.exceptions.ActorDiedError):
                        missing.remove(name)
                        ended.append(name)
            if missing:
                time.sleep(0.1)
        return tuple(sorted([*missing, *ended]))

    def states(self, seconds: float) -> tuple[HostState, ...]:
        """How each host is, all asked at the same time.

        Parameters
        ----------
        seconds : float
            Until one that has not answered counts as not alive.
        """
        begun = time.monotonic()
        asked = {}
        for name, handle in sorted(self._handles.items()):
            with contextlib.suppress(Exception):
                asked[name] = handle.place.options(concurrency_group="ping").remote().future()
        out = []
        for name in self.hosts:
            try:
                _, node, _ = asked[name].result(max(begun + seconds - time.monotonic(), 0.0))
            except Exception:
                out.append(HostState(name, False, None, ""))
            else:
                out.append(HostState(name, True, (time.monotonic() - begun) * 1e3, str(node)))
        return tuple(out)

    def stop(self, names: Sequence[str] | None = None, seconds: float = 10.0) -> None:
        """End hosts; what they hold on disk stays.

        Parameters
        ----------
        names : sequence of str, optional
            All if not given.
        seconds : float
            For each to let go of its files, and for Ray to end them.

        Raises
        ------
        ClusterError
            If Ray's head does not answer.
        """
        self._session.check_head()
        chosen = self.hosts if names is None else names
        handles = [self._handles[name] for name in chosen if name in self._handles]
        ends = []
        for handle in handles:
            with contextlib.suppress(Exception):
                ends.append(handle.end.options(concurrency_group="ping").remote().future())
        until = time.monotonic() + seconds
        for end in ends:
            with contextlib.suppress(Exception):
                end.result(max(until - time.monotonic(), 0.0))

        def kill() -> None:
            for handle in handles:
                self._session.ray.kill(handle, no_restart=True)

        self._session.within(seconds, kill, "hosts cannot be ended")
        for name in chosen:
            self._handles.pop(name, None)

    def close(self) -> None:
        """Let go of Ray; the hosts go on. See `Transport.close`, and `stop`."""
        self._closed = True
        self._session.close()

    def _hand_on(self, host: str, done: Future[bytes], out: Future[bytes]) -> None:
        error = done.exception()
        if error is None:
            out.set_result(done.result())
        else:
            out.set_exception(self._lost(host, error))

    def _lost(self, host: str, error: BaseException) -> HostLost:
        why = f"host {host} does not answer ({type(error).__name__})"
        if self._session.head_lost:
            why += f"; Ray's head has not answered for {self._session.silent:.0f} s either"
        lost = HostLost(why)
        lost.__cause__ = error
        return lost

    def _wait_for(self, names: Sequence[str], seconds: float) -> None:
        missing = self.wait(seconds, names)
        if missing:
            raise ClusterError(self._why_missing(missing, len(names), seconds))

    def _why_missing(self, missing: Sequence[str], asked: int, seconds: float) -> str:
        machines = [node for node in self._session.nodes if node["Alive"]]
        room = sum(int(node["Resources"].get(RESOURCE, 0)) for node in machines)
        said = (
            f"{len(missing)} of {asked} hosts do not answer: "
            f"{', '.join(missing)}; Ray has {len(machines)} machines, {room} with room for a host "
            f"(`ray start --address=... --resources='{{\"{RESOURCE}\": 1}}'`)"
        )
        for name in missing if room >= asked else ():
            try:
                # Of one that cannot be made Ray knows why, and says so at once.
                error = self.submit(name, PING).exception(ASKING.lost_after)
            except TimeoutError:
                continue
            if error is not None and error.__cause__ is not None:
                lines = str(error.__cause__).strip().splitlines()
                return f"{said}; host {name}: {lines[-1][:200]}"
        return said


def _begin(
    session: RaySession, names: Sequence[str], how: tuple[str, str, bytes], seconds: float
) -> None:
    """Ask Ray for hosts; does not wait for them."""
    actor = session.ray.remote(
        num_cpus=0,
        resources={RESOURCE: 1},
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=THREADS,
        concurrency_groups={"ping": PINGS},
    )(HostActor)

    def begin() -> None:
        for name in names:
            actor.options(
                name=check_text("name", name, empty=False),
                namespace=session.namespace,
                lifetime="detached",
                get_if_exists=True,
            ).remote(how[0], name, how[1], how[2])

    session.within(seconds, begin, "hosts cannot be started")


def running(session: RaySession) -> tuple[str, ...]:
    """Names of the hosts that Ray runs for a cluster, ascending.

    Parameters
    ----------
    session : RaySession

    Raises
    ------
    ClusterError
        If Ray's head does not answer.
    """

    def listed() -> list[dict[str, str]]:
        return session.ray.util.list_named_actors(all_namespaces=True)

    every = session.within(10.0, listed, "hosts cannot be listed")
    return tuple(sorted(a["name"] for a in every if a["namespace"] == session.namespace))


def _find(session: RaySession, name: str) -> Any:
    def get() -> Any:
        return session.ray.get_actor(name, namespace=session.namespace)

    try:
        return session.within(10.0, get, f"host {name} cannot be found")
    except ClusterError as error:
        if isinstance(error.__cause__, ValueError):
            raise ClusterError(f"Ray runs no host {name!r} in {session.namespace!r}") from error
        raise
