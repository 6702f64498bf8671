"""Policies that can never grant: against every combination of facts, and in words."""

from __future__ import annotations

import dataclasses
import itertools
import random

import policy_cases as cases
import pytest
from how_often import often
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpmatch.policy import Policy, possible
from fpmatch.policy import model as m
from fpmatch.policy.never import Obstacle, must_act, obstacles_at, obstacles_ever
from fpmatch.policy.possible import Need, can_grant, in_the_way, satisfiable
from fpmatch.types import Facts, Ori, Reason

CASES = settings(
    max_examples=often(200), deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
SEEDS = st.integers(0, 2**40)
ALL = (*cases.AGENCIES, cases.BUREAU)


def every_fact(policy: Policy):
    """Every combination of known and unknown facts of a generated policy."""
    d = policy.declared
    return itertools.product(
        d.transactions,
        (*d.purposes, "?"),
        ("", *d.roles, "boss"),
        (*d.charges, None),
        (*d.dispositions, None),
        (False, True, None),
        ({}, {"citizen": "no"}, {"citizen": "yes"}),
    )


def granted_by_any(policy: Policy, ori: str, at) -> int:
    """The partitions that some facts have searched, as a mask: by trying all of them."""
    table = policy.compile(at)
    found = 0
    for chain in ((ori,), (ori, cases.BUREAU), (ori, cases.FEDERAL), (ori, "AA0000003")):
        oris = tuple(Ori(o) for o in chain)
        for said in every_fact(policy):
            found |= table.masks(Facts(oris, *said)).probe
    return found


@CASES
@given(SEEDS)
def test_it_can_grant_exactly_where_some_facts_do(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    ori = rng.choice(ALL)
    found = granted_by_any(policy, ori, at)
    for i, partition in enumerate(policy.declared.partitions):
        assert can_grant(policy.registry, ori, partition, at) == bool(found >> i & 1), partition


@CASES
@given(SEEDS)
def test_never_is_never_at_every_date_of_the_policy(seed: int) -> None:
    from datetime import timedelta

    rng = random.Random(seed)
    policy = cases.policy(rng)
    registry = policy.registry
    times = [cases.DAY0 - timedelta(days=999)]
    times += [t + timedelta(hours=h) for t in registry.dates for h in (-1, 0, 1)]
    never = {(ori, n.partition): n for n in policy.never_granted() for ori in n.agencies}
    assert not any(registry.agencies[ori].relay for ori, _ in never)
    for ori in cases.AGENCIES:
        for partition in policy.declared.partitions:
            could = any(can_grant(registry, ori, partition, at) for at in times)
            assert could == ((ori, partition.name) not in never)
            assert could == (not obstacles_ever(registry, ori, partition))
    for (ori, name), one in never.items():
        alone = obstacles_ever(registry, ori, registry.partitions[name])
        assert [o.reason for o in one.obstacles] == [o.reason for o in alone]
        assert [o.sources for o in one.obstacles] == [o.sources for o in alone]
        assert one.must_act
        assert one.text.count("because") == 1


def removed(policy: Policy, ori: str, partition: m.Partition, gone: tuple[Obstacle, ...]) -> Policy:
    """The policy after everybody who must act has acted on these obstacles and nothing else."""
    d, registry = policy.declared, policy.registry
    sources = {s for o in gone for s in o.sources}
    reasons = {o.reason for o in gone}
    rules = [r for r in registry.rules if r.effect is not m.Effect.FORBID or r.id not in sources]
    changes: dict[str, object] = {"modes": ()}
    owner = (partition.owner, m.Authority.OWNER)
    if reasons & {Reason.NO_GRANT, Reason.NO_AGREEMENT}:
        rules.append(m.Rule("act", m.Effect.PERMIT, ("*",), (partition.name,), m.ALL, *owner))
    plan = [a for a in registry.activations if a.label not in sources]
    consents = [c for c in d.consents if c.label not in sources]
    if reasons & {Reason.NOT_ACTIVATED, Reason.ORI_DEACTIVATED}:
        plan = [a for a in plan if a.partition != partition.name]
        plan += [m.Activation(who, partition.name, m.ActivationState.ACTIVE, *owner)
                 for who in ("*", *ALL)]  # fmt: skip
    if Reason.NO_CONSENT in reasons:
        consents = [c for c in consents if c.partition != partition.name]
        consents += [m.Consent(who, partition.name, m.ConsentState.ASKED_YES, who) for who in ALL]
    if Reason.UNKNOWN_AGENCY in reasons:
        changes["agencies"] = tuple(dataclasses.replace(a, end=None) for a in d.agencies)
    changes |= {"rules": tuple(rules), "activations": tuple(plan), "consents": tuple(consents)}
    return Policy(dataclasses.replace(d, **changes))


@settings(CASES, max_examples=often(400))
@given(SEEDS)
def test_all_obstacles_have_to_go_and_no_more(seed: int) -> None:
    rng = random.Random(seed)
    policy, at = cases.policy(rng), cases.day(rng)
    registry = policy.registry
    for ori, partition in itertools.product(cases.AGENCIES, policy.declared.partitions):
        found = obstacles_at(registry, ori, partition, at)
        if any(o.text.endswith("can never hold together") for o in found):
            continue
        assert bool(found) == (not can_grant(registry, ori, partition, at))
        if not found or Reason.NO_AGREEMENT in {o.reason for o in found}:
            continue
        after = removed(policy, ori, partition, found)
        assert can_grant(after.registry, ori, partition, at), found
        for one in found:
            rest = tuple(o for o in found if o.reason is not one.reason)
            short = removed(policy, ori, partition, rest)
            gates = {Reason.NOT_ACTIVATED, Reason.ORI_DEACTIVATED}
            if not (one.reason in gates and gates & {o.reason for o in rest}):
                assert not can_grant(short.registry, ori, partition, at), (found, one)


# -- one by one --------------------------------------------------------------------------------


SITE, OTHER = "CA0380200", "CA0380100"
BASE = f"""
transactions = ["CAR"]
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
[[jurisdiction]]
id = "CA"
kind = "state"
[[agency]]
ori = "{SITE}"
parent = "CA"
[[agency]]
ori = "{OTHER}"
parent = "CA"
[[agency]]
ori = "CASIR0000"
kind = "sib"
parent = "CA"
"""


def mode(name: str, author: str = SITE, more: str = "") -> str:
    return (
        f'[[mode]]\nmode = "{name}"\nwho = "{SITE}"\npartition = "immigration"\n'
        f'author = "{author}"\n{more}\n'
    )


PERMIT = """
[[rule]]
id = "open"
effect = "permit"
who = "CA"
partitions = "immigration"
author = "DHS"
"""
ACTIVE = '[[activation]]\nwho = "CA"\npartition = "immigration"\nauthor = "DHS"\n'
AT = "2011-01-01"


def of(text: str, ori: str = SITE):
    (found,) = [n for n in Policy.parse(text).never_granted() if ori in n.agencies]
    return found


@pytest.mark.parametrize("name", ["conditional_charge", "deferred_disposition"])
def test_a_mode_by_the_agency_without_the_owners_permit_is_said(name) -> None:
    policy = Policy.parse(BASE + mode(name))
    (finding,) = [f for f in policy.lint() if f.code == "never-grants" and SITE in f.message]
    assert finding.level == "warning"
    assert "can never grant" in finding.message
    assert f"mode:{SITE}:immigration:{name}' by {SITE} narrows and permits" in finding.message
    assert finding.message.endswith("who must act: DHS")
    why = policy.explain(ori=SITE, partition="immigration", at=AT, charge="felony")
    assert why.reason == Reason.NOT_ACTIVATED
    assert why.changeable_by == ("DHS",)
    assert not why.possible
    assert "Who could change this: DHS." in why.text
    assert "No facts whatever could have it searched at this time: no rule permits it" in why.text


def test_with_the_owners_permit_nothing_is_said() -> None:
    text = BASE + PERMIT + ACTIVE + mode("conditional_charge")
    assert not Policy.parse(text).never_granted()
    why = Policy.parse(text).explain(ori=SITE, partition="immigration", at=AT, charge="traffic")
    assert not why.decision.probe
    assert why.possible
    assert "No facts whatever" not in why.text


def test_who_must_act_where_nobody_can_alone() -> None:
    off = f'[[activation]]\nwho = "{SITE}"\npartition = "immigration"\nstate = "deactivated"\n'
    text = BASE + ACTIVE + off + f'author = "{SITE}"\n'
    assert of(text).must_act == ("DHS", SITE)
    assert of(text).text.endswith(f"who must act: DHS, and {SITE}")
    why = Policy.parse(text).explain(ori=SITE, partition="immigration", at=AT)
    assert why.changeable_by == (SITE, "DHS")
    assert f"Who must act: {SITE} for ORI_DEACTIVATED, and DHS for NO_GRANT." in why.text


def test_agencies_of_which_nothing_is_said_come_together_as_a_note() -> None:
    many = "".join(f'[[agency]]\nori = "CA{i:07d}"\nparent = "CA"\n' for i in range(1000, 1200))
    (found,) = Policy.parse(BASE + many).never_granted()
    assert len(found.agencies) == 202
    assert "CASIR0000" not in found.agencies
    assert "and 199 more" in found.text
    levels = {f.level for f in Policy.parse(BASE + many).lint() if f.code == "never-grants"}
    assert levels == {"note"}


def test_rules_that_exclude_each_other_are_both_named() -> None:
    rule = '[[rule]]\nid = "{}"\neffect = "forbid"\nwho = "CA"\npartitions = "immigration"\n'
    a = rule.format("only-felony") + 'author = "CA"\nunless = { charge = "felony" }\n'
    b = rule.format("no-felony") + 'author = "DHS"\nwhen = { charge = "felony" }\n'
    found = of(BASE + PERMIT + ACTIVE + a + b)
    assert {"only-felony", "no-felony"} == set(found.obstacles[0].sources)
    assert "can never hold together" in found.text
    assert set(found.must_act) == {"DHS", "CA"}
    assert found.text.endswith("who must act: DHS or CA") or found.text.endswith("CA or DHS")
    assert not found.intended


def test_a_permit_and_a_setting_at_different_times_never_meet() -> None:
    late = ACTIVE + "from = 2012-01-01\n"
    found = of(BASE + PERMIT + "to = 2012-01-01\n" + late)
    assert len(found.obstacles) == 1
    assert not Policy.parse(BASE + PERMIT + "to = 2012-01-02\n" + late).never_granted()


@pytest.mark.parametrize(
    ("more", "reason", "words", "who"),
    [
        (PERMIT, Reason.NOT_ACTIVATED, "not activated",
         {"the agency's own side", "DHS"}),
        (PERMIT + ACTIVE + mode("no_federal_submission").replace('partition = "immigration"\n', ""),
         Reason.NO_FEDERAL_SUBMISSION, "whatever the facts", {SITE}),
        (PERMIT + ACTIVE + '[[rule]]\nid = "ban"\neffect = "forbid"\nwho = "CA"\n'
         'partitions = "*"\nauthor = "CA"\n', Reason.FORBIDDEN, "'ban' forbids it", {"CA"}),
        (PERMIT + ACTIVE + '[[rule]]\nid = "ban"\neffect = "forbid"\nwho = "CA"\n'
         'partitions = "*"\nauthor = "DHS"\n', Reason.OWNER_FORBIDS, "'ban' forbids it", {"DHS"}),
        (PERMIT + ACTIVE + f'[[consent]]\nwho = "{SITE}"\npartition = "immigration"\n'
         'state = "ASKED_NO"\nauthor = "CASIR0000"\n', Reason.NO_CONSENT, "says no",
         {SITE, "CASIR0000"}),
        (PERMIT.replace('"DHS"', '"DHS"\nagreement = "moa"') + ACTIVE
         + '[[agreement]]\nid = "moa"\n'
         'parties = ["DHS", "CASIR0000"]\npartitions = "immigration"\nfrom = 2012-01-01\n'
         "to = 2012-01-02\n" + ACTIVE.replace("DHS", SITE).replace('"CA"', f'"{SITE}"').replace(
             "author", 'state = "deactivated"\nauthor') , Reason.ORI_DEACTIVATED, "switches it off",
         {SITE}),
    ],
)  # fmt: skip
def test_each_obstacle_is_named_with_who_removes_it(more, reason, words, who) -> None:
    found = of(BASE + more)
    assert found.obstacles[0].reason is reason
    assert words in found.text
    assert set(found.must_act) == who


def test_protection_and_roles_count_as_facts() -> None:
    rule = PERMIT + "when = { protected = true }\n" + ACTIVE
    assert of(BASE + rule).obstacles
    shelter = BASE.replace('owner = "DHS"', 'owner = "DHS"\nsearches_protected = true')
    assert not Policy.parse(shelter + rule).never_granted()


def test_an_exception_that_holds_for_every_known_value_leaves_nothing() -> None:
    known = '["felony", "misdemeanor", "infraction", "traffic"]'
    found = of(BASE + PERMIT + f"unless = {{ charge = {known} }}\n" + ACTIVE)
    assert found.obstacles[0].sources == ("open",)
    assert "what 'open' asks of the facts can never be so" in found.text
    rest = BASE + PERMIT + 'unless = { charge = "felony" }\n' + ACTIVE
    assert not Policy.parse(rest).never_granted()


def test_the_bureau_that_must_be_passed_counts_too() -> None:
    via = BASE.replace('kind = "state"', 'kind = "state"\nvia = "CASIR0000"') + PERMIT + ACTIVE
    assert not Policy.parse(via).never_granted()
    ban = ('[[rule]]\nid = "ban"\neffect = "forbid"\nwho = "CASIR0000"\npartitions = "*"\n'
           'author = "CASIR0000"\n')  # fmt: skip
    found = of(via + ban)
    assert "for the bureau CASIR0000" in found.text
    assert found.must_act == ("CASIR0000",)


def test_a_question_that_takes_too_long_makes_no_claim(monkeypatch) -> None:
    """Giving up says "it may": only what was proved is called never."""
    fact = [(f"f{i}", frozenset((str(v),))) for i in range(9) for v in range(2)]
    words = {name: frozenset("01") for name, _ in fact}
    two = [Need(Reason.FORBIDDEN, ((a,), (b,)), "", (), ()) for a, b in zip(fact[::2], fact[1::2],
                                                                        strict=True)]  # fmt: skip
    last = Need(Reason.FORBIDDEN, tuple((("x", frozenset("ab")), ("x", frozenset("c")))
                                        for _ in range(3)), "", (), ())  # fmt: skip
    assert not satisfiable([*two, last], words)
    assert in_the_way([*two, last], words) == [[last]]
    monkeypatch.setattr(possible, "STEPS", 10)
    assert satisfiable([*two, last], words)


def test_nobody_must_act_where_nothing_is_in_the_way() -> None:
    assert must_act(()) == ()
