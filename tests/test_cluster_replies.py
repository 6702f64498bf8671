"""What hosts answer: believed only if one of the cluster's answered this very call."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from engine_helpers import request
from test_cluster import HOSTS, Caller, found, hosts_of, over

from fpmatch.cluster import host as hosting
from fpmatch.cluster.calling import Line
from fpmatch.cluster.grants import TAG, UPKEEP, ForeignReply, answering, heard
from fpmatch.cluster.host import Host
from fpmatch.cluster.messages import Call, Reply, read_reply
from fpmatch.cluster.transport import PING
from fpmatch.errors import ClusterError, HostLost, StorageError
from fpmatch.index.rounds import Question, Step
from fpmatch.search.round_messages import answer_from_bytes, answer_to_bytes

KEY, OTHER = b"k" * 32, b"o" * 32
Meddle = Callable[[str, bytes, bytes], bytes]


def between(cluster: Any, meddle: Meddle, monkeypatch: Any) -> None:
    """Have somebody stand between the coordinator and its hosts, who changes what they answer."""
    submit = hosts_of(cluster).submit

    def meddled(host: str, call: bytes) -> Future[bytes]:
        answer = submit(host, call)
        if call == PING:
            return answer
        out: Future[bytes] = Future()
        try:
            out.set_result(meddle(host, call, answer.result()))
        except HostLost as lost:
            out.set_exception(lost)
        return out

    monkeypatch.setattr(hosts_of(cluster), "submit", meddled)


class Mixed:
    """Gives each call the answer to the one before it."""

    def __init__(self) -> None:
        self.before = b""

    def __call__(self, host: str, call: bytes, answer: bytes) -> bytes:
        self.before, out = answer, self.before
        return out


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


MEDDLERS: dict[str, Callable[[], Meddle]] = {
    "unsigned": lambda: lambda host, call, answer: answer[TAG:],
    "zeros for a signature": lambda: lambda host, call, answer: bytes(TAG) + answer[TAG:],
    "another key": lambda: lambda host, call, answer: answering(OTHER, call, answer[TAG:]),
    "the call itself": lambda: lambda host, call, answer: call,
    "changed": lambda: lambda host, call, answer: flipped(answer),
    "cut off": lambda: lambda host, call, answer: answer[:20],
    "the answer to another call": Mixed,
}


@pytest.mark.parametrize("how", MEDDLERS)
def test_a_foreign_answer_is_none_and_another_replica_is_asked(how, monkeypatch):
    with over(replicas=2) as (here, cluster):
        right = here.search(request(tcn=""))["criminal"]
        meddle = MEDDLERS[how]()

        def one(host: str, call: bytes, answer: bytes) -> bytes:
            return meddle(host, call, answer) if host == HOSTS[0] else answer

        between(cluster, one, monkeypatch)
        for _ in range(6):
            section = here.search(request(tcn=""))["criminal"]
            assert section == right
        assert cluster.counts.refused > 0


@pytest.mark.parametrize("how", MEDDLERS)
def test_where_every_answer_is_foreign_nothing_was_covered(how, monkeypatch):
    with over() as (here, cluster):
        between(cluster, MEDDLERS[how](), monkeypatch)
        section = here.search(request(tcn=""))["criminal"]
        assert not section.complete
        assert section.coverage.shards == section.coverage.rows == 0
        assert section.coverage.of_rows == 4
        with pytest.raises(ClusterError, match="cannot be reached"):
            here.expunge("C-1", partition="criminal", order="o", authority="a")


def test_the_answer_of_no_hit_to_one_search_is_none_to_another(monkeypatch):
    """All that was ever said is true, and signed; only not to this call."""
    with over(hosts=("a",), replicas=1, buckets=1) as (here, cluster):
        said: list[bytes] = []
        replaying = False

        def replay(host: str, call: bytes, answer: bytes) -> bytes:
            if replaying and said:
                return said.pop(0)
            said.append(answer)
            return answer

        assert found(here, 1) == {"C-1"}
        between(cluster, replay, monkeypatch)
        here.seal("C-1", partition="criminal", order="o", authority="a")
        said.clear()
        assert found(here, 1) == set()
        heard_then = list(said)
        here.unseal("C-1", partition="criminal", order="p", authority="a")
        said[:] = heard_then
        replaying = True
        assert not here.search(request(tcn=""))["criminal"].complete
        replaying = False
        assert found(here, 1) == {"C-1"}


def test_upkeep_believes_no_foreign_answer(monkeypatch):
    """A removal would end with its receipt, and bytes on a host's disk."""
    with over() as (_, cluster):
        caller = Caller(cluster)
        line = Line(hosts_of(cluster), caller.key, HOSTS[0], "criminal")
        assert line.ask("commit", {"purge": True}) == Reply()
        nothing = Reply().to_bytes()
        between(cluster, lambda h, call, a: answering(OTHER, call, nothing), monkeypatch)
        with pytest.raises(ForeignReply):
            line.ask("commit", {"purge": True})


def test_a_reply_is_bound_to_key_call_and_every_byte():
    call, other = b"c" * TAG + b"call", b"d" * TAG + b"call"
    reply = answering(KEY, call, b"body")
    assert heard(KEY, call, reply) == b"body"
    wrong = [heard_by(OTHER, call, reply), heard_by(KEY, other, reply)]
    wrong += [heard_by(KEY, call, reply[:n]) for n in range(len(reply))]
    wrong += [heard_by(KEY, call, change(reply, n)) for n in range(len(reply))]
    wrong += [heard_by(KEY, call, "text"), heard_by(KEY, call, reply + b"x")]
    assert not any(wrong)


def change(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 128]) + data[at + 1 :]


def heard_by(key: bytes, call: bytes, reply: Any) -> bool:
    try:
        heard(key, call, reply)
    except ForeignReply:
        return False
    return True


def test_a_host_signs_nothing_for_who_has_no_key(monkeypatch):
    """Else whoever reaches it could have answers signed, and send them to the coordinator."""
    with over() as (_, cluster):
        caller = Caller(cluster)
        call = Call("levels", caller.grant(act=UPKEEP, mask=""), 0, {}).to_bytes()
        for data in (b"", call, b"x" * TAG, bytes(TAG) + call):
            assert hosts_of(cluster).submit(HOSTS[0], data).result()[:TAG] == bytes(TAG)


def test_a_signed_answer_that_fits_no_question_sends_it_to_another_replica(monkeypatch):
    """A host of another release, or with a fault of its own: not what the caller gave is wrong."""
    whole = Host._ask

    def odd(self: Host, call: Call) -> bytes:
        if self.name == HOSTS[0]:
            return Reply({"host": self.name}, [b"FPMW of another release"]).to_bytes()
        return whole(self, call)

    with over(replicas=2) as (here, _):
        right = here.search(request(tcn=""))["criminal"]
        monkeypatch.setattr(Host, "_ask", odd)
        for _ in range(4):
            assert here.search(request(tcn=""))["criminal"] == right


def test_the_coordinator_says_why_a_host_does_not_answer(monkeypatch, caplog):
    """An answer in part says how much is missing, and only this line what is wrong there."""

    def gone(self: Host, call: Call) -> bytes:
        raise StorageError("a disk is gone")

    with over(hosts=("a",), replicas=1) as (here, _):
        monkeypatch.setattr(Host, "_ask", gone)
        assert not here.search(request(tcn=""))["criminal"].complete
        said = {r.getMessage() for r in caplog.records if r.name == "fpmatch.cluster.panel"}
        assert said == {"host a does not answer a search: a disk is gone"}


def test_a_host_with_too_many_searches_sends_them_to_another_replica(monkeypatch):
    with over(replicas=2) as (here, cluster):
        right = here.search(request(tcn=""))["criminal"]
        full = hosts_of(cluster).running[HOSTS[0]]
        full._talks = {("s", n, ()): Lasting() for n in range(hosting.MOST_CONVERSATIONS)}
        for _ in range(4):
            assert here.search(request(tcn=""))["criminal"] == right


class Lasting:
    """A search under way, as far as its host counts it."""

    expires = float("inf")


def test_a_replica_that_takes_over_must_have_said_what_was_used(monkeypatch):
    """One that is ahead would else be cut where another's numbers say."""
    whole = Host._ask
    broken: list[str] = []
    changed: list[str] = []

    def odd(self: Host, call: Call) -> bytes:
        if call.turn == 1 and not broken:
            broken.append(self.name)
        if call.turn and self.name in broken:
            raise StorageError("a disk is gone")
        if broken and not changed and not call.turn:
            changed.append(self.name)
            reply = read_reply(whole(self, call))
            answer = answer_from_bytes(reply.blobs[0], Question(Step.COUNT), 1)
            fewer = replace(answer, visible=(answer.visible[0] - 1,))
            return Reply(reply.told, [answer_to_bytes(fewer)]).to_bytes()
        return whole(self, call)

    with over(hosts=("a", "b"), replicas=2) as (here, cluster):
        right = here.search(request(tcn=""))["criminal"]
        monkeypatch.setattr(Host, "_ask", odd)
        assert here.search(request(tcn=""))["criminal"] == right
        assert broken != changed
        assert cluster.counts.diverged > 0


def test_the_last_replica_is_waited_for_also_where_the_other_was_lost_after_it(monkeypatch):
    """One is behind, then the other turns out to be gone: what is left can be brought level."""
    with over(hosts=("a", "b"), replicas=2) as (here, cluster):
        transport = hosts_of(cluster)
        folder_of = transport._hosts["b"]._shelf.folder
        monkeypatch.setattr(cluster._keeper, "soon", lambda *_: None)
        for _ in range(4):
            transport.stop("b")
            shutil.rmtree(folder_of)
            folder_of.mkdir()
            transport.start("b")
            asked: list[str] = []
            submit = transport.submit

            def gone(host: str, call: bytes, submit: Any = submit, asked: Any = asked) -> Any:
                asked.append(host)
                if host == "b":
                    return submit(host, call)
                lost: Future[bytes] = Future()
                lost.set_exception(HostLost("host a is gone"))
                return lost

            monkeypatch.setattr(transport, "submit", gone)
            assert here.search(request(tcn=""))["criminal"].complete
            monkeypatch.setattr(transport, "submit", submit)
            cluster.asking.clear("a")
            cluster._keeper.forget("b", "criminal")
            if asked[0] == "b":
                return
