"""Buckets on their way from one host to another: nothing is lost on it, and nothing left behind."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import Clock, engine, folder, print_of, record, request
from packed_rows import packed_codes
from test_cluster import HOSTS, found, hosts_of, over, stored_templates

from fpmatch.cluster import Cluster, moving
from fpmatch.cluster.buckets import bucket_of
from fpmatch.descriptor import encode
from fpmatch.errors import HostLost
from fpmatch.search import Engine


def trace_of(person: int) -> bytes:
    return packed_codes(encode(print_of(person)))


def commit_all(cluster: Any) -> None:
    for host in hosts_of(cluster).running.values():
        held = host._shelf.find("criminal")
        for bucket in held.buckets.values() if held else ():
            bucket.commit(final=True)


def test_a_bucket_whose_index_lacks_rows_of_its_owners_begins_again():
    """By level and digest, which are of the owners, it is whole: the row would be in no search."""
    place = folder()
    options: dict[str, Any] = {"durability": "off", "clock": Clock()}
    with engine() as one:
        shutil.copytree(one._state.folder, place / "g")
    with (
        Cluster.start(place / "c", ("a",), buckets=1, replicas=1) as cluster,
        Engine.open(place / "g", "rw", shards=cluster, **options) as here,
    ):
        commit_all(cluster)
        bucket = place / "c" / "hosts" / "a" / "criminal" / "b00000"
        shutil.copytree(bucket / "index", place / "before")
        here.enrol("criminal", [record("C-9", 9)])
    shutil.rmtree(bucket / "index")
    shutil.copytree(place / "before", bucket / "index")
    with (
        Cluster.open(place / "c") as cluster,
        Engine.open(place / "g", "rw", shards=cluster, **options) as here,
    ):
        assert found(here, 9) == {"C-9"}
        assert found(here, 1) == {"C-1"}
    shutil.rmtree(place)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("arrived", [True, False])
def test_what_is_expunged_while_buckets_move_stays_at_no_host(monkeypatch, arrived, new):
    """The copy was read before the removal, and is there already or arrives after it."""
    with over(replicas=1) as (here, cluster):
        number = bucket_of("C-3", 8)
        (owner,) = cluster.layout.places[number]
        hosts = ["d", "e"] if new else [h for h in HOSTS if h != owner]
        commit_all(cluster)
        assert trace_of(3) in stored_templates(cluster)
        copy, write, purge = cluster._copy, moving.write, cluster.purge
        on_its_way, removing, gone = threading.Event(), threading.Event(), threading.Event()

        def copies(partition: str, host: str, buckets: Any, old: Any) -> None:
            for bucket in buckets:
                copy(partition, host, [bucket], old)
                if arrived and (partition, bucket) == ("criminal", number):
                    on_its_way.set()
                    gone.wait(30)

        def writes(place: Path, name: str, first: int, content: bytes) -> None:
            mine = place.name == f"b{number:05d}" and place.parent.name == "criminal"
            if not arrived and mine and name.endswith(".seg"):
                on_its_way.set()
                removing.wait(30)
                gone.wait(2)
            write(place, name, first, content)

        def purges(partition: str) -> None:
            removing.set()
            purge(partition)

        monkeypatch.setattr(cluster, "_copy", copies)
        monkeypatch.setattr(moving, "write", writes)
        monkeypatch.setattr(cluster, "purge", purges)
        moves = threading.Thread(target=cluster.rebalance, args=(hosts,))
        moves.start()
        assert on_its_way.wait(30)
        here.expunge("C-3", partition="criminal", order="o", authority="a")
        at_its_receipt = stored_templates(cluster)
        gone.set()
        moves.join()
        assert trace_of(3) not in at_its_receipt
        assert trace_of(3) not in stored_templates(cluster)
        assert found(here, 3) == set()
        assert found(here, 4) == {"C-4"}


@pytest.mark.parametrize("hosts", [["a", "b"], ["a", "d"]])
def test_a_copy_that_was_broken_off_is_deleted_by_the_next_removal(monkeypatch, hosts):
    """At a host that holds other buckets, and at one that the layout never came to name."""
    with over(hosts=("a", "b"), replicas=1, buckets=2) as (here, cluster):
        commit_all(cluster)
        number = bucket_of("C-3", 2)
        owner = cluster.layout.places[number][0]
        target = next(h for h in hosts if h != owner)
        hosts_of(cluster).start(target)
        write = moving.write

        def breaks(folder: Path, name: str, first: int, content: bytes) -> None:
            if name == "owners.fpb":
                raise HostLost("gone")
            write(folder, name, first, content)

        monkeypatch.setattr(moving, "write", breaks)
        with pytest.raises(HostLost):
            cluster._keeper.move("criminal", number, owner, target)
        here.expunge("C-3", partition="criminal", order="o", authority="a")
        left = [p for p in (cluster.folder / "hosts").rglob("*") if p.is_file()]
        assert not any(trace_of(3) in p.read_bytes() for p in left)
        assert found(here, 1) == {"C-1"}


@pytest.mark.parametrize("new", [True, False])
def test_a_removal_ends_where_a_copy_has_failed_and_the_bucket_was_never_adopted(monkeypatch, new):
    """The move goes on: the host counts among those that may hold the bucket, and does not."""
    with over(replicas=1) as (here, cluster):
        number = bucket_of("C-3", 8)
        (owner,) = cluster.layout.places[number]
        hosts = ["d", "e"] if new else [h for h in HOSTS if h != owner]
        commit_all(cluster)
        copy, write = cluster._copy, moving.write
        left: list[tuple[bool, bool]] = []

        def breaks(place: Path, name: str, first: int, content: bytes) -> None:
            mine = place.name == f"b{number:05d}" and place.parent.name == "criminal"
            if mine and name == "owners.fpb":
                raise HostLost("gone")
            write(place, name, first, content)

        def copies(partition: str, host: str, buckets: Any, old: Any) -> None:
            copy(partition, host, buckets, old)
            if partition == "criminal" and number in buckets:
                there = cluster.folder / "hosts" / host
                before = is_in(there, trace_of(3))
                here.expunge("C-3", partition="criminal", order="o", authority="a")
                left.append((before, is_in(cluster.folder / "hosts", trace_of(3))))

        monkeypatch.setattr(moving, "write", breaks)
        monkeypatch.setattr(cluster, "_copy", copies)
        cluster.rebalance(hosts)
        assert left == [(True, False)]
        assert not is_in(cluster.folder / "hosts", trace_of(3))
        assert found(here, 3) == set()
        assert found(here, 4) == {"C-4"}


def is_in(place: Path, trace: bytes) -> bool:
    return any(trace in p.read_bytes() for p in place.rglob("*") if p.is_file())


def test_a_bucket_that_is_gone_from_a_host_is_brought_again():
    """The coordinator believes that the host has it, and has nothing new to tell of it."""
    with over(replicas=1) as (here, cluster):
        number = bucket_of("C-3", 8)
        (owner,) = cluster.layout.places[number]
        held = hosts_of(cluster).running[owner]._shelf.partition("criminal")
        held.buckets.pop(number).drop()
        here.search(request(person=3, tcn=""))
        section = here.search(request(person=3, tcn=""))["criminal"]
        assert section.complete
        assert [c.record for c in section.candidates] == ["C-3"]


def test_a_partition_may_be_called_as_the_place_where_buckets_arrive():
    with over() as (here, cluster):
        here.add_partition("arriving", 4, "X", expected_fingers=10)
        here.enrol("arriving", [record("A-1", 1)])
        transport = hosts_of(cluster)
        for host in HOSTS:
            for bucket in transport.running[host]._shelf.partition("arriving").buckets.values():
                bucket.commit(final=True)
            files = moving.files(cluster.folder / "hosts" / host / "arriving")
            transport.stop(host)
            transport.start(host)
            assert moving.files(cluster.folder / "hosts" / host / "arriving") == files
