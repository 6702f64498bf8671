"""Non-interference: denied data changes no byte; and the reference gives the same answer."""

from __future__ import annotations

import dataclasses
import random
import shutil
import sys
from contextlib import ExitStack
from functools import cache

import policy_cases as cases
import pytest
from engine_helpers import Clock, again, folder, print_of, told
from how_often import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from remembering import remembered

from fpmatch.index import ranking
from fpmatch.policy import model as m
from fpmatch.reference import ReferenceEngine
from fpmatch.search import Engine
from fpmatch.search.candidates import best_candidates
from fpmatch.search.partition_request import PartitionRequest
from fpmatch.search.probe import Probe
from fpmatch.types import FingerPosition, Outcome, Permission, Record, SearchRequest

CASES = settings(
    max_examples=often(1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
PARTITIONS = cases.OWNERS
POSITIONS = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX, FingerPosition.UNKNOWN)
GALLERIES = 6


def finger(rng: random.Random, person: int):
    shown = rng.choice(POSITIONS)
    made = print_of(person, rng.randrange(3), POSITIONS[person % 2], minutiae=8)
    return dataclasses.replace(made, position=shown) if rng.random() < 0.3 else made


@cache
def gallery(seed: int) -> dict[str, tuple[tuple[Record, ...], frozenset[str]]]:
    """For each partition some records, and which of them are sealed."""
    rng = random.Random(seed)
    out = {}
    for partition in PARTITIONS:
        records = []
        for i in range(rng.randrange(1, 5)):
            person = rng.randrange(5)
            records.append(
                Record(
                    f"{partition[0]}{i}",
                    [finger(rng, person) for _ in range(rng.choice((1, 1, 2)))],
                    protected=rng.random() < 0.2,
                    banned_uses=frozenset(
                        rng.sample(
                            ("CAR", "CNA", "purpose:F", "role:officer"), rng.choice((0, 0, 1))
                        )
                    ),
                )
            )
        sealed = frozenset(r.record for r in records if rng.random() < 0.15)
        out[partition] = (tuple(records), sealed)
    return out


class Farm:
    """Engines over the same galleries, with all partitions' records or with some left out."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.made: dict[tuple[int, frozenset[str]], Engine] = {}
        self.clock = Clock()

    def engine(self, seed: int, without: frozenset[str] = frozenset()) -> Engine:
        key = (seed, without)
        if key not in self.made:
            place = folder()
            self.stack.callback(shutil.rmtree, place)
            made = Engine.create(place, durability="off", clock=self.clock)
            self.stack.callback(made.close)
            for partition in PARTITIONS:
                ndr = next(p.ndr for p in cases.world().partitions if p.name == partition)
                made.add_partition(partition, ndr, PARTITIONS[partition], expected_fingers=100)
                if partition not in without:
                    records, sealed = gallery(seed)[partition]
                    made.enrol(partition, records)
                    for name in sealed:
                        made.seal(name, partition=partition, order="o", authority="a")
            self.made[key] = made
        return self.made[key]

    def reference(self, seed: int) -> ReferenceEngine:
        made = ReferenceEngine(self.clock)
        for partition in PARTITIONS:
            ndr = next(p.ndr for p in cases.world().partitions if p.name == partition)
            made.add_partition(partition, ndr, PARTITIONS[partition])
            records, sealed = gallery(seed)[partition]
            made.enrol(partition, records)
            for name in sealed:
                made.seal(partition, name)
        return made


@pytest.fixture(scope="module")
def farm():
    made = Farm()
    with remembered(), made.stack:
        yield made


def search_of(rng: random.Random) -> SearchRequest:
    facts = cases.facts(rng)
    person = rng.randrange(5)
    return SearchRequest(
        fingers=[finger(rng, person) for _ in range(rng.choice((1, 1, 2, 3)))],
        booking_ori=facts.chain[0],
        chain=facts.chain[1:],
        transaction=facts.transaction,
        partitions=facts.requested,
        purpose=facts.purpose,
        role=facts.role,
        charge=facts.charge,
        disposition=facts.disposition,
        protected=facts.protected,
        attributes=facts.attributes,
        tcn="T",
        max_candidates=rng.choice((1, 2, 20)),
        threshold=rng.choice((0.0, 0.0, 20.0)),
        effort=rng.choice(("fast", "balanced", "scan", "exhaustive")),
        rotation=rng.choice(("upright", "upright", "any")),
        scale=rng.choice((*["stated"] * 5, "any")),
        positions=rng.choice(("labelled", "labelled", "any")),
        minutiae=rng.random() < 0.7,
    )


def put_in_force(engine: Engine, policy) -> None:
    # Random policies hold void rules, which `publish` refuses; decisions ignore them.
    engine._state.policy = policy


def random_policy(rng: random.Random):
    policy = cases.policy(rng)
    if rng.random() < 0.3:
        opaque = tuple(
            dataclasses.replace(p, opaque=rng.random() < 0.5) for p in policy.declared.partitions
        )
        policy = type(policy)(dataclasses.replace(policy.declared, partitions=opaque))
    return policy


def answer(engine, policy, request) -> bytes:
    put_in_force(engine, policy)
    response = engine.search(again(request))
    return without_tokens(response)


def without_tokens(response) -> bytes:
    plain = tuple(dataclasses.replace(s, token="") for s in response.sections)
    return told(dataclasses.replace(response, sections=plain))


def unsearched(engine, policy, request) -> frozenset[str]:
    from fpmatch.search.decision import prepare

    put_in_force(engine, policy)
    granted = {h.partition for h in prepare(engine._state, request).searchers}
    return frozenset(PARTITIONS) - granted


@CASES
@given(seed=st.integers(0, 2**32))
def test_an_engine_without_the_denied_data_answers_the_same_bytes(farm, seed):
    rng = random.Random(seed)
    which, policy, request = rng.randrange(GALLERIES), random_policy(rng), search_of(rng)
    farm.clock.now = cases.day(rng)
    full = farm.engine(which)
    denied = unsearched(full, policy, request)
    never = farm.engine(which, denied)
    never._state.opaque_key = full._state.opaque_key
    assert answer(full, policy, request) == answer(never, policy, request)


@CASES
@given(seed=st.integers(0, 2**32))
def test_the_reference_engine_gives_the_same_bytes(farm, seed):
    rng = random.Random(seed)
    which, policy, request = rng.randrange(GALLERIES), random_policy(rng), search_of(rng)
    farm.clock.now = cases.day(rng)
    full = farm.engine(which)
    expected = farm.reference(which)
    from fpmatch.search.opaque_ids import opaque_id_of

    expected.name = lambda *names: opaque_id_of(full._state, *names)
    expected.policy = policy
    assert answer(full, policy, request) == without_tokens(expected.search(request))


def blind(policy):
    """The same policy with nothing to see in any of its rules."""
    rules = tuple(
        r
        if r.effect is m.Effect.FORBID
        else dataclasses.replace(r, bits=r.bits & ~Permission.VIEW.value)
        for r in policy.declared.rules
    )
    return type(policy)(dataclasses.replace(policy.declared, rules=rules))


def test_what_is_withheld_leaves_no_trace_hit_or_no_hit(farm):
    """A thousand withheld partitions: the same bytes where they hold mates and where nothing."""
    withheld = mates = seed = 0
    while withheld < 1000:
        seed += 1
        assert seed < 20_000, f"only {withheld} of {seed} searches were withheld"
        rng = random.Random(f"withheld {seed}")
        which, policy, request = rng.randrange(GALLERIES), random_policy(rng), search_of(rng)
        policy = blind(policy)
        farm.clock.now = cases.day(rng)
        full = farm.engine(which)
        hidden = frozenset(PARTITIONS) - unsearched(full, policy, request)
        if not hidden:
            continue
        told = len(full.notifications())
        response = full.search(again(request))
        shown = {s.partition for s in response if s.outcome is Outcome.SEARCHED_DISCLOSED}
        if not hidden - shown:
            continue
        withheld += len(hidden - shown)
        empty = farm.engine(which, frozenset(PARTITIONS) - shown)
        empty._state.opaque_key = full._state.opaque_key
        assert without_tokens(response) == answer(empty, policy, request)
        mates += len(full.notifications()) > told
    assert mates >= 30, "too few hits among them to show anything"


def candidates(response) -> set[tuple[str, str]]:
    return {(s.partition, c.record) for s in response for c in s.candidates or ()}


@CASES
@given(seed=st.integers(0, 2**32))
def test_a_rule_less_or_a_ban_more_adds_nothing_to_a_search(farm, seed):
    """No candidate, and no partition compared. With no limit to the list: a ban makes room."""
    rng = random.Random(seed)
    which, policy, request = rng.randrange(GALLERIES), cases.policy(rng), search_of(rng)
    request = dataclasses.replace(request, max_candidates=50)
    farm.clock.now = cases.day(rng)
    full = farm.engine(which)
    rules = policy.declared.rules
    ban = dataclasses.replace(cases.rule(rng, 99), effect=m.Effect.FORBID)
    grants = [r for r in rules if r.effect is not m.Effect.FORBID]
    fewer = [(*rules, ban)]
    if grants:
        gone = rng.choice(grants)
        fewer.append(tuple(r for r in rules if r is not gone))
    searched = frozenset(PARTITIONS) - unsearched(full, policy, request)
    before = candidates(full.search(again(request)))
    for rest in fewer:
        less = type(policy)(dataclasses.replace(policy.declared, rules=rest))
        assert frozenset(PARTITIONS) - unsearched(full, less, request) <= searched
        assert candidates(full.search(again(request))) <= before


def approximate(patch: pytest.MonkeyPatch) -> None:
    """Make the index approximate on a handful of rows: lists, and two rows on the shortlist."""
    for name, module in list(sys.modules.items()):
        if name.startswith("fpmatch.index.") and hasattr(module, "INDEX"):
            small = dataclasses.replace(
                module.INDEX,
                exhaustive_below=1,
                scan_below=1,
                subject_exhaustive_below=1,
                subject_scan_below=1,
                judge_minutiae=1,
                listed_rows=3,
                groups_kept=2,
                groups_unsure=2,
                groups_least=2,
            )
            patch.setattr(module, "INDEX", small)
    for effort, wanted in ranking.PARAMETERS.items():
        few = dataclasses.replace(wanted, verified_least=2, rescored_least=3)
        patch.setitem(ranking.PARAMETERS, effort, few)


@CASES
@given(seed=st.integers(0, 2**32))
def test_the_approximate_index_does_not_couple_partitions_either(farm, seed):
    rng = random.Random(seed)
    which, policy, request = rng.randrange(GALLERIES), random_policy(rng), search_of(rng)
    request = dataclasses.replace(request, effort=rng.choice(("fast", "balanced", "scan")))
    farm.clock.now = cases.day(rng)
    full = farm.engine(which)
    with pytest.MonkeyPatch.context() as patch:
        approximate(patch)
        denied = unsearched(full, policy, request)
        never = farm.engine(which, denied)
        never._state.opaque_key = full._state.opaque_key
        assert answer(full, policy, request) == answer(never, policy, request)


def test_the_approximate_index_really_is_used(farm):
    full = farm.engine(0)
    request = dataclasses.replace(search_of(random.Random(1)), effort="balanced")
    with pytest.MonkeyPatch.context() as patch:
        approximate(patch)
        from fpmatch.descriptor import encode

        short = full._state.indexes["criminal"].shortlist(encode(request.fingers[0]))
    assert not short.exhaustive
    assert len(short.row_ids) <= 2


@cache
def crowd(seed: int) -> tuple[tuple[Record, ...], frozenset[str]]:
    """Records of two to four fingers of ten persons, and which of them are sealed."""
    rng = random.Random(seed)
    records = tuple(
        Record(
            f"r{rng.randrange(10**6):06d}",
            [finger(rng, rng.randrange(10)) for _ in range(rng.choice((2, 3, 4)))],
            protected=rng.random() < 0.2,
            banned_uses=frozenset(("CAR",) if rng.random() < 0.25 else ()),
        )
        for _ in range(12)
    )
    return records, frozenset(r.record for r in records if rng.random() < 0.2)


class Crowds:
    """Engines over a crowd, with the records that a search may not see or without them."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.made: dict[tuple[int, frozenset[str]], Engine] = {}

    def engine(self, seed: int, without: frozenset[str] = frozenset()) -> Engine:
        if (seed, without) not in self.made:
            place = folder()
            self.stack.callback(shutil.rmtree, place)
            made = Engine.create(place, durability="off", clock=Clock())
            self.stack.callback(made.close)
            made.add_partition("p", 1, "owner", expected_fingers=100)
            records, sealed = crowd(seed)
            made.enrol("p", [r for r in records if r.record not in without])
            for name in sealed - without:
                made.seal(name, partition="p", order="o", authority="a")
            self.made[seed, without] = made
        return self.made[seed, without]


@pytest.fixture(scope="module")
def crowds():
    with ExitStack() as stack:
        yield Crowds(stack)


def scores_of(engine: Engine, fingers, sees: bool, uses: frozenset[str], effort: str):
    """The best hundred candidates, and what it took to find them."""
    asked = PartitionRequest("p", Probe.of(fingers), sees, uses, effort)
    found = engine._state.searcher("p").search(asked)
    columns = engine._state.gallery.columns("p")
    return best_candidates(found, columns, 100, 0.0), found.cost


@CASES
@given(seed=st.integers(0, 2**32))
def test_barred_records_leave_no_trace_in_a_search_with_several_fingers(crowds, seed):
    rng = random.Random(seed)
    which, sees = rng.randrange(GALLERIES), rng.random() < 0.5
    uses = frozenset(("CAR",) if rng.random() < 0.5 else ("CNA",))
    records, sealed = crowd(which)
    barred = sealed | {
        r.record for r in records if (r.protected and not sees) or r.banned_uses & uses
    }
    fingers = [finger(rng, rng.randrange(10)) for _ in range(rng.choice((2, 3, 4, 6)))]
    effort = rng.choice(("fast", "balanced", "scan"))
    with pytest.MonkeyPatch.context() as patch:
        approximate(patch)
        masked, cost = scores_of(crowds.engine(which), fingers, sees, uses, effort)
        never, other = scores_of(crowds.engine(which, barred), fingers, sees, uses, effort)
    assert masked == never
    assert cost.live_fingers == other.live_fingers
    assert cost.fingers_verified == other.fingers_verified
    assert not barred & {c.record for c in masked}


def test_a_search_with_several_fingers_really_is_cut_short(crowds):
    """And where nothing is cut, it says what the exhaustive one says of the same records."""
    whole = frozenset({"CNA"})
    fingers = [finger(random.Random(n), n) for n in range(4)]
    every, _ = scores_of(crowds.engine(0), fingers, True, whole, "exhaustive")
    by_record = {c.record: c for c in every}
    with pytest.MonkeyPatch.context() as patch:
        approximate(patch)
        found, _ = scores_of(crowds.engine(0), fingers, True, whole, "balanced")
    assert len(found) == 2 < len(by_record)
    assert all(by_record[c.record] == c for c in found)
