"""Faults of hosts that Ray runs, on several of its machines here; machines are namespaces.

Each host's machine is a network namespace with an address of its own where such can be made (root,
and ``ip``): taking its interface down cuts it off as a pulled cable would. Elsewhere machines share
one address, and the fault of a host that is cut off is left out and said so.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster_play import BUCKETS, CUT, HOSTS, HostFaults, Seen, alone, opened_over
from namespaces import Namespaces
from ray_machines import machines

HEAD_KILLED = "head killed, once"


def of_ray(place: Path, each: int, seed: int, faults: set[str], minutes: float) -> list[Seen]:
    """Faults of hosts that Ray runs."""
    from fpmatch.cluster.ray_cluster import start_on_ray
    from fpmatch.cluster.ray_cluster import stop as end_hosts

    truth = alone(place)
    out = []
    with machines(len(HOSTS), apart=True) as world:
        cluster = start_on_ray(
            place / "cluster", world.address, len(HOSTS), replicas=2, buckets=BUCKETS,
            host_folder=str(place / "hosts"), seconds=300,
        )  # fmt: skip
        with opened_over(place, cluster) as engine:
            play = HostFaults(engine, cluster, truth, seed)
            play.minutes = minutes
            hosts: Any = cluster.transport
            names = hosts.hosts

            def where(name: str) -> tuple[int, str, str]:
                asked = hosts._handles[name].place.options(concurrency_group="ping").remote()
                return asked.future().result(60)

            pids: dict[str, tuple[int, str, str]] = {}

            def look() -> None:
                pids.clear()
                pids.update({name: where(name) for name in names})

            def kill(*some: str) -> tuple[str, ...]:
                for name in some:
                    os.kill(pids[name][0], signal.SIGKILL)
                return some

            def stop() -> str:
                name = play.rng.choice(names)
                os.kill(pids[name][0], signal.SIGSTOP)
                return name

            def go_on(name: str) -> None:
                os.kill(pids[name][0], signal.SIGCONT)

            def remove() -> None:
                world.remove_at(pids[play.rng.choice(names)])

            def cut() -> str:
                address = pids[play.rng.choice(names)][1]
                world.cut(address)
                return address

            def back(_: Any) -> None:
                time.sleep(0)

            kinds: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
                "none": (lambda: None, back),
                "actor stopped (SIGSTOP)": (stop, go_on),
                CUT: (cut, world.mend),
                "actor killed (SIGKILL)": (lambda: kill(play.rng.choice(names)), back),
                "both replicas killed": (lambda: kill(*play.pair()), back),
                "node removed": (remove, lambda _: world.more()),
            }
            if not world.namespaces:
                del kinds[CUT]
                print(f"no host is cut off: {Namespaces.why_not()}")  # noqa: T201
            # Last, and once: without a head the machines do not come back.
            kinds[HEAD_KILLED] = (world.kill_head, back)
            for name, (begin, end) in kinds.items():
                if faults and name not in faults:
                    continue
                seen = Seen(name)
                if name == HEAD_KILLED:
                    play.trial(seen, begin, end, searches=100)
                for _ in play.trials(each if name != HEAD_KILLED else 0):
                    look()
                    play.trial(seen, begin, end)
                out.append(seen)
                print(seen.row(), flush=True)  # noqa: T201
        if HEAD_KILLED not in [seen.fault for seen in out]:
            end_hosts(cluster)
    return out
