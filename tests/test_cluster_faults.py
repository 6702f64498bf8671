"""The short form of `tests/faults/cluster_play.py`: kinds of faults once, and their judge."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from namespaces import Namespaces

FAULTS = Path(__file__).resolve().parent / "faults"
sys.path.insert(0, str(FAULTS))
pytestmark = pytest.mark.slow


def run(*words: str) -> list[list[str]]:
    """The rows of the table."""
    done = subprocess.run(
        [sys.executable, str(FAULTS / "cluster_play.py"), "--seed", "3", *words],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:-1]]


def test_searches_are_right_or_incomplete_while_hosts_are_killed_and_stopped():
    rows = run("--each", "1", "--part", "hosts")
    kinds = [
        "none", "host killed", "host stopped (SIGSTOP)", "host cut off (link down)",
        "host removed, another there with nothing", "both replicas killed",
    ]  # fmt: skip
    if Namespaces.why_not():
        kinds.remove("host cut off (link down)")
    assert [row[0] for row in rows] == kinds
    for fault, trials, equal, incomplete, wrong, *_ in rows:
        assert (trials, wrong) == ("1", "0")
        assert int(equal) > 0
        # With one replica left every answer is whole; with none it says that it is not.
        assert (int(incomplete) > 0) == (fault == "both replicas killed")


def test_a_coordinator_that_is_killed_loses_nothing_and_revives_nothing():
    rows = run("--each", "1", "--part", "coordinator", "--only", "rebalance", "--only", "expunge")
    assert len(rows) == 7
    assert all((trials, wrong) == ("1", "0") for _, trials, _, _, wrong, *_ in rows)


def test_the_judge_notices_a_loss_and_a_return(tmp_path, monkeypatch):
    """Told that a record is there that never was, and that one is gone that is there."""
    import cluster_play

    from fpmatch.cluster import Cluster

    cluster_play.make(tmp_path)
    monkeypatch.setattr(cluster_play, "PEOPLE", 2)

    # Without a transport of its own the cluster's hosts are in this process.
    monkeypatch.setattr("socket_hosts.SocketHosts", lambda sockets: None)
    Cluster.start(tmp_path / "cluster", cluster_play.HOSTS, buckets=cluster_play.BUCKETS).close()
    truth = cluster_play.Truth({"C-1": 1, "C-never": 3}, {}, {"C-0": 0})
    said: list = []
    cluster_play.judge(tmp_path, {}, truth, said.append)
    wrong = dict(said)["wrong"]
    assert "lost: C-never" in wrong
    assert "revived: C-0" in wrong
