"""Laws of the decision, each over at least a thousand generated policies and searches."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

import policy_cases as cases
from how_often import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpmatch.policy import model as m
from fpmatch.policy.decide import decide
from fpmatch.policy.policy import Policy
from fpmatch.types import Facts, Ori

CASES = settings(
    max_examples=often(1000), deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
SEEDS = st.integers(0, 2**40)
PLANES = ("accept", "probe", "view", "notify", "retain")


def bits(policy: Policy, facts: Facts, at) -> dict[str, int]:
    return {p.partition: p.permissions.value for p in policy.decide(facts, at).partitions}


def none_added(before: dict[str, int], after: dict[str, int]) -> bool:
    return all(not value & ~before.get(name, 0) for name, value in after.items())


def make(policy: Policy, **changes: object) -> Policy:
    return Policy(dataclasses.replace(policy.declared, **changes))


@CASES
@given(SEEDS)
def test_table_equals_decision(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    table = policy.compile(at)
    later = table.valid_until
    moments = [at] if later is None else [at, later - timedelta(seconds=1)]
    for _ in range(2):
        facts = cases.facts(rng)
        for moment in moments:
            decision = policy.decide(facts, moment)
            masks = table.masks(facts)
            for k, plane in enumerate(PLANES):
                expected = sum(
                    (p.permissions.value >> k & 1) << i for i, p in enumerate(decision.partitions)
                )
                assert getattr(masks, plane) == expected, plane
            assert table.mask(facts).bits == decision.mask.bits


@CASES
@given(SEEDS)
def test_what_was_decided_before_changes_no_decision(seed: int) -> None:
    """Many searches of one policy, on and around its dates: each as if it were the first."""
    rng = random.Random(seed)
    policy = cases.policy(rng)
    days = [cases.day(rng)]
    for date in rng.sample(policy.registry.dates, min(1, len(policy.registry.dates))):
        days += [date - timedelta(microseconds=1), date, date + timedelta(hours=1)]
    asked = [cases.facts(rng) for _ in range(2)]
    asked.append(dataclasses.replace(asked[0], protected=rng.choice((True, False, None))))
    asked.append(dataclasses.replace(asked[0], protected=rng.choice((0, 1, "yes"))))
    for _ in range(2):
        for at in days:
            for facts in asked:
                fresh = decide(policy.registry, facts, at, policy.digest)
                assert policy.decide(facts, at) == fresh


@CASES
@given(SEEDS)
def test_a_new_forbid_never_adds(seed: int) -> None:
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    forbid = dataclasses.replace(cases.rule(rng, 99), effect=m.Effect.FORBID)
    more = make(policy, rules=(*policy.declared.rules, forbid))
    assert none_added(bits(policy, facts, at), bits(more, facts, at))


@CASES
@given(SEEDS)
def test_a_grant_removed_never_adds(seed: int) -> None:
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    before = bits(policy, facts, at)
    grants = [r for r in policy.declared.rules if r.effect is not m.Effect.FORBID]
    for gone in rng.sample(grants, min(2, len(grants))):
        rest = tuple(r for r in policy.declared.rules if r is not gone)
        assert none_added(before, bits(make(policy, rules=rest), facts, at))
    no_agreement = tuple(
        dataclasses.replace(a, terminated_on=cases.DAY0 - timedelta(days=9), notice_days=0)
        for a in policy.declared.agreements
    )
    assert none_added(before, bits(make(policy, agreements=no_agreement), facts, at))
    assert none_added(before, bits(make(policy, mandates_enabled=False), facts, at))


@CASES
@given(SEEDS)
def test_a_further_link_never_adds(seed: int) -> None:
    """A longer chain gives no more, unless the bureau that must be passed was missing."""
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    for link in (*cases.AGENCIES, cases.FEDERAL, "ZZ0000000"):
        longer = dataclasses.replace(facts, chain=(*facts.chain, Ori(link)))
        assert none_added(bits(policy, facts, at), bits(policy, longer, at))


@CASES
@given(SEEDS)
def test_narrowing_one_link_never_adds(seed: int) -> None:
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    node = rng.choice(facts.chain)
    if node not in policy.registry.agencies:
        return
    off = tuple(
        m.Activation(
            node,
            p,
            m.ActivationState.DEACTIVATED,
            policy.registry.partitions[p].owner,
            m.Authority.OWNER,
        )
        for p in policy.registry.partitions
    )
    narrower = make(policy, activations=(*policy.declared.activations, *off))
    after = bits(narrower, facts, at)
    assert none_added(bits(policy, facts, at), after)


@CASES
@given(SEEDS)
def test_less_known_never_adds(seed: int) -> None:
    """Taking a fact away gives no more than the best that stating it could give."""
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    unknown = bits(policy, dataclasses.replace(facts, charge=None), at)
    for charge in ("felony", "misdemeanor", "traffic"):
        known = bits(policy, dataclasses.replace(facts, charge=charge), at)
        assert none_added(known, unknown)
    for generic in ("0399", "", "Felony", "murder"):
        assert bits(policy, dataclasses.replace(facts, charge=generic), at) == unknown


@CASES
@given(SEEDS)
def test_order_does_not_matter(seed: int) -> None:
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    shuffled = {}
    for name in (
        "rules",
        "modes",
        "activations",
        "consents",
        "agreements",
        "agencies",
        "jurisdictions",
    ):
        items = list(getattr(policy.declared, name))
        rng.shuffle(items)
        shuffled[name] = tuple(items)
    other = make(policy, **shuffled)
    assert other.digest == policy.digest
    assert other.decide(facts, at) == policy.decide(facts, at)


@CASES
@given(SEEDS)
def test_requested_only_narrows(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    facts = dataclasses.replace(cases.facts(rng), requested=None)
    every = bits(policy, facts, at)
    for name in policy.registry.partitions:
        one = bits(policy, dataclasses.replace(facts, requested=(name,)), at)
        assert one[name] == every[name]
        assert all(value & ~m.ACCEPT == 0 for other, value in one.items() if other != name)


@CASES
@given(SEEDS)
def test_neighbours_do_not_change_the_holdout(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    holdout = "AA0000001"
    neighbours = ("S1-C2", "S2", "AA0000002", "AA0000003", "AA0000004", "BB0000001")
    active = tuple(
        m.Activation(n, "immigration", m.ActivationState.ACTIVE, "DHS", m.Authority.OWNER)
        for n in neighbours
    )
    ring = make(policy, activations=(*policy.declared.activations, *active))
    for chain in ((), (cases.BUREAU,)):
        before = policy.explain(ori=holdout, partition="immigration", at=at, chain=chain)
        after = ring.explain(ori=holdout, partition="immigration", at=at, chain=chain)
        assert before == after


@CASES
@given(SEEDS)
def test_round_trip(seed: int) -> None:
    policy = cases.policy(random.Random(seed))
    again = Policy.parse(policy.to_toml(), lenient=True)
    assert again == policy
    assert again.to_toml() == policy.to_toml()


@CASES
@given(SEEDS)
def test_every_denial_has_a_reason_and_someone_to_ask(seed: int) -> None:
    rng = random.Random(seed)
    policy, at, facts = cases.policy(rng), cases.day(rng), cases.facts(rng)
    decision = policy.decide(facts, at)
    for entry in decision.partitions:
        known = entry.partition in policy.registry.partitions
        assert entry.probe == (entry.reason in ("GRANTED", "RESULTS_WITHHELD"))
        if not known:
            continue
        fields = {
            f.name: getattr(facts, f.name) for f in dataclasses.fields(facts) if f.name != "chain"
        }
        why = policy.explain(
            ori=facts.chain[0], chain=facts.chain[1:], partition=entry.partition, at=at, **fields
        )
        assert why.decision == entry
        assert why.changeable_by
        assert entry.reason.value in why.text
