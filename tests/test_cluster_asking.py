"""Sets of replicas are asked: an answer is the right one or there is none, whatever hosts do."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from cluster_fakes import NEVER, FakeHost, FakeTransport, TurnedClock, truth

from fpmatch.cluster.asking import Asking, Diverged
from fpmatch.cluster.talk import Unusable
from fpmatch.cluster.transport import PING
from fpmatch.errors import SearchCancelled
from fpmatch.parameters import ASKING

ROUNDS = 4


def question(search: int, number: int) -> bytes:
    return b"%d/%d/what" % (search, number)


def expected(holds: str, search: int, number: int) -> bytes:
    return truth(holds, [question(search, n) for n in range(number + 1)])


class World:
    """Hosts, a clock and who asks."""

    def __init__(self, *hosts: FakeHost, **patience: float) -> None:
        self.clock = TurnedClock()
        self.transport = FakeTransport(self.clock, *hosts)
        self.hosts = self.transport.by_name
        self.asking = Asking(self.transport, replace(ASKING, **patience), self.clock)
        self.searches = 0

    def search(self, *sets: tuple[str, ...], rounds: int = ROUNDS, **how) -> list[list]:
        """One search of several sets; each answer, checked."""
        self.searches += 1
        talks = [self.asking.talk(names) for names in sets]
        # The order of turns is none of this test's business.
        for talk, names in zip(talks, sets, strict=True):
            talk.replicas = self.asking._suspects.last(names)
        out = []
        for number in range(rounds):
            asked = question(self.searches, number)
            got = self.asking.ask(talks, [asked] * len(sets), **how)
            for names, answer in zip(sets, got, strict=True):
                holds = self.hosts[names[0]].holds
                assert answer in (None, expected(holds, self.searches, number))
            out.append(got)
        return out


def flat(rounds: list[list]) -> list:
    return list(itertools.chain(*rounds))


def pair(**second: object) -> tuple[FakeHost, FakeHost]:
    return FakeHost("a1"), FakeHost("a2", **second)  # type: ignore[arg-type]


def test_without_faults_one_replica_of_each_set_is_asked_once():
    world = World(*pair(), FakeHost("b1", "b"), FakeHost("b2", "b"))
    got = world.search(("a1", "a2"), ("b1", "b2"))
    assert None not in flat(got)
    assert world.clock.now() == pytest.approx(ROUNDS * 0.01)
    assert [len(host.calls) for host in world.hosts.values()] == [4, 0, 4, 0]
    counts = world.asking.counts
    assert (counts.calls, counts.hedges, counts.retries, counts.pings) == (8, 0, 0, 0)


@pytest.mark.parametrize("sets", [1, 2, 3, 4, 8])
def test_each_replica_is_asked_first_in_its_turn_however_many_sets_there_are(sets):
    """In order they would always meet the same, where sets are even in number."""
    world = World(*pair())
    talks = [[world.asking.talk(("a1", "a2")) for _ in range(sets)] for _ in range(64)]
    for of_one_set in zip(*talks, strict=True):
        assert {talk.replicas[0] for talk in of_one_set} == {"a1", "a2"}


def test_a_silent_host_is_pinged_then_hedged_and_the_other_catches_up():
    """Stopped before the third round: the other replica is asked the first two, then goes on."""
    first, second = pair()
    first.delay = lambda call, now: 0.01 if b"/0/" in call or b"/1/" in call else NEVER
    world = World(first, second)
    assert None not in flat(world.search(("a1", "a2")))
    assert world.transport.pings[0] == (pytest.approx(0.02 + ASKING.ping_after), "a1")
    hedged = 0.02 + ASKING.hedge_after
    assert second.calls[0] == (pytest.approx(hedged), b"1/0/what")
    assert world.clock.now() == pytest.approx(hedged + 4 * 0.01)
    counts = world.asking.counts
    assert (counts.hedges, counts.replays, counts.retries) == (1, 2, 0)
    assert world.asking.suspects == ("a1",)


def test_the_next_search_does_not_wait_for_a_suspect():
    first, second = pair()
    first.delay = lambda call, now: NEVER
    world = World(first, second)
    world.search(("a1", "a2"))
    before = world.clock.now()
    world.search(("a1", "a2"))
    assert world.clock.now() - before == pytest.approx(ROUNDS * 0.01)
    assert world.asking.counts.hedges == 1


def test_a_search_waits_once_for_a_host_that_answers_for_several_sets():
    """It stops when it has answered for one set and not yet for the other."""
    both = FakeHost("a1")
    both.delay = lambda call, now: 0.01 if now < 0.005 or call.startswith(b"2/1/") else NEVER
    world = World(both, FakeHost("a2"), FakeHost("a3"))
    talks = [world.asking.talk(("a1", "a2")), world.asking.talk(("a1", "a3"))]
    talks[0].replicas, talks[1].replicas = ("a1", "a2"), ("a1", "a3")
    for number in range(ROUNDS):
        asked = [question(search, number) for search in (1, 2)]
        assert world.asking.ask(talks, asked) == [
            expected("", search, number) for search in (1, 2)
        ]  # fmt: skip
    # The hedge, and what the others are asked again; not a second hedge in the round after.
    assert world.clock.now() == pytest.approx(0.01 + ASKING.hedge_after + 6 * 0.01)
    assert world.asking.suspects == ("a1",)


def test_others_do_not_wait_for_a_host_that_somebody_is_hedging():
    """The second search begins while the first still waits for the hedge's answer."""
    first, second = pair()
    first.delay = lambda call, now: NEVER
    second.delay = lambda call, now: 0.2 if call.startswith(b"1/") else 0.01
    world = World(first, second)
    seen: list[tuple[str, ...]] = []
    world.clock.later(ASKING.hedge_after + 0.1, lambda: seen.append(world.asking.suspects))
    world.search(("a1", "a2"), rounds=1)
    assert seen == [("a1",)]


def test_the_last_replica_is_asked_although_it_is_suspected():
    world = World(FakeHost("a1"))
    talk = world.asking.talk(("a1",))
    for number in range(ROUNDS):
        world.asking.suspect("a1")
        assert world.asking.ask([talk], [question(1, number)]) == [expected("", 1, number)]


def test_a_suspect_is_pinged_at_growing_distances_and_asked_again_when_it_answers():
    first, second = pair()
    first.delay = lambda call, now: NEVER if now < 20 else 0.01
    world = World(first, second)
    while world.clock.now() < 18:
        world.search(("a1", "a2"))
        world.clock.pass_by(0.2)
    times = [at for at, host in world.transport.pings if host == "a1"]
    # One ping is under way all the time: a stopped host answers it when it goes on.
    assert len(times) == 2
    world.clock.pass_by(10)
    first.delay = lambda call, now: 0.01
    world.transport.submit("a1", PING)
    for future in [s.ping for s in world.asking._suspects._list.values() if s.ping]:
        future.set_result(PING)
    world.search(("a1", "a2"), rounds=1)
    assert world.asking.suspects == ()
    before = len(first.calls)
    world.search(("a1", "a2"))
    assert len(first.calls) == before + ROUNDS


def test_pings_of_a_dead_suspect_grow_rarer():
    first, second = pair()
    first.dies = 0.0
    world = World(first, second)
    while world.clock.now() < 120:
        world.search(("a1", "a2"), rounds=1)
        world.clock.pass_by(0.1)
    times = [at for at, host in world.transport.pings if host == "a1"]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert 6 <= len(times) <= 9
    assert gaps == pytest.approx(sorted(gaps))
    assert max(gaps) < ASKING.again_most + 0.5


def test_a_host_that_works_long_and_answers_pings_is_not_given_up():
    first, second = pair()
    first.delay = lambda call, now: 0.001 if call == PING else 50.0
    second.delay = first.delay
    world = World(first, second)
    assert world.search(("a1", "a2"), rounds=1)[0][0] is not None
    counts = world.asking.counts
    assert (counts.lost, counts.hedges) == (0, 1)  # one for being slow, after two seconds
    assert second.calls[0][0] == pytest.approx(ASKING.slow_after)
    assert world.asking.suspects == ()


def test_a_hedge_does_not_double_a_quick_search_of_a_host_that_pings():
    first, second = pair()
    first.delay = lambda call, now: 0.001 if call == PING else 1.5
    world = World(first, second)
    world.search(("a1", "a2"), rounds=1)
    assert not second.calls


def test_the_slower_one_is_right_too_when_it_is_the_first_to_answer():
    """The hedge is slower than the host that was late: the late answer is taken."""
    first, second = pair()
    first.delay = lambda call, now: NEVER if call == PING else 0.4
    second.delay = lambda call, now: NEVER if call == PING else 0.9
    world = World(first, second)
    world.search(("a1", "a2"), rounds=1)
    assert world.clock.now() == pytest.approx(0.4)
    assert world.asking.counts.hedges == 1


def test_a_host_that_was_too_late_in_one_round_can_take_over_in_a_later_one():
    """a1 is late in round 1, a2 dies in round 3: a1 goes on, and is asked nothing twice."""
    first, second = pair()
    first.delay = lambda call, now: 0.45 if b"/1/" in call else (0.01 if call != PING else NEVER)
    second.dies = 0.345
    world = World(first, second)
    assert None not in flat(world.search(("a1", "a2")))
    assert [call for _, call in first.calls] == [question(1, n) for n in range(ROUNDS)]


def test_a_lost_host_is_replaced_at_once():
    first, second = pair()
    first.dies = 0.015
    world = World(first, second)
    assert None not in flat(world.search(("a1", "a2")))
    assert world.clock.now() == pytest.approx(0.015 + 4 * 0.01)
    counts = world.asking.counts
    assert (counts.retries, counts.hedges, counts.lost) == (1, 0, 1)
    assert world.asking.suspects == ("a1",)


def test_both_gone_is_not_covered_and_the_others_are():
    first, second = pair()
    first.dies = second.dies = 0.015
    world = World(first, second, FakeHost("b1", "b"), FakeHost("b2", "b"))
    got = world.search(("a1", "a2"), ("b1", "b2"))
    assert [row[0] is None for row in got] == [False, True, True, True]
    assert [row[1] is None for row in got] == [False] * 4
    assert world.asking.counts.uncovered == 1
    assert world.clock.now() == pytest.approx(ROUNDS * 0.01)


def test_both_cut_off_is_not_covered_after_a_set_time():
    """Nothing tells that they are gone: silence has to do."""
    first, second = pair()
    first.dies = second.dies = 0.0
    first.tells = second.tells = False
    world = World(first, second)
    got = world.search(("a1", "a2"), rounds=2)
    assert got == [[None], [None]]
    assert world.clock.now() == pytest.approx(ASKING.hedge_after + ASKING.lost_after)


@pytest.mark.parametrize("stands_at", [0.1, 0.2, 0.4, 2.0])
def test_time_in_which_the_coordinator_stood_still_is_nobodys_silence(stands_at):
    """It gets no processor for ten seconds, and hears of nothing in them; the host works on."""
    host = FakeHost("a1")
    host.delay = lambda call, now: 0.001 if call == PING else 12.0
    world = World(host, FakeHost("a2", delay=lambda call, now: NEVER))
    clock = world.clock
    wait, stood = clock.wait, []

    def starved(futures, until):
        wait(futures, until)
        if clock.time >= stands_at and not stood:
            stood.append(clock.time)
            clock.time += 10.0

    clock.wait = starved  # type: ignore[method-assign]
    assert None not in flat(world.search(("a1",), rounds=1))
    assert stood
    assert (world.asking.counts.lost, world.asking.suspects) == (0, ())


def test_no_replica_at_all_is_not_covered():
    world = World(*pair())
    talk = world.asking.talk(())
    assert world.asking.ask([talk], [b"1/0/"]) == [None]
    assert not talk.covered


def test_a_deadline_ends_a_round():
    first, second = pair()
    first.delay = second.delay = lambda call, now: 0.001 if call == PING else NEVER
    world = World(first, second, FakeHost("b1", "b"))
    got = world.search(("a1", "a2"), ("b1",), rounds=2, deadline=0.5)
    assert got[0][0] is None
    assert got[0][1] is not None
    assert world.clock.now() == pytest.approx(0.5)


def test_a_search_that_is_cancelled_does_not_wait():
    first, second = pair()
    first.delay = second.delay = lambda call, now: 0.001 if call == PING else NEVER
    world = World(first, second)

    class Cancel:
        def is_set(self) -> bool:
            return world.clock.now() >= 0.1

    with pytest.raises(SearchCancelled):
        world.search(("a1", "a2"), cancel=Cancel())
    assert world.clock.now() < 0.1 + 2 * ASKING.look_again


def test_a_replica_that_holds_something_else_by_now_is_not_mixed_with_the_first():
    first, second = pair(holds="less")
    first.dies = 0.025
    world = World(first, second)
    with pytest.raises(Diverged, match="a2"):
        world.search(("a1", "a2"))
    assert world.asking.counts.diverged == 1


def test_only_the_essence_of_a_replayed_answer_has_to_be_equal():
    first, second = pair(holds="the same, and another time of day")
    first.dies = 0.025
    world = World(first, second)
    talk = world.asking.talk(("a1", "a2"), essence=lambda question, answer: len(answer))
    talk.replicas = ("a1", "a2")
    for number in range(ROUNDS):
        (answer,) = world.asking.ask([talk], [question(1, number)])
        assert answer is not None


def test_what_is_no_answer_sends_the_question_to_another_replica_and_suspects_nobody():
    """A host that has begun again does not know the search; one that is behind says so."""
    world = World(*pair(holds="a"))
    world.hosts["a1"].holds = "refuses"

    def usable(asked: bytes, answer: bytes) -> object:
        if answer != expected("a", 1, int(asked.split(b"/")[1])):
            raise Unusable("no answer")
        return answer

    talk = world.asking.talk(("a1", "a2"), usable)
    talk.replicas = ("a1", "a2")
    for number in range(ROUNDS):
        got = world.asking.ask([talk], [question(1, number)])
        assert got == [expected("a", 1, number)]
    counts = world.asking.counts
    assert (counts.refused, counts.retries, counts.lost) == (1, 1, 0)
    assert world.asking.suspects == ()


def test_an_error_of_the_transport_that_is_none_of_a_host_is_raised():
    class Broken(FakeTransport):
        def submit(self, host, call):
            future = super().submit(host, call)
            future.set_exception(ZeroDivisionError())
            return future

    clock = TurnedClock()
    asking = Asking(Broken(clock, FakeHost("a1")), ASKING, clock)
    with pytest.raises(ZeroDivisionError):
        asking.ask([asking.talk(("a1",))], [b"1/0/"])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_hosts_do_an_answer_is_right_or_missing(seed):
    """A thousand searches of random layouts and faults; `World.search` compares each answer."""
    rng = random.Random(seed)
    seen = {"covered": 0, "missing": 0, "replayed": 0}
    for _ in range(50):
        sets, hosts = [], []
        for number in range(rng.randint(1, 5)):
            names = [f"{number}-{n}" for n in range(rng.randint(1, 3))]
            hosts += [random_host(rng, name, str(number)) for name in names]
            sets.append(tuple(rng.sample(names, len(names))))
        world = World(*hosts)
        for _ in range(rng.randint(1, 4)):
            start = world.clock.now()
            got = world.search(*sets, rounds=rng.randint(1, 6))
            longest = 3 * (ASKING.hedge_after + ASKING.lost_after) + 2.0 * len(got) * 6
            assert world.clock.now() - start < longest
            for column, names in zip(zip(*got, strict=True), sets, strict=True):
                gone = [answer is None for answer in column]
                assert gone == sorted(gone)  # who is not covered stays so
                healthy = [
                    name for name in names
                    if world.hosts[name].dies == NEVER and world.hosts[name].delay(b"", 0) < 1
                ]  # fmt: skip
                if healthy:
                    assert not any(gone)
                seen["missing" if any(gone) else "covered"] += 1
            world.clock.pass_by(rng.choice((0.0, 0.1, 5.0)))
        seen["replayed"] += world.asking.counts.replays
    assert min(seen.values()) > 10, seen


def random_host(rng: random.Random, name: str, holds: str) -> FakeHost:
    kind = rng.choice(("well", "well", "slow", "dies", "cut off", "stopped"))
    host = FakeHost(name, holds)
    if kind == "slow":
        seconds = rng.choice((0.2, 0.35, 0.5, 2.5))
        pings = rng.choice((0.001, seconds))
        host.delay = lambda call, now: pings if call == PING else seconds
        if seconds > 1:
            host.dies = 1e6  # never, but no promise is kept for it
    elif kind in ("dies", "cut off"):
        host.dies, host.tells = rng.uniform(0, 0.6), kind == "dies"
    elif kind == "stopped":
        begin = rng.uniform(0, 0.3)
        end = begin + rng.choice((0.2, 1.0, 20.0))
        host.dies = 1e6
        host.delay = lambda call, now: 0.01 if not begin <= now < end else end - now + 0.01
    return host
