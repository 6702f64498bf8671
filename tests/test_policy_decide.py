"""Each guard of the decision by itself: with it off, one of these fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from fpmatch.errors import InputError
from fpmatch.policy import Policy
from fpmatch.policy.instant import instant
from fpmatch.types import Decision, Facts, Ori, Permission, Reason

SITE, OTHER, BUREAU, FBI = "CA0380100", "CA0380200", "CASIR0000", "USFBI0000"

HEAD = """
transactions = ["CAR", "CNA"]
roles = ["officer", "advocate"]
{top}
[attributes]
citizen = ["yes", "no"]
[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false
searches_protected = true
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
requires_activation = false
{partition}
[[partition]]
name = "town"
ndr = 901
owner = "CA-SF"
kind = "local"
requires_activation = false
[[jurisdiction]]
id = "CA"
kind = "state"
{state}
[[jurisdiction]]
id = "CA-SF"
parent = "CA"
[[agency]]
ori = "CA0380100"
parent = "CA-SF"
{agency}
[[agency]]
ori = "CA0380200"
parent = "CA-SF"
[[agency]]
ori = "CASIR0000"
kind = "sib"
parent = "CA"
[[agency]]
ori = "USFBI0000"
kind = "federal"
[[rule]]
id = "criminal"
effect = "permit"
who = "*"
partitions = "criminal"
author = "DOJ-FBI"
"""
OPEN = """
[[rule]]
id = "open"
effect = "permit"
who = "*"
partitions = "immigration"
permissions = ["probe", "view", "notify", "retain"]
author = "DHS"
legal_basis = "a law"
"""


def make(
    *parts: str, top: str = "", partition: str = "", state: str = "", agency: str = ""
) -> Policy:
    head = HEAD.format(top=top, partition=partition, state=state, agency=agency)
    return Policy.parse("\n".join((head, *parts)))


def forbid(who: str, author: str, more: str = "", id: str = "no") -> str:
    return f"""
[[rule]]
id = "{id}"
effect = "forbid"
who = "{who}"
partitions = "immigration"
author = "{author}"
{more}
"""


def mandate(who: str = "CA", more: str = "", author: str = "DHS") -> str:
    return f"""
[[rule]]
id = "must"
effect = "mandate"
who = "{who}"
partitions = "immigration"
author = "{author}"
authority = "mandate"
signer = "the Director"
legal_basis = "a letter"
from = 2010-01-01
{more}
"""


def activation(who: str, state: str, author: str, more: str = "") -> str:
    return (
        f'[[activation]]\nwho = "{who}"\npartition = "immigration"\nstate = "{state}"\n'
        f'author = "{author}"\n{more}\n'
    )


def ask(policy: Policy, *chain: str, at: str = "2011-01-01", **facts: object) -> Decision:
    facts.setdefault("transaction", "CAR")
    asked = Facts(tuple(Ori(o) for o in (chain or (SITE, BUREAU))), **facts)
    decision = policy.decide(asked, instant(at))
    masks = policy.compile(at).masks(asked)
    for k, plane in enumerate(("accept", "probe", "view", "notify", "retain")):
        bits = sum((p.permissions.value >> k & 1) << i for i, p in enumerate(decision.partitions))
        assert getattr(masks, plane) == bits, "the compiled table must agree"
    return decision


def reason(policy: Policy, *chain: str, at: str = "2011-01-01", **facts: object) -> str:
    return ask(policy, *chain, at=at, **facts)["immigration"].reason.value


# -- what refuses the whole submission


@pytest.mark.parametrize(
    "chain", [("CA0389999", BUREAU), (SITE, "CA0389999"), (SITE, BUREAU, "CA0389999")]
)
def test_unknown_link_refuses(chain: tuple[str, ...]) -> None:
    decision = ask(make(OPEN), *chain)
    assert decision.refused
    assert {p.reason for p in decision.partitions} == {"UNKNOWN_AGENCY"}
    assert decision.mask.bits == 0


def test_an_unknown_jail_does_not_fall_back_to_a_known_prefix() -> None:
    assert ask(make(OPEN), SITE[:-1] + "9").refused


def test_empty_chain_refuses() -> None:
    policy = make(OPEN)
    decision = policy.decide(Facts((), "CAR"), instant("2011-01-01"))
    assert decision.refused
    assert policy.compile("2011-01-01").masks(Facts((), "CAR")).probe == 0


def test_retired_agency_refuses() -> None:
    policy = make(OPEN, agency="from = 2010-01-01\nto = 2012-01-01")
    outcomes = [ask(policy, at=d).refused for d in ("2009-12-31", "2010-01-01", "2012-01-01")]
    assert outcomes == [True, False, True]


def test_unlisted_transaction_refuses() -> None:
    decision = ask(make(OPEN), transaction="LFIS")
    assert decision.refused
    assert decision.reason == "UNKNOWN_TRANSACTION"
    assert not ask(make(OPEN), transaction="CNA").refused


# -- default deny, chains


def test_nothing_without_a_permit() -> None:
    entry = ask(make())["immigration"]
    assert entry.permissions == Permission.NONE
    assert entry.reason == "NO_GRANT"


def test_a_permit_must_cover_every_link() -> None:
    narrow = OPEN.replace('who = "*"', 'who = "CA-SF"')
    assert reason(make(narrow), SITE) == "GRANTED"
    assert reason(make(narrow), SITE, BUREAU) == "NO_GRANT"
    assert reason(make(OPEN), SITE, BUREAU, FBI) == "GRANTED"


def test_any_link_may_narrow() -> None:
    policy = make(OPEN, forbid(BUREAU, BUREAU, 'permissions = ["view"]'))
    assert ask(policy, SITE)["immigration"].view
    entry = ask(policy, SITE, BUREAU)["immigration"]
    assert (entry.probe, entry.view, entry.notify) == (True, False, True)
    assert entry.reason == "RESULTS_WITHHELD"
    assert "no" in entry.rules


def test_the_bureau_must_be_passed_for_federal_partitions_only() -> None:
    town = f"""
[[rule]]
id = "town"
effect = "permit"
who = ["CA-SF", "{BUREAU}"]
partitions = "town"
author = "CA-SF"
authority = "partition-owner"
"""
    policy = make(OPEN, town, state=f'via = "{BUREAU}"')
    assert reason(policy, SITE) == "MISSING_LINK"
    assert ask(policy, SITE)["town"].probe
    assert reason(policy, SITE, BUREAU) == "GRANTED"


def test_permissions_are_independent_but_for_their_preconditions() -> None:
    only = OPEN.replace('["probe", "view", "notify", "retain"]', '["probe", "notify"]')
    entry = ask(make(only))["immigration"]
    names = Permission.ACCEPT | Permission.PROBE | Permission.NOTIFY
    assert entry.permissions == names
    for gone, left in (
        ("probe", Permission.ACCEPT),
        ("accept", Permission.NONE),
        ("retain", names | Permission.VIEW),
        ("notify", Permission.ACCEPT | Permission.PROBE | Permission.VIEW | Permission.RETAIN),
    ):
        policy = make(OPEN, forbid(SITE, SITE, f'permissions = ["{gone}"]'))
        assert ask(policy)["immigration"].permissions == left


# -- forbids


@pytest.mark.parametrize(
    ("who", "author", "expected"),
    [
        ("*", "DHS", "OWNER_FORBIDS"),
        (SITE, SITE, "OWNER_FORBIDS"),
        ("CA-SF", "CA-SF", "FORBIDDEN"),
        ("CA", BUREAU, "FORBIDDEN"),
        (SITE, BUREAU, "FORBIDDEN"),
    ],
)
def test_forbid_beats_permit(who: str, author: str, expected: str) -> None:
    policy = make(OPEN, forbid(who, author))
    assert reason(policy) == expected
    assert ask(policy)["immigration"].permissions == Permission.ACCEPT
    assert ask(policy)["criminal"].probe


def test_forbid_above_is_not_revived_below() -> None:
    below = OPEN.replace('id = "open"', 'id = "below"').replace('who = "*"', f'who = "{SITE}"')
    assert reason(make(OPEN, below, forbid("CA", "CA"))) == "FORBIDDEN"


def test_forbid_leaves_siblings_alone() -> None:
    policy = make(OPEN, forbid(OTHER, OTHER))
    assert reason(policy) == "GRANTED"
    assert reason(policy, OTHER) == "OWNER_FORBIDS"


def test_validity_is_half_open() -> None:
    policy = make(OPEN, forbid(SITE, SITE, "from = 2011-02-01\nto = 2011-03-01"))
    assert [reason(policy, at=d) for d in ("2011-01-31", "2011-02-01", "2011-03-01")] == [
        "GRANTED",
        "OWNER_FORBIDS",
        "GRANTED",
    ]


# -- conditions: three-valued, and unknown never helps


def test_permit_with_condition() -> None:
    policy = make(OPEN + 'when = { charge = ["felony"], purpose = ["C"] }\n')
    assert reason(policy, SITE, charge="felony") == "GRANTED"
    assert reason(policy, SITE, charge="traffic") == "CONDITION_NOT_MET"
    assert reason(policy, SITE, charge=None) == "CONDITION_UNKNOWN"
    assert reason(policy, SITE, charge="felony", purpose="F") == "CONDITION_NOT_MET"
    assert reason(policy, SITE, charge=None, purpose="F") == "CONDITION_NOT_MET"


def test_permit_with_exception() -> None:
    policy = make(OPEN + 'unless = { attributes = { citizen = ["yes"] } }\n')
    assert reason(policy, attributes={"citizen": "no"}) == "GRANTED"
    assert reason(policy, attributes={"citizen": "yes"}) == "CONDITION_NOT_MET"
    for unknown in ({}, {"citizen": "Yes"}, {"citizen": None}, {"citizen": ["no"]}):
        assert reason(policy, attributes=unknown) == "CONDITION_UNKNOWN"


def test_forbid_with_condition_holds_when_in_doubt() -> None:
    policy = make(OPEN, forbid(SITE, SITE, 'when = { charge = ["traffic"] }'))
    assert reason(policy, charge="felony") == "GRANTED"
    assert reason(policy, charge="traffic") == "OWNER_FORBIDS"
    for unknown in (None, "0399", "Traffic", ""):
        assert reason(policy, charge=unknown) == "CONDITION_UNKNOWN"


def test_forbid_with_exception_is_lifted_by_certainty_only() -> None:
    policy = make(OPEN, forbid(SITE, SITE, 'unless = { charge = ["felony"] }'))
    assert reason(policy, charge="felony") == "GRANTED"
    assert reason(policy, charge="traffic") == "CONDITION_NOT_MET"
    assert reason(policy, charge="0399") == "CONDITION_UNKNOWN"


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ('transaction = ["CNA"]', {"transaction": "CNA"}, {"transaction": "CAR"}),
        ('purpose = ["F"]', {"purpose": "F"}, {"purpose": "C"}),
        ('role = ["officer"]', {"role": "officer"}, {"role": ""}),
        ('charge = ["felony"]', {"charge": "felony"}, {"charge": "traffic"}),
        ('disposition = ["acquitted"]', {"disposition": "acquitted"}, {"disposition": "convicted"}),
        ("protected = false", {"protected": False}, {"protected": True}),
        (
            'attributes = { citizen = ["yes"] }',
            {"attributes": {"citizen": "yes"}},
            {"attributes": {"citizen": "no"}},
        ),
    ],
)
def test_every_fact_can_decide(condition: str, good: dict, bad: dict) -> None:
    policy = make(OPEN + f"when = {{ {condition} }}\n", partition="searches_protected = true")
    assert reason(policy, **good) == "GRANTED"
    assert reason(policy, **bad) == "CONDITION_NOT_MET"


def test_waiting_is_for_an_open_case_alone() -> None:
    more = 'unless = { disposition = ["convicted"], charge = ["felony"] }\n'
    policy = make(OPEN, forbid(SITE, SITE, more + 'defer = { event = "CONVICTION", days = 5 }'))
    assert reason(policy, charge="felony") == "AWAITING_EVENT"
    assert reason(policy, charge="felony", disposition="pending") == "AWAITING_EVENT"
    assert reason(policy) == "CONDITION_UNKNOWN"
    assert reason(policy, charge="felony", disposition="?") == "CONDITION_UNKNOWN"
    assert reason(policy, charge="traffic") == "CONDITION_NOT_MET"


def test_nothing_waits_unless_the_rule_says_so() -> None:
    policy = make(OPEN, forbid(SITE, SITE, 'unless = { disposition = ["convicted"] }'))
    entry = ask(policy)["immigration"]
    assert (entry.reason, entry.defer_until, entry.defer_expires) == ("CONDITION_UNKNOWN", "", None)


def test_waiting_needs_everything_else_in_order() -> None:
    waits = forbid(
        SITE,
        SITE,
        'unless = { disposition = ["convicted"] }\ndefer = { event = "CONVICTION" }',
        "wait",
    )
    entry = ask(make(OPEN, waits))["immigration"]
    assert (entry.reason, entry.defer_until) == ("AWAITING_EVENT", "CONVICTION")
    off = ask(make(OPEN, waits, activation(SITE, "deactivated", SITE)))["immigration"]
    assert (off.reason, off.defer_until) == ("ORI_DEACTIVATED", "")


# -- protection


def test_protected_probe() -> None:
    policy = make(OPEN)
    decision = ask(policy, protected=True)
    assert decision["immigration"].reason == "PROTECTED"
    assert not decision["immigration"].notify
    assert decision["criminal"].probe


@pytest.mark.parametrize("flag", [None, "no", 0, "false"])
def test_malformed_protection_denies_everywhere(flag: object) -> None:
    decision = ask(make(OPEN), protected=flag)
    assert {p.reason for p in decision.partitions if p.partition != "town"} == {"PROTECTED"}


def test_a_mandate_does_not_reach_the_protected() -> None:
    policy = make(OPEN, mandate("*"), top="mandates_enabled = true")
    assert reason(policy, protected=True) == "PROTECTED"


def test_named_roles_see_protected_records() -> None:
    policy = make(OPEN, partition='protected_roles = ["advocate"]')
    assert ask(policy, role="advocate")["immigration"].sees_protected
    assert not ask(policy, role="advocate")["criminal"].sees_protected
    assert not ask(policy, role="")["immigration"].sees_protected


# -- deployment plan and consent

NEEDS = "requires_activation = true"


def plan(*parts: str) -> Policy:
    text = HEAD.format(top="", partition="", state="", agency="")
    text = text.replace('owner = "DHS"\nrequires_activation = false', 'owner = "DHS"')
    return Policy.parse("\n".join((text, OPEN, *parts)))


def test_inactive_unless_activated() -> None:
    assert reason(plan()) == "NOT_ACTIVATED"
    assert reason(plan(activation("CA", "active", "DHS"))) == "GRANTED"
    assert reason(plan(activation(OTHER, "active", "DHS"))) == "NOT_ACTIVATED"
    assert reason(plan(activation("*", "active", "DHS"))) == "GRANTED"


def test_own_setting_beats_the_one_above() -> None:
    on, off = activation("CA", "active", "DHS"), activation("CA-SF", "inactive", "CA-SF")
    own = activation(SITE, "active", "DHS")
    assert reason(plan(on, off)) == "NOT_ACTIVATED"
    assert reason(plan(on, off, own)) == "GRANTED"
    assert reason(plan(on, off, own), OTHER) == "NOT_ACTIVATED"


def test_the_most_restrictive_of_one_nodes_settings_counts() -> None:
    both = (activation(SITE, "active", "DHS"), activation(SITE, "deactivated", SITE))
    inactive = activation(SITE, "inactive", BUREAU)
    assert reason(plan(*both)) == "ORI_DEACTIVATED"
    assert reason(plan(*both[::-1])) == "ORI_DEACTIVATED"
    assert reason(plan(*both, inactive)) == "ORI_DEACTIVATED"
    assert reason(plan(both[0], inactive)) == "NOT_ACTIVATED"


def test_activation_dates() -> None:
    policy = plan(activation("CA", "active", "DHS", "from = 2011-02-01\nto = 2011-03-01"))
    assert [reason(policy, at=d) for d in ("2011-01-31", "2011-02-01", "2011-03-01")] == [
        "NOT_ACTIVATED",
        "GRANTED",
        "NOT_ACTIVATED",
    ]


def test_a_setting_off_counts_where_no_activation_is_required() -> None:
    assert reason(make(OPEN, activation(SITE, "deactivated", SITE))) == "ORI_DEACTIVATED"
    assert reason(make(OPEN, activation("CA-SF", "inactive", "CA-SF"))) == "NOT_ACTIVATED"


def test_a_relay_is_stopped_by_its_own_setting_only() -> None:
    site = activation(SITE, "active", "DHS")
    assert reason(plan(site)) == "GRANTED"
    assert reason(plan(site, activation("CA", "inactive", "DHS"))) == "GRANTED"
    assert reason(plan(site, activation(BUREAU, "deactivated", BUREAU))) == "ORI_DEACTIVATED"
    assert reason(plan(site), BUREAU) == "NOT_ACTIVATED", "a bureau that books is a site"
    assert reason(plan(site), SITE, OTHER) == "NOT_ACTIVATED", "a police force is no relay"


def test_the_authority_is_that_of_whoever_spoke() -> None:
    entry = ask(plan(activation(OTHER, "inactive", OTHER)), SITE, OTHER)["immigration"]
    assert (entry.reason, entry.authority) == ("NOT_ACTIVATED", "local")
    assert ask(plan())["immigration"].authority == ""


def consent(who: str, state: str, more: str = "") -> str:
    return (
        f'[[consent]]\nwho = "{who}"\npartition = "immigration"\nstate = "{state}"\n'
        f'author = "{BUREAU}"\n{more}\n'
    )


def test_consent_where_the_state_asks() -> None:
    def asked(*parts: str) -> str:
        return reason(make(OPEN, *parts, state='require_consent = ["immigration"]'))

    assert asked() == "NO_CONSENT"
    assert asked(consent(SITE, "NOT_ASKED")) == "NO_CONSENT"
    assert asked(consent(SITE, "ASKED_NO")) == "NO_CONSENT"
    assert asked(consent(SITE, "ASKED_YES")) == "GRANTED"
    assert asked(consent(OTHER, "ASKED_YES")) == "NO_CONSENT"
    assert asked(consent(SITE, "ASKED_YES"), consent(SITE, "ASKED_NO")) == "NO_CONSENT"
    assert asked(consent(SITE, "ASKED_YES", "from = 2011-02-01")) == "NO_CONSENT"
    assert asked(consent(SITE, "ASKED_YES", "to = 2011-01-01")) == "NO_CONSENT"


def test_consent_is_asked_for_one_partition_at_a_time() -> None:
    decision = ask(make(OPEN, state='require_consent = ["immigration"]'))
    assert not decision["immigration"].probe
    assert decision["criminal"].probe


def test_an_owner_does_not_agree_with_itself() -> None:
    town = """
[[agreement]]
id = "alone"
parties = ["CA-SF"]
partitions = ["town"]
[[rule]]
id = "town"
effect = "permit"
who = "CA-SF"
partitions = "town"
author = "CA-SF"
authority = "partition-owner"
{}
"""
    assert ask(make(town.format("")), SITE)["town"].probe
    alone = ask(make(town.format('agreement = "alone"')), SITE)["town"]
    assert alone.reason == "NO_AGREEMENT"


def test_a_no_counts_where_nobody_had_to_ask() -> None:
    assert reason(make(OPEN)) == "GRANTED"
    assert reason(make(OPEN, consent(SITE, "ASKED_NO"))) == "NO_CONSENT"
    assert reason(make(OPEN, consent(SITE, "NOT_ASKED"))) == "GRANTED"


# -- agreements


def agreement(more: str = "", parties: str = '"DHS", "CA"') -> str:
    return (
        f'[[agreement]]\nid = "moa"\nparties = [{parties}]\npartitions = ["immigration"]\n{more}\n'
    )


def cited(author: str = BUREAU, who: str = "CA") -> str:
    text = OPEN.replace('author = "DHS"', f'author = "{author}"\nagreement = "moa"')
    return text.replace('who = "*"', f'who = "{who}"')


def test_agreement_dates_and_notice() -> None:
    policy = make(agreement("from = 2010-01-01\nto = 2012-01-01"), cited())
    assert [reason(policy, at=d) for d in ("2009-12-31", "2010-01-01", "2012-01-01")] == [
        "NO_AGREEMENT",
        "GRANTED",
        "NO_AGREEMENT",
    ]
    ended = make(
        agreement('notice_days = 30\nterminated = { by = "CA", on = 2011-05-01 }'), cited()
    )
    assert [reason(ended, at=d) for d in ("2011-05-01", "2011-05-30", "2011-05-31")] == [
        "GRANTED",
        "GRANTED",
        "NO_AGREEMENT",
    ]
    at_once = make(agreement('terminated = { by = "CA", on = 2011-05-01 }'), cited())
    assert reason(at_once, at="2011-05-01") == "NO_AGREEMENT"


def test_agreement_must_bind_the_links_own_side() -> None:
    other = '[[jurisdiction]]\nid = "NV"\nkind = "state"\n'
    owner = OPEN.replace('author = "DHS"', 'author = "DHS"\nagreement = "moa"')
    assert reason(make(agreement(), owner)) == "GRANTED"
    assert reason(make(other, agreement(parties='"DHS", "NV"'), owner)) == "NO_AGREEMENT"
    assert reason(make(agreement(parties='"DHS"'), owner)) == "NO_AGREEMENT"
    by_bureau = make(agreement(parties=f'"DHS", "{BUREAU}"'), owner)
    assert reason(by_bureau) == "GRANTED", "a bureau signs for its state"


def test_agreement_must_bind_the_owner_and_name_the_partition() -> None:
    owner = OPEN.replace('author = "DHS"', 'author = "DHS"\nagreement = "moa"')
    foreign = agreement(parties='"DOJ-FBI", "CA"')
    assert reason(make(foreign, owner)) == "NO_AGREEMENT"
    elsewhere = agreement().replace('["immigration"]', '["criminal"]')
    assert reason(make(elsewhere, owner)) == "NO_AGREEMENT"


def test_agreement_limits_the_permissions() -> None:
    policy = make(agreement('permissions = ["probe", "notify"]'), cited())
    entry = ask(policy)["immigration"]
    assert entry.permissions == Permission.ACCEPT | Permission.PROBE | Permission.NOTIFY
    assert entry.agreement == "moa"
    assert reason(make(agreement('permissions = ["view"]'), cited())) == "NO_GRANT"
    some = cited() + 'when = { charge = ["felony"] }\n'
    under = make(agreement('permissions = ["probe"]'), some)
    entry = ask(under, charge="felony")["immigration"]
    assert entry.permissions == Permission.ACCEPT | Permission.PROBE


# -- mandates


def test_mandates_are_off_unless_enabled() -> None:
    off = activation(SITE, "deactivated", SITE)
    assert reason(make(OPEN, off, mandate("*"))) == "ORI_DEACTIVATED"
    entry = ask(make(OPEN, off, mandate("*"), top="mandates_enabled = true"))["immigration"]
    assert entry.reason == "GRANTED"
    assert entry.consent_overridden
    assert entry.authority == "mandate"
    assert entry.rules[0] == "must"


@pytest.mark.parametrize(
    "lack",
    [activation(SITE, "inactive", SITE), consent(SITE, "ASKED_NO"), ""],
    ids=["inactive", "asked no", "no permit"],
)
def test_a_mandate_replaces_missing_consent(lack: str) -> None:
    parts = (lack, mandate("*")) if not lack else (OPEN, lack, mandate("*"))
    entry = ask(make(*parts, top="mandates_enabled = true"))["immigration"]
    assert entry.probe
    assert entry.consent_overridden


def test_a_mandate_that_was_not_needed_overrides_nothing() -> None:
    entry = ask(make(OPEN, mandate("*"), top="mandates_enabled = true"))["immigration"]
    assert entry.probe
    assert not entry.consent_overridden
    assert entry.authority == "partition-owner"


@pytest.mark.parametrize(
    ("who", "author", "expected"),
    [
        (SITE, SITE, "OWNER_FORBIDS"),
        ("CA", "CA", "FORBIDDEN"),
        ("*", "DHS", "OWNER_FORBIDS"),
    ],
)
def test_a_mandate_never_beats_a_forbid(who: str, author: str, expected: str) -> None:
    policy = make(
        OPEN, forbid(who, author), mandate("*", author="DOJ"), top="mandates_enabled = true"
    )
    assert reason(policy) == expected


def test_a_mandate_has_dates() -> None:
    off = activation(SITE, "deactivated", SITE)
    policy = make(OPEN, off, mandate("*", "to = 2011-06-01"), top="mandates_enabled = true")
    assert [reason(policy, at=d) for d in ("2009-12-31", "2011-01-01", "2011-06-01")] == [
        "ORI_DEACTIVATED",
        "GRANTED",
        "ORI_DEACTIVATED",
    ]


def test_a_mandate_may_have_conditions() -> None:
    off = activation(SITE, "deactivated", SITE)
    felony = mandate("*", 'when = { charge = ["felony"] }')
    policy = make(OPEN, off, felony, top="mandates_enabled = true")
    assert reason(policy, charge="felony") == "GRANTED"
    assert reason(policy, charge="traffic") == "ORI_DEACTIVATED"
    assert reason(policy, charge=None) == "ORI_DEACTIVATED"


def test_what_a_mandate_adds_in_vain_overrides_nothing() -> None:
    held = OPEN.replace('["probe", "view", "notify", "retain"]', '["probe"]')
    ban = forbid(SITE, SITE, 'permissions = ["view"]')
    adds = mandate("*", 'permissions = ["view"]')
    policy = make(held, ban, adds, top="mandates_enabled = true")
    entry = ask(policy, SITE)["immigration"]
    assert (entry.probe, entry.view, entry.consent_overridden) == (True, False, False)


def test_a_federal_objection_to_a_states_grant_is_no_conflict() -> None:
    against = forbid("CA", "DOJ", 'authority = "mandate"')
    assert reason(make(agreement(), cited(), against)) == "FORBIDDEN"
    assert reason(make(against)) == "FORBIDDEN"


def test_contradicting_federal_positions_deny_and_name_both() -> None:
    against = forbid("CA", "DOJ", 'authority = "mandate"')
    entry = ask(make(OPEN, against, mandate("*"), top="mandates_enabled = true"))["immigration"]
    assert entry.reason == "CONFLICT"
    assert set(entry.rules) == {"no", "open", "must"}
    alone = ask(make(OPEN, forbid("CA", "DHS", 'authority = "mandate"')))["immigration"]
    assert alone.reason == "OWNER_FORBIDS", "an owner that excepts some does not contradict itself"


# -- what the record of a decision says


def test_grant_names_authority_ground_and_agreement() -> None:
    entry = ask(make(agreement(), cited()))["immigration"]
    assert entry.authority == "sib"
    assert entry.legal_basis == "a law"
    assert entry.agreement == "moa"
    assert entry.rules == ("open",)


def test_the_nearest_grant_decides() -> None:
    near = OPEN.replace('id = "open"', 'id = "a-near"').replace('who = "*"', f'who = "{SITE}"')
    assert ask(make(OPEN, near), SITE)["immigration"].rules == ("a-near",)


def test_a_grant_that_does_not_open_the_partition_decides_nothing() -> None:
    near = OPEN.replace('id = "open"', 'id = "near"').replace('who = "*"', f'who = "{SITE}"')
    near = near.replace('["probe", "view", "notify", "retain"]', '["view"]')
    assert ask(make(OPEN, near), SITE)["immigration"].rules == ("open",)


def test_a_mandate_needed_by_any_link_is_named_first() -> None:
    off = activation(BUREAU, "deactivated", BUREAU)
    entry = ask(make(OPEN, off, mandate("*"), top="mandates_enabled = true"))["immigration"]
    assert entry.rules == ("must", "open")
    assert (entry.authority, entry.consent_overridden) == ("mandate", True)


def test_acknowledged() -> None:
    assert not ask(make(OPEN))["immigration"].acknowledged
    knows = make(OPEN, agency='acknowledges = ["immigration"]')
    assert ask(knows)["immigration"].acknowledged
    assert not ask(knows)["criminal"].acknowledged
    assert ask(make(OPEN, consent(SITE, "ASKED_YES")))["immigration"].acknowledged
    assert not ask(make(OPEN, consent(SITE, "NOT_ASKED")))["immigration"].acknowledged
    signs = make(agreement(parties=f'"DHS", "{SITE}"'), cited(SITE, SITE))
    assert ask(signs, SITE)["immigration"].acknowledged


def test_requested() -> None:
    policy = make(OPEN)
    assert ask(policy, requested=("immigration",)).mask.names() == ("immigration",)
    assert ask(policy, requested=None).mask.names() == ("criminal", "immigration")
    assert ask(policy, requested=()).mask.bits == 0
    decision = ask(policy, requested=("criminal", "atlantis", "atlantis"))
    names = [p.partition for p in decision.partitions]
    assert names == ["criminal", "immigration", "town", "atlantis"]
    assert decision["immigration"].reason == "NOT_REQUESTED"
    assert decision["atlantis"].reason == "UNKNOWN_PARTITION"
    assert reason(make(), requested=("criminal",)) == "NOT_REQUESTED"
    assert reason(make(OPEN, forbid(SITE, SITE)), requested=("criminal",)) == "OWNER_FORBIDS"


@pytest.mark.parametrize(
    ("top", "partition", "opaque"),
    [
        ("", "", False),
        ('status_visibility = "opaque"', "", True),
        ("", 'status_visibility = "opaque"', True),
        ('status_visibility = "opaque"', 'status_visibility = "full"', False),
    ],
)
def test_status_visibility(top: str, partition: str, opaque: bool) -> None:
    policy = make(OPEN, top=top, partition=partition)
    assert ask(policy)["immigration"].opaque is opaque
    assert ask(policy, "CA0389999")["immigration"].opaque is opaque


def test_decision_carries_version_and_digest() -> None:
    policy = make(OPEN, top="version = 7")
    decision = ask(policy)
    assert (decision.policy_version, decision.policy_digest) == (7, policy.digest)


def test_times_need_an_offset() -> None:
    with pytest.raises(InputError, match="offset"):
        make(OPEN).decide(Facts((Ori(SITE),), "CAR"), datetime(2011, 1, 1))
    with pytest.raises(InputError, match="ISO"):
        make(OPEN).explain(ori=SITE, partition="immigration", at="yesterday")


def test_a_grant_of_probing_that_forgets_accepting_is_no_grant_and_says_so():
    """Read from a file a permit always accepts; a rule made in Python may not."""
    text = make(OPEN)
    rules = tuple(
        replace(rule, bits=Permission.PROBE.value) if rule.id == "open" else rule
        for rule in text.declared.rules
    )
    policy = Policy(replace(text.declared, rules=rules))
    entry = ask(policy)["immigration"]
    assert not entry.permissions
    assert entry.reason is Reason.NO_GRANT
    assert not ask(policy, SITE)["immigration"].permissions
