"""A gallery over hosts: the same answers, nothing without a grant, nothing lost or revived."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import cluster_cases
import numpy as np
import pytest
from engine_helpers import (
    HELD,
    LATER,
    OFF,
    POLICY,
    Clock,
    engine,
    folder,
    print_of,
    record,
    request,
    told,
)
from packed_rows import packed_codes

from fpmatch.cluster import Cluster, Layout
from fpmatch.cluster import grants as granting
from fpmatch.cluster.buckets import bucket_of
from fpmatch.cluster.calling import Line
from fpmatch.cluster.folder import read_key
from fpmatch.cluster.grants import (
    SEARCH,
    TAG,
    UPKEEP,
    Grant,
    Granter,
    GrantError,
    Level,
    Turns,
    mask_digest,
    signed,
)
from fpmatch.cluster.keeper import PATIENCE
from fpmatch.cluster.layout import first_layout, moves, read_layout, rebalanced, write_layout
from fpmatch.cluster.messages import Behind, Call, read_reply
from fpmatch.cluster.owners import Owners, owners_from
from fpmatch.cluster.panel import HostPanel
from fpmatch.cluster.transport import PING
from fpmatch.errors import (
    ClusterError,
    CorruptError,
    FpmatchError,
    HostLost,
    InputError,
    LockedError,
    PolicyError,
    RefusedError,
    StorageError,
)
from fpmatch.index.rounds import Question, Step
from fpmatch.policy import Policy
from fpmatch.search import Engine
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.probe import Probe
from fpmatch.search.round_messages import question_to_bytes
from fpmatch.types import Coverage, Outcome, Record

HOSTS = ("a", "b", "c")


@contextmanager
def over(
    people: dict[str, list[Record]] | None = None, text: str = POLICY, **how: Any
) -> Iterator[tuple[Engine, Cluster]]:
    """An engine over hosts in this process, and its cluster."""
    place = folder()
    how.setdefault("hosts", HOSTS)
    how.setdefault("buckets", 8)
    try:
        with (
            Cluster.start(place, **how) as cluster,
            engine(people, text, shards=cluster) as made,
        ):
            yield made, cluster
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def many() -> Iterator[tuple[Engine, Cluster]]:
    with over() as both:
        yield both


def found(engine: Engine, person: int = 1, partition: str = "criminal", **more: Any) -> set[str]:
    section = engine.search(request(person=person, tcn="", **more))[partition]
    return {c.record for c in section.candidates or ()}


def hosts_of(cluster: Cluster) -> Any:
    return cluster.transport


# -- the same answers ------------------------------------------------------------------------------


@pytest.mark.slow
def test_any_layout_answers_as_one_process(monkeypatch):
    """More of it: `python tests/cluster_cases.py 1000 7`."""
    met = cluster_cases.try_cases(75, 5, monkeypatch.setattr)
    assert met["candidates"] > 50
    assert met["any scale"] > 10
    assert met["compared"] > 500
    assert met["several fingers"] > 10
    assert met["one finger"] > 10
    assert {"expunge", "enrol", "hosts", "balanced", "scan", "fast"} <= met.keys()


def test_a_verification_and_named_records_are_the_same(many):
    here, _ = many
    with engine() as one:
        for name in ("C-1", "C-3", "nobody"):
            asked = request(tcn="")
            a, b = (e.verify(asked, name, partition="criminal") for e in (here, one))
            assert (a.outcome, a.score, a.complete) == (b.outcome, b.score, b.complete)
    assert here.verify(request(tcn=""), "C-1", partition="criminal").score > 40


def test_a_replay_agrees_with_the_log(many):
    here, _ = many
    asked = request(person=2)
    response = here.search(asked)
    assert here.replay(response.audit_seq, asked).ok


def test_what_is_added_is_compared_with_the_record_as_in_one_process(many):
    """Resemblance is of stored templates where no index is at hand."""
    here, _ = many
    more = [
        dataclasses.replace(record("C-1", 1, 2), event="E-2"),
        dataclasses.replace(record("C-2", 9), event="E-2"),
    ]
    with engine() as one:
        flags = [e.enrol("criminal", more).flags for e in (here, one)]
    assert flags[0] == flags[1]
    assert [f.record for f in flags[0]] == ["C-2"]


def test_without_ray_nothing_of_it_is_loaded():
    code = (
        "import sys, fpmatch, fpmatch.cluster; fpmatch.Engine; fpmatch.cluster.Cluster;"
        "sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- a host without a grant ------------------------------------------------------------------------


class Caller:
    """Somebody who can send bytes to a host, and has whatever key and grant he is given."""

    def __init__(self, cluster: Cluster, key: bytes | None = None) -> None:
        self.cluster = cluster
        self.key = read_key(cluster.folder) if key is None else key
        self.level = cluster.source.level("criminal")

    def probe(self, partition: str = "criminal", **more: Any) -> PartitionRequest:
        asked = {"sees_protected": False, "uses": frozenset({"CAR"}), **more}
        return PartitionRequest(partition, Probe.of_request(request()), **asked)

    def grant(self, **more: Any) -> Grant:
        mask = mask_digest(sees_protected=False, uses={"CAR"}, below=100)
        said: dict[str, Any] = {
            "act": SEARCH, "partition": "criminal", "mask": mask, "level": self.level,
            "search": "s", "expires": time.time() + 30, **more,
        }  # fmt: skip
        return Grant(**said)

    def ask(
        self, grant: Grant, turn: int = 0, asked: PartitionRequest | None = None,
        question: Question = Question(Step.COUNT), key: bytes | None = None, **said: Any,  # noqa: B008
    ) -> Any:  # fmt: skip
        host = self.cluster.layout.hosts[0]
        said = {
            "buckets": list(self.cluster.layout.of(host)), "below": 100, "exact": True,
            "attempt": 0, "seconds_left": None, **said,
        }  # fmt: skip
        blobs = [question_to_bytes(question)]
        if not turn:
            blobs.insert(0, (asked or self.probe()).to_bytes())
        return self.send(Call("ask", grant, turn, said, blobs), key)

    def send(self, call: Call, key: bytes | None = None, host: str = "") -> Any:
        data = signed(self.key if key is None else key, call.to_bytes())
        return self.raw(data, host)

    def raw(self, data: bytes, host: str = "") -> Any:
        host = host or self.cluster.layout.hosts[0]
        return read_reply(hosts_of(self.cluster).submit(host, data).result()[TAG:])


@pytest.fixture
def caller(many) -> Caller:
    return Caller(many[1])


def test_a_call_with_a_grant_is_answered(caller):
    assert len(caller.ask(caller.grant()).blobs) == 1


def test_a_call_without_a_signature_is_refused_whatever_it_says(caller):
    call = Call("ask", caller.grant(), 0, {}, []).to_bytes()
    for data in (call, b"", b"x" * 31, bytes(32) + call, signed(b"k" * 32, call)):
        with pytest.raises(GrantError, match="not signed"):
            caller.raw(data)


def test_a_call_that_was_changed_on_its_way_is_refused(caller):
    whole = signed(caller.key, Call("levels", caller.grant(act=UPKEEP, mask="")).to_bytes())
    for at in (0, 31, 32, 60, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        with pytest.raises(GrantError):
            caller.raw(bytes(changed))


def test_a_grant_for_a_partition_opens_no_other(caller):
    """The partition of the grant, of the request and of the rows that are touched are one."""
    with pytest.raises(GrantError, match="another partition"):
        caller.ask(caller.grant(partition="immigration"))
    with pytest.raises(GrantError, match="another partition"):
        caller.ask(caller.grant(), asked=caller.probe("immigration"))
    with pytest.raises(PolicyError):
        Granter(caller.key, "immigration").sign(caller.grant(), b"")


@pytest.mark.parametrize(
    "wider", [{"sees_protected": True}, {"uses": frozenset()}, {"uses": frozenset({"CNA"})}]
)
def test_a_grant_for_a_mask_opens_no_other(caller, wider):
    with pytest.raises(GrantError, match="another mask"):
        caller.ask(caller.grant(), asked=caller.probe(**wider))


def test_a_grant_does_not_show_rows_that_came_later(caller):
    with pytest.raises(GrantError, match="another mask"):
        caller.ask(caller.grant(), below=101)


def test_an_expired_grant_is_refused(caller):
    with pytest.raises(GrantError, match="expired"):
        caller.ask(caller.grant(expires=time.time() - granting.SKEW - 1))


def test_a_call_is_heard_once_and_in_turn(caller):
    grant = caller.grant()
    everything = Question(Step.EVERYTHING)
    first = caller.ask(grant)
    again = caller.ask(grant)
    assert again.blobs == first.blobs  # the last one once more: its answer, not another round
    with pytest.raises(GrantError, match="out of turn"):
        caller.ask(grant, 2, question=everything)
    caller.ask(grant, 1, question=everything)
    caller.ask(grant, 2, question=Question(Step.TAKE, cuts=(None,)))
    for turn in (0, 1):
        with pytest.raises(GrantError, match="out of turn"):
            caller.ask(grant, turn)


def test_a_search_that_is_over_cannot_be_taken_up(caller):
    grant = caller.grant()
    caller.ask(grant)
    caller.send(Call("end", grant))
    for turn in (0, 1):
        with pytest.raises(GrantError):
            caller.ask(grant, turn)


def test_a_later_call_cannot_change_mask_or_partition(caller):
    grant = caller.grant()
    caller.ask(grant)
    everything = Question(Step.EVERYTHING)
    for other in (caller.grant(search="t"), caller.grant(partition="immigration", search="t")):
        with pytest.raises(GrantError):
            caller.ask(other, 1, question=everything)
    wider = mask_digest(sees_protected=True, uses={"CAR"}, below=100)
    with pytest.raises(GrantError, match="another partition"):
        caller.ask(caller.grant(partition="immigration"), 1, question=everything)
    with pytest.raises(GrantError, match="another mask"):
        caller.ask(caller.grant(mask=wider), 1, question=everything)
    caller.ask(grant, 1, question=everything)


@pytest.mark.parametrize("verb", ["levels", "follow", "commit", "drop", "files", "read", "adopt"])
def test_the_grant_of_a_search_is_none_for_upkeep(caller, verb):
    with pytest.raises(GrantError, match="none for upkeep"):
        caller.send(Call(verb, caller.grant(), 0, {"buckets": [], "digest": False}))


def test_a_grant_for_upkeep_is_none_for_a_search(caller):
    with pytest.raises(GrantError, match="none for search"):
        caller.ask(caller.grant(act=UPKEEP))


def test_upkeep_is_not_heard_twice(caller):
    call = Call("drop", caller.grant(act=UPKEEP, mask="", search="u"), 0, {"buckets": []})
    caller.send(call)
    with pytest.raises(GrantError, match="heard before"):
        caller.send(call)


def test_rows_that_the_mask_bars_are_compared_with_nothing():
    people = {"criminal": [record("C-1", 1), record("C-2", 2, protected=True)], "immigration": []}
    with over(people, replicas=3) as (_, cluster):
        caller = Caller(cluster)
        rows = np.arange(2, dtype=np.int64)
        grant = caller.grant()
        seen = caller.ask(grant, question=Question(Step.VERIFY, rows=rows[:1]))
        assert len(seen.blobs) == 1
        with pytest.raises(GrantError, match="mask bars"):
            caller.ask(caller.grant(search="t"), question=Question(Step.VERIFY, rows=rows))


def test_no_host_is_asked_for_a_partition_that_is_not_granted(many, monkeypatch):
    """And so nothing that it holds can have a part in the answer, nor in its time."""
    here, cluster = many
    asked: list[tuple[str, str]] = []
    submit = hosts_of(cluster).submit

    def listening(host: str, call: bytes) -> Future[bytes]:
        if len(call) > granting.TAG:
            read = Call.from_bytes(call[granting.TAG :])
            asked.append((read.grant.partition, read.verb))
        return submit(host, call)

    monkeypatch.setattr(hosts_of(cluster), "submit", listening)
    response = here.search(request(OFF))
    assert response["immigration"].outcome is Outcome.NOT_SEARCHED
    assert asked
    assert {partition for partition, _ in asked} == {"criminal"}
    for host in HOSTS:
        hosts_of(cluster).stop(host)
    # And a proof of it needs none.
    assert here.audit.prove_not_searched(response.tcn, "immigration").partition == "immigration"


def test_what_hosts_are_told_of_records_is_what_masks_need():
    """No record id, identity, contributor or event: keys, flags and banned uses."""
    people = {
        "criminal": [
            Record("SECRET-NAME", [print_of(1)], identity="SECRET-PERSON", event="SECRET-EVENT",
                   contributor="CA0380199", banned_uses=frozenset({"CNA"}))
        ]
    }  # fmt: skip
    sent: list[bytes] = []
    place = folder()
    with Cluster.start(place, HOSTS) as cluster:
        submit = hosts_of(cluster).submit
        hosts_of(cluster).submit = lambda h, c: (sent.append(bytes(c)), submit(h, c))[1]
        with engine(people, shards=cluster) as here:
            assert found(here) == {"SECRET-NAME"}
    kept = b"".join(p.read_bytes() for p in (place / "hosts").rglob("*") if p.is_file())
    shutil.rmtree(place)
    for secret in (b"SECRET", b"CA0380199"):
        assert all(secret not in data for data in (*sent, kept))
    assert b"CNA" in kept


def test_turns_forget_what_has_expired():
    now = [1000.0]
    turns = Turns(lambda: now[0])
    for n in range(granting._MANY + 10):
        grant = Grant(SEARCH, "p", "", Level(0, ""), str(n), now[0] + 1)
        assert turns.take(grant, (), 0)
    now[0] += 100
    turns.take(Grant(SEARCH, "p", "", Level(0, ""), "new", now[0] + 1), (), 0)
    assert len(turns._last) == 1


# -- hosts follow ----------------------------------------------------------------------------------


def test_what_is_enrolled_is_found_at_once_and_what_is_removed_never(many):
    here, cluster = many
    here.enrol("criminal", [record("C-9", 9)])
    assert found(here, 9) == {"C-9"}
    here.seal("C-9", order="o", authority="a")
    assert found(here, 9) == set()
    here.unseal("C-9", order="o", authority="a")
    assert found(here, 9) == {"C-9"}
    here.update("criminal", "C-9", fingers=[print_of(10)], order="o", authority="a")
    assert (found(here, 9), found(here, 10)) == (set(), {"C-9"})
    here.expunge("C-9", order="o", authority="a")
    assert found(here, 10) == set()
    assert all(level.level == level.buckets for level in cluster.status())


def stored_templates(cluster: Cluster) -> bytes:
    return b"".join(
        p.read_bytes() for p in (cluster.folder / "hosts").rglob("*.seg") if p.is_file()
    )


def test_an_expunged_finger_leaves_no_byte_at_any_host(many):
    here, cluster = many
    for host in hosts_of(cluster).running.values():
        for name in ("criminal", "immigration"):
            for bucket in host._shelf.partition(name).buckets.values():
                bucket.commit(final=True)
    from fpmatch.descriptor import encode

    trace = packed_codes(encode(print_of(3)))
    assert trace in stored_templates(cluster)
    here.expunge("C-3", partition="criminal", order="o", authority="a")
    assert trace not in stored_templates(cluster)


def test_an_expunged_row_is_not_revived_when_all_is_told_again(many):
    """After compaction nothing at the host remembers the row but the list of expunged ones."""
    here, cluster = many
    here.expunge("C-1", partition="criminal", order="o", authority="a")
    for host in HOSTS:
        cluster._keeper.forget(host, "criminal")
    cluster.level("criminal", held=False)
    assert found(here, 1) == set()
    here.enrol("criminal", [record("C-8", 1)])
    assert found(here, 1) == {"C-8"}


def test_a_row_that_is_given_again_by_a_restored_gallery_is_found():
    """The host has expunged that row: the system of record decides, and it has it."""
    place = folder()
    options: dict[str, Any] = {"durability": "off", "clock": Clock()}
    with Cluster.start(place / "c", HOSTS, buckets=4) as cluster:
        with Engine.create(place / "g", shards=cluster, **options) as here:
            here.add_partition("criminal", 1, "DOJ-FBI", expected_fingers=100)
            here.add_partition("immigration", 9, "DHS", expected_fingers=100)
            here.publish(Policy.parse(POLICY))
            here.enrol("criminal", [record("C-1", 1), record("C-2", 2)])
        shutil.copytree(place / "g", place / "old")
        with Engine.open(place / "g", "rw", shards=cluster, **options) as here:
            here.expunge("C-1", partition="criminal", order="o", authority="a")
            here.enrol("criminal", [record("C-5", 5)])
            here.seal("C-2", partition="criminal", order="o", authority="a")
            assert (found(here, 1), found(here, 2), found(here, 5)) == (set(), set(), {"C-5"})
        # The old gallery goes another way, under the same numbers.
        with Engine.open(place / "old", "rw", shards=cluster, **options) as here:
            assert (found(here, 1), found(here, 2), found(here, 5)) == ({"C-1"}, {"C-2"}, set())
            here.enrol("criminal", [record("C-6", 6)])
            assert (found(here, 6), found(here, 5)) == ({"C-6"}, set())
    shutil.rmtree(place)


@pytest.mark.parametrize("written", [False, True])
def test_a_row_removed_between_two_rounds_is_dropped_in_the_last(many, written):
    """By another engine's writer: this engine's lock does not keep it out.

    Where the index has written its rows meanwhile, the search still looks at what they were before.
    """
    here, cluster = many
    caller = Caller(cluster)
    host = hosts_of(cluster).running[cluster.layout.hosts[0]]
    held = host._shelf.partition("criminal")
    rows = np.sort(np.concatenate([b.owners.rows for b in held.buckets.values()]))
    grant = caller.grant()
    caller.ask(grant)
    for bucket in held.buckets.values() if written else ():
        bucket._index.flush()
    here.expunge(name_of(here, int(rows[0])), partition="criminal", order="o", authority="a")
    from fpmatch.index import REMOVED
    from fpmatch.search.round_messages import answer_from_bytes

    question = Question(Step.VERIFY, rows=rows)
    reply = caller.ask(grant, 1, question=question)
    scores = answer_from_bytes(reply.blobs[0], question, 1).scores
    assert scores[0] == REMOVED
    assert (scores[1:] >= 0).all()


@pytest.mark.parametrize("buckets", [1, 8])
def test_a_removal_drops_no_row_of_a_search_in_another_partition(buckets):
    """Both count their rows from 0: what is searched there would be lost until a host restarts.

    In one bucket the numbers of both meet for certain.
    """
    with over(hosts=("a", "b"), replicas=2, buckets=buckets) as (here, cluster):
        for host in cluster.layout.hosts:
            caller = Caller(cluster)
            caller.level = cluster.source.level("immigration")
            grant = caller.grant(partition="immigration", search=host)
            call = {"buckets": list(cluster.layout.of(host)), "below": 100, "exact": True}
            said = {**call, "attempt": 0, "seconds_left": None}
            blobs = [caller.probe("immigration").to_bytes()]
            blobs.append(question_to_bytes(Question(Step.COUNT)))
            caller.send(Call("ask", grant, 0, said, blobs), host=host)
        for name in ("C-1", "C-2", "C-3", "C-4"):
            here.expunge(name, partition="criminal", order="o", authority="a")
        for person in (1, 2, 7, 8):
            for _ in range(4):
                assert found(here, person, "immigration") == {f"I-{person}"}


def test_a_row_that_is_gone_already_is_absent_and_not_refused_as_barred(many, monkeypatch):
    """A search that began at another replica names it; here it is tombstoned and still stored."""
    here, cluster = many
    host = hosts_of(cluster).running[cluster.layout.hosts[0]]
    held = host._shelf.partition("criminal")
    rows = np.sort(np.concatenate([b.owners.rows for b in held.buckets.values()]))
    monkeypatch.setattr(cluster, "purge", lambda partition: None)
    here.expunge(name_of(here, int(rows[0])), partition="criminal", order="o", authority="a")
    caller = Caller(cluster)
    from fpmatch.index.verifying import ABSENT
    from fpmatch.search.round_messages import answer_from_bytes

    grant = caller.grant()
    caller.ask(grant)
    question = Question(Step.VERIFY, rows=rows)
    reply = caller.ask(grant, 1, question=question)
    scores = answer_from_bytes(reply.blobs[0], question, 1).scores
    assert scores[0] == ABSENT
    assert (scores[1:] >= 0).all()


def name_of(engine: Engine, row: int) -> str:
    columns = engine._state.gallery.columns("criminal")
    return columns.names[columns.row_record[row]]


def test_a_host_that_begins_again_is_brought_level_before_it_answers(many):
    here, cluster = many
    transport = hosts_of(cluster)
    here.enrol("criminal", [record("C-9", 9)])
    for host in HOSTS:
        # As if killed: nothing of what was in memory is on its disk.
        folder_of = transport._hosts[host]._shelf.folder
        transport.stop(host)
        shutil.rmtree(folder_of)
        folder_of.mkdir()
        transport.start(host)
    assert found(here, 9) == {"C-9"}
    assert found(here, 1) == {"C-1"}


def test_a_host_answers_nothing_about_a_state_that_it_has_not_reached(many):
    _here, cluster = many
    caller = Caller(cluster)
    seq = caller.level.seq + 1
    with pytest.raises(Behind):
        caller.ask(caller.grant(level=Level(seq, "another")))


def visible(reply: Any) -> int:
    from fpmatch.search.round_messages import answer_from_bytes

    return int(answer_from_bytes(reply.blobs[0], Question(Step.COUNT), 1).visible[0])


def test_rows_that_came_after_the_state_that_a_search_names_are_not_seen():
    """Another engine may be behind the writer, and hosts ahead of it."""
    with over(replicas=3) as (here, cluster):
        caller = Caller(cluster)
        old = caller.level
        before = visible(caller.ask(caller.grant()))
        here.enrol("criminal", [record("C-9", 9)])
        mask = mask_digest(sees_protected=False, uses={"CAR"}, below=4)
        grant = caller.grant(level=old, mask=mask, search="t")
        reply = caller.ask(grant, below=4, exact=False)
        assert visible(reply) == before == 4
        assert reply.told["ahead"]


def test_a_host_that_is_ahead_of_the_writer_is_not_believed():
    """It followed a gallery that was restored from before."""
    with over(replicas=3) as (here, cluster):
        caller = Caller(cluster)
        here.enrol("criminal", [record("C-9", 9)])
        with pytest.raises(Behind):
            caller.ask(caller.grant(), exact=True)


def wait_until(done: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_host_that_is_away_gets_what_it_missed(many):
    here, cluster = many
    transport = hosts_of(cluster)
    transport.stop("b")
    here.enrol("criminal", [record(f"C-{n}", n) for n in range(20, 30)])
    assert all(found(here, n) == {f"C-{n}"} for n in range(20, 30))
    with pytest.raises(ClusterError, match="b cannot be reached"):
        here.expunge("C-20", partition="criminal", order="o", authority="a")
    assert found(here, 20) == set()
    transport.start("b")
    wait_until(lambda: (cluster.asking.look(), cluster.asking.suspects)[1] == ())
    found(here, 21)  # any call finishes what was left
    assert [k for k, _ in here._state.gallery.unfinished()] == []
    for host in ("a", "c"):
        transport.stop(host)
    section = here.search(request(person=25))["criminal"]
    assert section.coverage is not None


def test_hosts_follow_what_was_done_without_them():
    place = folder()
    options: dict[str, Any] = {"durability": "off", "clock": Clock()}
    with engine() as one:
        shutil.copytree(one._state.folder, place / "g")
    with Cluster.start(place / "c", HOSTS, buckets=4) as cluster:
        with Engine.open(place / "g", "rw", shards=cluster, **options) as here:
            assert not (place / "g" / "index" / "criminal").exists()
            assert found(here, 2) == {"C-2"}
        with Engine.open(place / "g", "rw", **options) as here:
            here.enrol("criminal", [record("C-9", 9)])
            here.expunge("C-2", partition="criminal", order="o", authority="a")
        with Engine.open(place / "g", "rw", shards=cluster, **options) as here:
            assert (found(here, 9), found(here, 2)) == ({"C-9"}, set())
    shutil.rmtree(place)


def test_an_engine_that_reads_sees_what_the_writer_has_committed(many):
    here, cluster = many
    with Engine.open(here._state.folder, "r", shards=Beside(cluster), clock=Clock()) as reader:
        assert found(reader, 1) == {"C-1"}
        here.enrol("criminal", [record("C-9", 9)])
        assert found(reader, 9) == {"C-9"}
        here.expunge("C-1", partition="criminal", order="o", authority="a")
        assert found(reader, 1) == set()


def Beside(cluster: Cluster) -> Cluster:
    """Another coordinator's view of the same hosts."""
    return Cluster.open(cluster.folder, transport=hosts_of(cluster))


# -- what was covered ------------------------------------------------------------------------------


def test_incomplete_is_never_no_hit():
    with over(replicas=1) as (here, cluster):
        whole = here.search(request(person=1))["criminal"]
        assert whole.complete
        assert whole.coverage == Coverage(8, 8, 4, 4)
        lost = cluster.layout.places[bucket_of("C-1", 8)][0]
        hosts_of(cluster).stop(lost)
        response = here.search(request(person=1))
        section = response["criminal"]
        away = len(cluster.layout.of(lost))
        assert section.candidates == ()
        assert not section.complete
        assert section.coverage is not None
        assert not section.coverage.whole
        assert section.coverage.shards == 8 - away
        assert section.coverage.of_rows == 4
        gone = {f"C-{n}" for n in (1, 2, 3, 4) if bucket_of(f"C-{n}", 8) in
                cluster.layout.of(lost)}  # fmt: skip
        assert section.coverage.rows == 4 - len(gone)
        said = json.loads(response.to_bytes())
        (written,) = [p for p in said["partitions"] if p["partition"] == "criminal"]
        assert written["coverage"]["shards"] == 8 - away
        assert written["complete"] is False
        logged = logged_of(here, response)["criminal"]
        assert list(logged["coverage"]) == list(section.coverage.numbers)
        assert logged["complete"] is False


def logged_of(engine: Engine, response: Any) -> dict[str, Any]:
    (record,) = [
        r for r in engine.audit.records(kind="OUTCOME") if r.intent_seq == response.audit_seq
    ]
    return dict(record.partitions)


def test_without_any_host_the_answer_says_that_nothing_was_covered(many):
    here, cluster = many
    for host in HOSTS:
        hosts_of(cluster).stop(host)
    section = here.search(request(person=1))["criminal"]
    assert not section.complete
    assert section.candidates == ()
    assert section.coverage == Coverage(0, 8, 0, 4)


def test_a_withheld_section_is_the_same_bytes_whatever_was_covered():
    answers = []
    for lose in (False, True):
        with over(replicas=1) as (here, cluster):
            if lose:
                hosts_of(cluster).stop("b")
            response = here.search(request(HELD, tcn="T"))
            section = response["immigration"]
            assert section.outcome is Outcome.SEARCHED_WITHHELD
            assert section.coverage is None
            answers.append([p for p in json.loads(response.to_bytes())["partitions"]
                            if p["partition"] == "immigration"])  # fmt: skip
            logged = logged_of(here, response)["immigration"]
            assert (logged["coverage"][0] == 8) is not lose
    assert answers[0] == answers[1]


@pytest.mark.parametrize("withheld", [False, True])
def test_a_deferred_search_that_was_made_in_part_is_owed_still(withheld):
    """Hosts were away when the verdict came: else it would never be searched, and no hit told."""
    text = (
        POLICY
        + f"""
[[rule]]
id = "unseen"
effect = "forbid"
who = "{LATER}"
partitions = "immigration"
permissions = ["view"]
author = "DHS"
"""
        * withheld
    )
    with over(replicas=1, text=text) as (here, cluster):
        asked = request(LATER, person=7)
        token = here.search(asked)["immigration"].token
        for host in HOSTS:
            hosts_of(cluster).stop(host)
        section = here.report_event(token, "CONVICTION")["immigration"]
        assert section.complete is withheld
        assert not section.candidates
        assert here.notifications() == []
        for host in HOSTS:
            hosts_of(cluster).start(host)
        section = here.report_event(token, "CONVICTION")["immigration"]
        assert section.complete
        assert withheld or [c.record for c in section.candidates] == ["I-7"]
        assert len(here.notifications()) == 1
        with pytest.raises(RefusedError):
            here.report_event(token, "CONVICTION")
        assert here.audit.verify().ok


def test_a_deferred_search_in_part_that_is_cut_off_is_owed_still(monkeypatch):
    """What the log says decides, as where a process dies between the outcome and the token."""
    from fpmatch.search import resume

    def dies(*_: object) -> bool:
        raise KeyboardInterrupt

    with over(replicas=1) as (here, cluster):
        token = here.search(request(LATER, person=7))["immigration"].token
        for host in HOSTS:
            hosts_of(cluster).stop(host)
        with monkeypatch.context() as patch:
            patch.setattr(resume, "_is_in_part", dies)
            with pytest.raises(KeyboardInterrupt):
                here.report_event(token, "CONVICTION")
        for host in HOSTS:
            hosts_of(cluster).start(host)
        section = here.report_event(token, "CONVICTION")["immigration"]
        assert [c.record for c in section.candidates] == ["I-7"]


def test_the_log_says_coverage_of_every_partition_or_of_none(many):
    here, _ = many
    logged = logged_of(here, here.search(request(OFF)))
    assert list(logged["immigration"]["coverage"]) == [0, 0, 0, 0]
    assert list(logged["criminal"]["coverage"])[:2] == [8, 8]
    assert here.audit.verify().ok
    with engine() as one:
        logged = logged_of(one, one.search(request(OFF)))
        assert all("coverage" not in said for said in logged.values())


def test_one_replica_left_is_enough(many):
    here, cluster = many
    before = told(here.search(request(person=3, tcn="")))
    hosts_of(cluster).stop("a")
    response = here.search(request(person=3, tcn=""))
    assert told(response) == before
    assert response["criminal"].complete


# -- hosts come and go -----------------------------------------------------------------------------


@pytest.mark.parametrize("copy", [True, False])
def test_buckets_move_while_answers_stay_the_same(many, copy):
    here, cluster = many
    people = [record(f"C-{n}", n) for n in range(20, 60)]
    here.enrol("criminal", people)
    before = [told(here.search(request(person=n, tcn=""))) for n in (1, 25, 44)]
    for hosts in (["a", "b", "c", "d", "e"], ["d", "e"], ["f"], ["a", "f", "g"]):
        layout = cluster.rebalance(hosts, copy=copy)
        assert set(layout.hosts) <= set(hosts)
        assert read_layout(cluster.folder) == layout
        after = [told(here.search(request(person=n, tcn=""))) for n in (1, 25, 44)]
        assert after == before
        for name in hosts_of(cluster).hosts:
            held = hosts_of(cluster).running[name]._shelf.find("criminal")
            assert sorted(held.buckets if held else ()) == list(layout.of(name))
    assert all(level.level == level.buckets for level in cluster.status())


def test_a_layout_holds_each_bucket_at_so_many_hosts_and_moves_few():
    rng = random.Random(5)
    for _ in range(300):
        names = [f"h{n}" for n in range(rng.randint(1, 12))]
        layout = first_layout(names, rng.choice((1, 4, 16, 64)), rng.randint(1, 4))
        sound(layout, names)
        for _ in range(4):
            others = rng.sample([f"h{n}" for n in range(14)], rng.randint(1, 12))
            new = rebalanced(layout, others)
            sound(new, others)
            assert rebalanced(new, others) is new
            lost = sum(len(set(held) - set(others)) for held in layout.places)
            room = new.buckets * min(new.replicas, len(others))
            moved = sum(map(len, moves(layout, new).values()))
            kept = sum(len(set(held) & set(others)) for held in layout.places)
            # What was lost, what is to be there besides, and what makes it even.
            even = room // len(others) + 1
            over = sum(max(0, layout_load(layout, h) - even) for h in others)
            fresh = sum(max(0, even - layout_load(layout, h)) for h in others)
            assert moved <= max(room - kept, 0) + lost + over + fresh
            layout = new


def layout_load(layout: Layout, host: str) -> int:
    return len(layout.of(host))


def sound(layout: Layout, hosts: list[str]) -> None:
    several = min(layout.replicas, len(hosts))
    for held in layout.places:
        assert len(set(held)) == len(held) == several
        assert set(held) <= set(hosts)
    load = [len(layout.of(host)) for host in hosts]
    assert max(load) - min(load) <= 1 + (layout.buckets < len(hosts)) * layout.replicas
    covered = sorted(n for _, which in layout.sets() for n in which)
    assert covered == list(range(layout.buckets))


def test_a_new_host_takes_its_part_and_no_more():
    layout = first_layout([f"h{n}" for n in range(8)], 64, 2)
    more = rebalanced(layout, [f"h{n}" for n in range(9)])
    assert sum(map(len, moves(layout, more).values())) == len(more.of("h8")) == 14


def test_a_layout_is_checked_when_it_is_read(tmp_path):
    layout = first_layout(HOSTS, 4, 2)
    write_layout(tmp_path, layout)
    assert read_layout(tmp_path) == layout
    path = tmp_path / "layout.json"
    good = path.read_text()
    for bad in (good.replace('"a"', '"b"', 1), good[:-20], "[]", "{}", "\x00", good + "x",
                good.replace('"format": 1', '"format": 2')):  # fmt: skip
        path.write_text(bad)
        with pytest.raises(CorruptError):
            read_layout(tmp_path)
    with pytest.raises(StorageError):
        read_layout(tmp_path / "nothing")


@pytest.mark.parametrize(
    "hosts", [(), ("a", "a"), ("../x",), ("",), (".hidden",), ("a/b",), ("a" * 65,), "abc", (1,)]
)
def test_hosts_have_sound_names(hosts):
    with pytest.raises(InputError):
        first_layout(hosts, 4, 2)


def test_a_folder_belongs_to_one_host(many):
    _, cluster = many
    from fpmatch.cluster import Host

    with pytest.raises(LockedError):
        Host("x", cluster.folder / "hosts" / "a", b"k" * 32)


@pytest.mark.parametrize("what", ["owners.fpb", "index.json"])
def test_a_damaged_bucket_begins_again(what):
    place = folder()
    options: dict[str, Any] = {"durability": "off", "clock": Clock()}
    with engine() as one:
        shutil.copytree(one._state.folder, place / "g")
    with (
        Cluster.start(place / "c", HOSTS, buckets=4, replicas=1) as cluster,
        Engine.open(place / "g", "rw", shards=cluster, **options),
    ):
        pass
    harmed = list((place / "c" / "hosts").rglob(what))
    assert harmed
    for path in harmed:
        path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    with (
        Cluster.open(place / "c") as cluster,
        Engine.open(place / "g", "rw", shards=cluster, **options) as here,
    ):
        assert all(found(here, n) == {f"C-{n}"} for n in (1, 2, 3, 4))
    shutil.rmtree(place)


def test_flags_that_differ_are_put_right_when_an_engine_opens():
    """A host whose memory of a seal is another than the gallery's is noticed by its digest."""
    place = folder()
    options: dict[str, Any] = {"durability": "off", "clock": Clock()}
    with engine() as one:
        shutil.copytree(one._state.folder, place / "g")
    with Cluster.start(place / "c", HOSTS, buckets=1, replicas=1) as cluster:
        with Engine.open(place / "g", "rw", shards=cluster, **options):
            host = hosts_of(cluster).running[cluster.layout.hosts[0]]
            bucket = host._shelf.partition("criminal").buckets[0]
            owners = bucket.owners
            bucket._owners = dataclasses.replace(
                owners, sealed=np.ones_like(owners.sealed), _parts={}, _masks={}
            )
        with Engine.open(place / "g", "rw", shards=cluster, **options) as here:
            assert found(here, 1) == {"C-1"}
    shutil.rmtree(place)


# -- what is stored and sent -----------------------------------------------------------------------


def some_owners(rng: random.Random) -> Owners:
    rows = iter(rng.sample(range(500), 60))
    return owners_from(
        Level(rng.randint(1, 99), "s"),
        [
            (
                key, rng.random() < 0.3, rng.random() < 0.3,
                frozenset(rng.sample(("CAR", "CNA"), rng.randint(0, 2))),
                {next(rows): rng.randint(0, 10) for _ in range(rng.randint(0, 3))},
            )
            for key in rng.sample(range(1000), 15)
        ],
    )  # fmt: skip


def test_owners_are_read_as_they_were_written_and_not_if_damaged():
    owners = some_owners(random.Random(1))
    data = owners.to_bytes()
    again = Owners.from_bytes(data)
    assert again.to_bytes() == data
    assert again.digest() == owners.digest()
    rng = random.Random(2)
    for _ in range(300):
        bad = bytearray(data)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        with pytest.raises(CorruptError):
            Owners.from_bytes(bytes(bad[: rng.choice((len(bad), rng.randrange(len(bad))))]))


def test_the_mask_of_a_segment_is_that_of_no_other_which_comes_to_lie_in_its_place():
    """One thread clears what is kept while another works out a mask, and the segment is merged."""
    owners = owners_from(
        Level(1, "s"),
        [(1, False, False, frozenset(), {0: 1, 1: 1}), (2, False, True, frozenset(), {2: 1, 3: 1})],
    )
    mask = (False, frozenset[str](), 100)

    class Segment:
        """As much of one as masks look at."""

        def __init__(self, *rows: int, cleared: bool = False) -> None:
            self._rows = np.array(rows, np.int64)
            self._looks = 3 if cleared else 0

        def __len__(self) -> int:
            return len(self._rows)

        @property
        def row_ids(self) -> Any:
            self._looks -= 1
            if not self._looks:
                # What another thread does.
                owners._parts.clear()
                owners._masks.clear()
            return self._rows

    seen: Any = owners.mask
    for _ in range(50):
        owners._parts.clear()
        first = Segment(0, 1, cleared=True)
        place = id(first)
        assert seen(first, mask).tolist() == [True, True]
        del first
        kept = []
        for _ in range(20):
            other = Segment(2, 3)
            assert seen(other, mask).tolist() == [False, False]
            if id(other) == place:
                break
            kept.append(other)
        owners._masks.clear()


def test_digests_of_owners_tell_them_apart():
    owners = some_owners(random.Random(3))
    others = [
        dataclasses.replace(owners, **{name: change(getattr(owners, name))})
        for name, change in {
            "protected": lambda a: ~a,
            "sealed": lambda a: ~a,
            "keys": lambda a: a + 1,
            "rows": lambda a: a + 1,
            "positions": lambda a: a + 1,
            "owner": lambda a: np.roll(a, 1),
            "bans": lambda a: (frozenset(), *(frozenset({"X"}) for _ in a[1:])),
        }.items()
    ]
    assert len({owners.digest(), *(o.digest() for o in others)}) == len(others) + 1


@pytest.mark.parametrize("harm", range(200))
def test_replies_and_calls_that_are_damaged_are_input_errors(harm):
    rng = random.Random(harm)
    call = Call("ask", Grant(SEARCH, "p", "m", Level(3, "x"), "s", 5.0), 1, {"a": 1}, [b"xyz"])
    data = bytearray(call.to_bytes())
    assert Call.from_bytes(bytes(data)) == dataclasses.replace(call, blobs=(b"xyz",))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    for read in (Call.from_bytes, read_reply):
        with pytest.raises(InputError):
            read(bytes(data))


@pytest.mark.parametrize("seed", range(20))
def test_changes_one_by_one_and_all_at_once_are_the_same(seed):
    """Of owners: whatever order they are told in, and told twice."""
    from fpmatch.cluster.owners import Changed, applied

    rng = random.Random(seed)
    people: dict[int, Any] = {}
    owners = Owners.nothing()
    for step in range(1, 30):
        touched = rng.sample(range(12), rng.randint(1, 3))
        level = Level(step, str(step))
        for key in touched:
            people.pop(key, None)
            if rng.random() < 0.7:
                people[key] = (
                    key, rng.random() < 0.3, rng.random() < 0.3,
                    frozenset(rng.sample(("CAR", "CNA"), rng.randint(0, 2))),
                    {1000 * step + 10 * key + n: n for n in range(rng.randint(0, 3))},
                )  # fmt: skip
        now = owners_from(level, [people[key] for key in touched if key in people])
        changed = Changed(np.array(sorted(touched), np.int64), now)
        for _ in range(rng.randint(1, 2)):
            owners = applied(owners, changed)
        owners.check()
        whole = owners_from(level, people.values())
        assert owners.digest() == whole.digest()
        assert owners.level == level
        assert np.array_equal(owners.rows, whole.rows)


# -- what can be handed in -------------------------------------------------------------------------


def test_shards_must_be_a_cluster():
    with engine() as one:
        place = one._state.folder
    for wrong in (5, "cluster", object()):
        with pytest.raises(InputError, match="shards"):
            Engine.open(place, shards=wrong)


@pytest.mark.parametrize("how", [{"replicas": 0}, {"buckets": 0}, {"buckets": 1.5}, {"hosts": []}])
def test_a_cluster_refuses_values_that_cannot_be(how):
    place = folder()
    with pytest.raises(InputError):
        Cluster.start(place, **{"hosts": HOSTS, **how})
    shutil.rmtree(place)


def test_a_cluster_is_one_engines_and_one_gallerys(many):
    """Else it would bring hosts level with another gallery, and answer with its rows."""
    here, cluster = many
    with pytest.raises(StorageError, match="another engine"):
        Engine.open(here._state.folder, "r", shards=cluster)
    assert found(here, 1) == {"C-1"}
    with engine() as other:
        place = folder()
        shutil.copytree(other._state.folder, place / "g")
    with pytest.raises(StorageError, match="another gallery"):
        Engine.open(place / "g", "rw", shards=Beside(cluster))
    assert found(here, 1) == {"C-1"}
    shutil.rmtree(place)


def test_nobody_waits_twice_for_a_host_that_is_lost(many):
    here, cluster = many
    hosts_of(cluster).stop("b")
    here.enrol("criminal", [record("C-9", 9)])
    assert cluster.asking.suspects == ("b",)


def test_a_cluster_without_an_engine_says_so():
    place = folder()
    with Cluster.start(place, HOSTS) as cluster:
        with pytest.raises(ClusterError, match="no engine"):
            cluster.status()
        with pytest.raises(InputError):
            hosts_of(cluster).submit("nobody", b"")
        hosts_of(cluster).stop("a")
        with pytest.raises(HostLost):
            hosts_of(cluster).submit("a", b"").result()
    shutil.rmtree(place)


def test_the_key_is_its_owners_alone(many):
    _, cluster = many
    assert (cluster.folder / "key").stat().st_mode & 0o077 == 0


def test_searches_go_on_while_records_change(many):
    """Many threads: every answer is that of some state, and whoever is never removed is found."""
    here, cluster = many
    wrong: list[Any] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                if found(here, 1) != {"C-1"}:
                    wrong.append("C-1 was not found")
            except FpmatchError as error:
                wrong.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(6):
        here.enrol("criminal", [record(f"N-{n}", 30 + n)])
        if n % 2:
            here.expunge(f"N-{n}", partition="criminal", order="o", authority="a")
        if n == 3:
            cluster.rebalance(["a", "b", "c", "d"])
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def test_a_search_that_asks_hosts_for_what_they_have_given_away_asks_the_others(many, monkeypatch):
    """Buckets are moved between its question and their answers."""
    here, cluster = many
    asked: list[int] = []
    ask = HostPanel.ask

    def moved(panel: HostPanel, question: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            cluster.rebalance(["d", "e"])
        return ask(panel, question)

    monkeypatch.setattr(HostPanel, "ask", moved)
    section = here.search(request(person=1, tcn=""))["criminal"]
    assert section.complete
    assert section.coverage.whole
    assert {c.record for c in section.candidates} == {"C-1"}


class Silent:
    """A transport on which a host that was stopped answers nothing, not even pings."""

    def __init__(self, inner: Any, *stopped: str) -> None:
        self.inner, self.stopped = inner, set(stopped)

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.inner.hosts

    def submit(self, host: str, call: bytes) -> Future[bytes]:
        return Future() if host in self.stopped else self.inner.submit(host, call)

    def close(self) -> None:
        self.inner.close()


def test_a_change_keeps_searches_waiting_a_second_for_a_host_that_is_silent(many):
    """It holds the partition's lock; the next one does not wait for that host at all."""
    here, cluster = many
    silent = Silent(hosts_of(cluster), "a")
    cluster._keeper._transport = silent
    for longest in (3 * PATIENCE, PATIENCE):
        begun = time.monotonic()
        here.enrol("criminal", [record(f"C-{longest}", 8)])
        took = time.monotonic() - begun
        assert took < longest
    assert cluster.asking.suspects == ("a",)
    assert found(here, 8) == {f"C-{3 * PATIENCE}", f"C-{PATIENCE}"}


def test_a_host_that_works_long_is_waited_for_as_long_as_it_answers_pings():
    class Slow(Silent):
        def submit(self, host: str, call: bytes) -> Future[bytes]:
            future: Future[bytes] = Future()
            if call == PING:
                future.set_result(PING)
            else:
                threading.Timer(1.0, lambda: future.set_result(b"done")).start()
            return future

    line = Line(Slow(None), b"key", "a", "criminal", silent=0.3)
    assert line.wait(line.transport.submit("a", b"x")) == b"done"
    assert line.lives()
    gone = replace(line, transport=Silent(None, "a"))
    with pytest.raises(HostLost, match="does not answer"):
        gone.wait(gone.transport.submit("a", b"x"))
    assert not gone.lives()


def test_a_host_that_works_is_not_waited_for_longer_than_there_is_time(monkeypatch):
    class Busy(Silent):
        def submit(self, host: str, call: bytes) -> Future[bytes]:
            future: Future[bytes] = Future()
            if call == PING:
                future.set_result(PING)
            return future

    monkeypatch.setattr("fpmatch.cluster.calling.LONGEST", 1.0)
    line = Line(Busy(None), b"key", "a", "criminal", until=time.monotonic() + 0.1)
    with pytest.raises(HostLost, match="in the time that there was"):
        line.wait(line.transport.submit("a", b"x"))


def test_a_search_waits_for_the_last_replica_no_longer_than_its_deadline(monkeypatch):
    with over(replicas=1) as (here, cluster):
        with monkeypatch.context() as patched:
            patched.setattr(cluster._keeper, "level", lambda *_, **__: ())
            here.enrol("criminal", [record("C-new", 1)])
        given: list[float] = []

        def bring(*_: Any, held: bool, until: float = 0.0, **__: Any) -> None:
            if held:
                given.append(until)
            raise HostLost("not in time")

        monkeypatch.setattr(cluster._keeper, "bring", bring)
        begun = time.monotonic()
        section = here.search(request(person=1, tcn="", deadline_ms=60_000))["criminal"]
        assert not section.complete
        assert not section.coverage.whole
        assert given
        assert all(begun < until < begun + 61 for until in given)


def test_a_removal_hears_hosts_that_were_only_slow(many):
    here, cluster = many
    cluster.asking.suspect("a")
    here.expunge("C-1", partition="criminal", order="o", authority="a")
    assert cluster.asking.suspects == ()


def test_a_search_waits_for_a_host_that_another_thread_brings_level(monkeypatch):
    """Nobody else holds its share, and who brings it gets no processor for a while."""
    with over(replicas=1) as (here, cluster):
        with monkeypatch.context() as patched:
            patched.setattr(cluster._keeper, "level", lambda *_, **__: ())
            here.enrol("criminal", [record("C-new", 1)])
        begun, busy = threading.Event(), [threading.Lock() for _ in HOSTS]
        for host, lock in zip(HOSTS, busy, strict=True):
            cluster._keeper._busy[host, "criminal"] = lock

        def slow() -> None:
            with ExitStack() as stack:
                for lock in busy:
                    stack.enter_context(lock)
                begun.set()
                time.sleep(1.5 * PATIENCE)

        thread = threading.Thread(target=slow)
        thread.start()
        begun.wait()
        section = here.search(request(person=1, tcn=""))["criminal"]
        thread.join()
        assert section.coverage.whole
        assert {c.record for c in section.candidates} == {"C-1", "C-new"}


def test_rows_of_nobody_are_not_seen(many):
    """As between two steps of following: the index has them, and no record does yet."""
    here, cluster = many
    caller = Caller(cluster)
    before = visible(caller.ask(caller.grant()))
    host = hosts_of(cluster).running[cluster.layout.hosts[0]]
    bucket = next(iter(host._shelf.partition("criminal").buckets.values()))
    bucket.put(np.array([77]), np.zeros(1, np.uint8), [print_of(9).to_bytes()])
    assert visible(caller.ask(caller.grant(search="t"))) == before
    assert found(here, 9) == set()


def test_a_host_masks_what_is_barred_before_anything_is_counted():
    """Of sealed, protected and banned records nothing is looked at, wherever they lie."""
    people = {
        "criminal": [
            record("C-1", 1),
            record("C-2", 2, protected=True),
            record("C-3", 3, banned_uses=frozenset({"CAR"})),
            record("C-4", 4),
            record("C-5", 5, banned_uses=frozenset({"CNA"})),
        ]
    }
    with over(people, replicas=3) as (here, cluster):
        here.seal("C-4", order="o", authority="a")
        caller = Caller(cluster)
        assert visible(caller.ask(caller.grant())) == 2
        mask = mask_digest(sees_protected=True, uses={"CNA"}, below=100)
        asked = caller.probe(sees_protected=True, uses=frozenset({"CNA"}))
        reply = caller.ask(caller.grant(mask=mask, search="t"), asked=asked)
        assert visible(reply) == 3
