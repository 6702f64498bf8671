"""Hosts that Ray runs, on several machines of its on this one: killed, stopped, moved."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'fpmatch[ray]'")

from engine_helpers import ON, POLICY, Clock, request, told
from engine_helpers import world as people
from ray.exceptions import RayError as ActorError
from ray_machines import Machines, machines

from fpmatch.cli import app
from fpmatch.cluster import ray_session
from fpmatch.cluster.asking import Asking
from fpmatch.cluster.ray_cluster import open_on_ray, show, stop
from fpmatch.cluster.ray_hosts import RayHosts, running
from fpmatch.cluster.ray_session import RaySession
from fpmatch.cluster.transport import PING
from fpmatch.errors import ClusterError, HostLost, InputError
from fpmatch.parameters import ASKING
from fpmatch.policy import Policy
from fpmatch.search import Engine

NAMES = ("h1", "h2")
LONG = 300.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world():
    with machines(3) as made:
        yield made


@pytest.fixture(scope="module")
def session(world: Machines):
    made = RaySession(world.address, "fpmatch-test")
    yield made
    made.close()


@pytest.fixture(scope="module")
def strangers(world: Machines):
    """Drivers with a wrong token and with none, begun early: Ray takes 20 s to say no to them."""
    code = (
        "from fpmatch.cluster.ray_session import RaySession\n"
        "from fpmatch.errors import ClusterError\n"
        f"try: RaySession({world.address!r}, 'fpmatch-test')\n"
        "except ClusterError as error: print('refused', error)\n"
    )
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "RAY_gcs_rpc_server_connect_timeout_s": "1", **mode},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mode in ({"RAY_AUTH_TOKEN": "w" * 32}, {"RAY_AUTH_MODE": "disabled"})
    ]
    yield begun
    for one in begun:
        one.kill()
        one.wait()


@pytest.fixture(scope="module")
def hosts(session, strangers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    started = RayHosts.start(session, NAMES, "ray_machines:Echo", str(folder), b"key", seconds=LONG)
    started.folder = folder
    return started


def place(hosts: RayHosts, name: str) -> tuple[int, str, str]:
    asked = hosts._handles[name].place.options(concurrency_group="ping").remote()
    return asked.future().result(LONG)


def pid(hosts: RayHosts, name: str) -> int:
    return place(hosts, name)[0]


def asked(asking: Asking, call: bytes, first: str) -> bytes:
    """One question to both, a set one of them first."""
    talk = asking.talk(NAMES)
    talk.replicas = tuple(sorted(NAMES, key=lambda name: name != first))
    (answer,) = asking.ask([talk], [call])
    assert answer is not None
    return answer


def test_hosts_are_found_by_name_and_each_is_its_own_process(hosts, session):
    assert running(session) == NAMES
    again = RayHosts(session, NAMES)
    assert again.submit("h2", b"x").result(LONG) == b"h2 x"
    assert pid(hosts, "h1") != pid(hosts, "h2")
    assert [state.alive for state in hosts.states(LONG)] == [True, True]
    assert sorted(os.listdir(hosts.folder)) == list(NAMES)
    machines_of = {
        info["NodeID"] for info in session.ray.nodes() if info["Alive"]
    }  # fmt: skip
    assert len(machines_of) == 4  # the head and three with room
    with pytest.raises(InputError, match="no host"):
        hosts.submit("h3", b"")
    with pytest.raises(ClusterError, match="no host 'h3'"):
        RayHosts(session, ["h3"])


def test_a_host_that_is_busy_answers_pings_and_other_calls(hosts):
    long = [hosts.submit("h1", b"sleep 1.5") for _ in range(3)]
    assert hosts.submit("h1", PING).result(LONG) == PING
    assert hosts.submit("h1", b"quick").result(LONG) == b"h1 quick"
    assert not any(future.done() for future in long)
    assert [future.result(LONG) for future in long] == [b"h1 sleep 1.5"] * 3


def test_starting_again_leaves_hosts_as_they_are(hosts, session):
    before = [pid(hosts, name) for name in NAMES]
    RayHosts.start(session, NAMES, "ray_machines:Echo", "/nowhere", b"key", seconds=LONG)
    assert [pid(hosts, name) for name in NAMES] == before


def test_more_hosts_than_machines_is_said_with_the_remedy(hosts, session):
    names = ["h1", "h2", "spare-1", "spare-2"]
    with pytest.raises(ClusterError, match=r"of 4 hosts do not answer: .* 3 with room for a host"):
        RayHosts.start(session, names, "ray_machines:Echo", str(hosts.folder), b"", seconds=3)
    for name in names[2:]:
        session.ray.kill(session.ray.get_actor(name, namespace=session.namespace))


def test_a_host_that_cannot_be_made_is_said_at_once(session, hosts):
    began = time.monotonic()
    with pytest.raises(ClusterError, match="no_such_function"):
        RayHosts.start(session, ["h9"], "ray_machines:no_such_function", "/tmp", b"", seconds=LONG)
    assert time.monotonic() - began < LONG


def test_a_killed_host_is_replaced_in_the_call_and_started_again(hosts):
    asking = Asking(hosts)
    before = pid(hosts, "h1")
    threading.Timer(0.3, os.kill, (before, signal.SIGKILL)).start()
    assert asked(asking, b"sleep 0.8", "h1") == b"h2 sleep 0.8"
    counts = asking.counts
    assert counts.hedges + counts.retries == 1
    assert asking.suspects == ("h1",)
    assert "h1" not in hosts.wait(LONG)
    assert pid(hosts, "h1") != before
    for _ in range(200):
        asked(asking, b"x", "h2")
        if not asking.suspects:
            break
        time.sleep(0.1)
    assert asking.suspects == ()


def test_a_stopped_host_costs_one_hedge(hosts):
    asking = Asking(hosts)
    stopped = pid(hosts, "h1")
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert asked(asking, b"x", "h1") == b"h2 x"
        assert asking.counts.hedges == 1
        assert asking.suspects == ("h1",)
        assert asking.talk(NAMES).replicas == ("h2", "h1")
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert hosts.submit("h1", b"x").result(LONG) == b"h1 x"


def test_a_host_whose_machine_is_gone_moves_to_a_spare_one(hosts, world, session):
    """Ray starts it there; its folder is what that machine has of it."""
    asking = Asking(hosts)
    before = place(hosts, "h2")[2]
    world.remove(next(node for node in world.nodes if node.node_id == before))
    # Its process ends some time after the machine: until then it may answer.
    assert asked(asking, b"x", "h2") in (b"h1 x", b"h2 x")
    for _ in range(600):
        with contextlib.suppress(HostLost, ActorError):
            if place(hosts, "h2")[2] != before:
                break
        assert asked(asking, b"x", "h2") in (b"h1 x", b"h2 x")
        time.sleep(0.1)
    assert place(hosts, "h2")[2] not in (before, place(hosts, "h1")[2])


def test_a_wrong_token_gets_nothing(strangers):
    for one in strangers:
        said, wrong = one.communicate(timeout=LONG)
        assert said.startswith("refused"), said + wrong[-2000:]


def test_a_stale_file_and_a_variable_do_not_misdirect(world, monkeypatch, hosts):
    """Ray would follow both where it is given no address."""
    (Path(world.place) / "ray_current_cluster").write_text("192.0.2.99:1")
    code = (
        "from fpmatch.cluster.ray_session import RaySession\n"
        f"session = RaySession({world.address!r}, 'fpmatch-test')\n"
        "from fpmatch.cluster.ray_hosts import running\n"
        "print(running(session))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RAY_ADDRESS": "192.0.2.98:1"},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.stdout.strip() == "('h1', 'h2')", done.stderr[-2000:]


@pytest.mark.parametrize(
    "address", ["auto", "", "local", "ray://192.0.2.1", "192.0.2.1:0", None, 7]
)
def test_an_address_has_to_be_one(address):
    with pytest.raises(InputError):
        ray_session.check_address(address)


def test_another_ray_is_refused_while_this_one_is_connected(session):
    with pytest.raises(ClusterError, match="another Ray"):
        RaySession("192.0.2.1:6379", "fpmatch-test")


def test_a_closed_transport_loses_its_calls(session):
    mine = RayHosts(session, ())
    mine._handles["h1"] = None
    mine._closed = True
    with pytest.raises(HostLost):
        mine.submit("h1", b"x").result(1)


def test_hosts_are_ended_and_let_go_of_their_files(hosts, session):
    hosts.stop(seconds=LONG)
    assert hosts.hosts == ()
    assert running(session) == ()
    assert all((hosts.folder / name / "closed").exists() for name in NAMES)


def fpm(*words: object) -> tuple[int, dict]:
    """A command, and what it says as JSON."""
    said, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(sys, "argv", ["fpmatch", *map(str, words), "--json", "-"])
        try:
            app.run()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, json.loads(said.getvalue() or "{}")


def searched(place: Path, cluster: Any = None) -> list[bytes]:
    """What an engine answers about some people."""
    copy = place.with_name("copy.fpm")
    if cluster is None:
        shutil.copytree(place, copy)
    options = {"clock": Clock(), "durability": "off", "shards": cluster}
    with Engine.open(copy if cluster is None else place, "rw", **options) as engine:
        found = [engine.search(request(ON, person)) for person in range(1, 9)]
    for response in found:
        assert all(one.coverage is None or one.coverage.whole for one in response.sections)
    return [told(response) for response in found]


def test_a_gallery_is_spread_searched_shown_and_outlives_the_head(
    world, session, hosts, tmp_path, monkeypatch
):
    """The last of the tests: Ray has no head at its end."""
    place = tmp_path / "g.fpm"
    with Engine.create(place, clock=Clock(), durability="off") as engine:
        engine.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
        engine.add_partition("immigration", 9, "DHS", expected_fingers=100)
        for name, records in people().items():
            engine.enrol(name, records)
        engine.publish(Policy.parse(POLICY))
    right = searched(place)
    words = ("--hosts", 2, "--buckets", 4, "--host-folder", tmp_path / "hosts", "--seconds", LONG)
    code, said = fpm("cluster", "start", place, "--address", world.address, *words)
    assert (code, said["well"]) == (0, True)
    assert said["ray"] == {"address": world.address, "head": True, "token": True, "tls": False}
    assert [one["rows"] for one in said["partitions"]] == [4, 4, 4, 4]
    with open_on_ray(tmp_path / "g.fpm.cluster") as cluster:
        assert searched(place, cluster) == right
    code, said = fpm("cluster", "rebalance", place, "--hosts", 1)
    assert (code, [host["name"] for host in said["hosts"]]) == (0, ["h01"])
    code, said = fpm("cluster", "rebalance", place, "--hosts", 2, "--seconds", LONG)
    assert (code, said["well"], said["layout"]["version"]) == (0, True, 3)

    cluster = open_on_ray(tmp_path / "g.fpm.cluster")
    monkeypatch.setattr(ray_session, "ASKING", replace(ASKING, head_after=3.0))
    mine = cluster.transport.session
    mine.check_head()
    world.kill_head()
    assert searched(place, cluster) == right
    for _ in range(600):
        if mine.head_lost:
            break
        time.sleep(0.1)
    with pytest.raises(ClusterError, match=r"has not answered for .* docs/cluster\.md"):
        mine.check_head()
    with pytest.raises(ClusterError, match=r"docs/cluster\.md"):
        running(mine)
    with pytest.raises(ClusterError, match=r"docs/cluster\.md"):
        stop(cluster)
    assert not show(cluster, LONG).head
    assert all(host.alive for host in show(cluster, LONG).hosts)
    os.kill(pid(cluster.transport, "h01"), signal.SIGKILL)
    time.sleep(1)
    lost = cluster.transport.submit("h01", b"x")
    with pytest.raises(HostLost, match="head has not answered"):
        lost.result(LONG)
    # Nobody starts it again, and nobody has to: the other one holds the same.
    assert searched(place, cluster) == right
    cluster.close()
