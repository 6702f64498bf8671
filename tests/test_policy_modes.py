"""The seven meanings of "opt out": the truth table, and each told apart from every other."""

from __future__ import annotations

import itertools

import pytest

from fpmatch.policy import MODES, Policy
from fpmatch.types import Facts, Ori, PartitionDecision, Permission

SITE, NEIGHBOUR, BUREAU = "CA0380100", "CA0380200", "CASIR0000"
A, P, V, N, R = (
    Permission.ACCEPT,
    Permission.PROBE,
    Permission.VIEW,
    Permission.NOTIFY,
    (Permission.RETAIN),
)
NONE = Permission.NONE

BASE = f"""
transactions = ["CAR"]
[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
requires_activation = false
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
[[partition]]
name = "town"
ndr = 901
owner = "CA-SF"
kind = "local"
requires_activation = false
[[jurisdiction]]
id = "CA"
kind = "state"
[[jurisdiction]]
id = "CA-SF"
parent = "CA"
[[agency]]
ori = "{SITE}"
parent = "CA-SF"
[[agency]]
ori = "{NEIGHBOUR}"
parent = "CA-SF"
[[agency]]
ori = "{BUREAU}"
kind = "sib"
parent = "CA"
[[rule]]
id = "criminal"
effect = "permit"
who = "*"
partitions = "criminal"
author = "DOJ-FBI"
[[rule]]
id = "town"
effect = "permit"
who = ["CA-SF", "{BUREAU}"]
partitions = "town"
author = "CA-SF"
authority = "partition-owner"
[[rule]]
id = "state-wide"
effect = "permit"
who = "CA"
partitions = "immigration"
permissions = ["accept", "probe", "view", "notify", "retain"]
author = "DHS"
[[activation]]
who = "CA"
partition = "immigration"
author = "DHS"
"""


def policy(mode: str, extra: str = "", author: str = SITE) -> Policy:
    partition = "" if mode == "no_federal_submission" else 'partition = "immigration"'
    return Policy.parse(
        f'{BASE}\n[[mode]]\nmode = "{mode}"\nwho = "{SITE}"\nauthor = "{author}"\n'
        f"{partition}\n{extra}\n"
    )


def decide(
    policy: Policy, partition: str, at: str = "2011-01-01", ori: str = SITE, **facts: object
):
    from fpmatch.policy.instant import instant

    asked = Facts((Ori(ori), Ori(BUREAU)), "CAR", **facts)
    return policy.decide(asked, instant(at))[partition]


ALL = A | P | V | N | R
TABLE = [
    ("interoperable", {}, ALL, "GRANTED"),
    ("results_withheld", {}, A | P | N | R, "RESULTS_WITHHELD"),
    ("ori_deactivated", {}, A, "ORI_DEACTIVATED"),
    ("no_federal_submission", {}, NONE, "NO_FEDERAL_SUBMISSION"),
    ("conditional_charge", {"charge": "felony"}, ALL, "GRANTED"),
    ("conditional_charge", {"charge": "misdemeanor"}, A, "CONDITION_NOT_MET"),
    ("conditional_charge", {"charge": None}, A, "CONDITION_UNKNOWN"),
    ("conditional_charge", {"charge": "0399"}, A, "CONDITION_UNKNOWN"),
    ("deferred_disposition", {"disposition": "convicted"}, ALL, "GRANTED"),
    ("deferred_disposition", {"disposition": None}, A, "AWAITING_EVENT"),
    ("deferred_disposition", {"disposition": "pending"}, A, "AWAITING_EVENT"),
    ("deferred_disposition", {"disposition": "dismissed"}, A, "CONDITION_NOT_MET"),
    ("deferred_disposition", {"disposition": "?"}, A, "CONDITION_UNKNOWN"),
    ("not_activated", {}, A, "NOT_ACTIVATED"),
]


@pytest.mark.parametrize(("mode", "facts", "permissions", "reason"), TABLE)
def test_truth_table(mode: str, facts: dict, permissions: Permission, reason: str) -> None:
    entry = decide(policy(mode), "immigration", **facts)
    assert entry.permissions == permissions
    assert entry.reason == reason
    assert entry.notify == bool(permissions & N), "who is told is part of the mode"


@pytest.mark.parametrize("mode", MODES)
def test_criminal_search(mode: str) -> None:
    """Only the agency that submits nothing federal loses the criminal search."""
    entry = decide(policy(mode), "criminal")
    federal = mode != "no_federal_submission"
    assert entry.probe is federal
    assert entry.view is federal
    assert bool(entry.permissions & A) is federal
    assert decide(policy(mode), "town").probe


@pytest.mark.parametrize("mode", MODES)
def test_neighbour_is_untouched(mode: str) -> None:
    entry = decide(policy(mode), "immigration", ori=NEIGHBOUR)
    assert entry.permissions == ALL
    assert entry.reason == "GRANTED"


def behaviour(mode: str) -> tuple[PartitionDecision | tuple, ...]:
    made = policy(mode)
    seen = []
    for partition, charge, disposition in itertools.product(
        ("criminal", "immigration"), ("felony", "misdemeanor"), (None, "convicted")
    ):
        entry = decide(made, partition, charge=charge, disposition=disposition)
        seen.append((entry.permissions, entry.reason))
    return tuple(seen)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(MODES, 2)))
def test_modes_differ(one: str, other: str) -> None:
    assert behaviour(one) != behaviour(other)


def test_m3_and_m7_give_the_same_permissions_for_different_reasons() -> None:
    off, never = (decide(policy(m), "immigration") for m in ("ori_deactivated", "not_activated"))
    assert off.permissions == never.permissions
    assert off.reason != never.reason


def test_m2_and_m3_show_the_submitter_nothing_but_differ_in_probing() -> None:
    held, off = (decide(policy(m), "immigration") for m in ("results_withheld", "ori_deactivated"))
    assert (held.view, off.view) == (False, False)
    assert (held.probe, off.probe) == (True, False)
    assert (held.notify, off.notify) == (True, False)


def test_withheld_spares_the_named_roles() -> None:
    text = BASE.replace('["CAR"]', '["CAR"]\nroles = ["officer"]')
    made = Policy.parse(
        f'{text}\n[[mode]]\nmode = "results_withheld"\nwho = "{SITE}"\nauthor = "{SITE}"\n'
        'partition = "immigration"\nexcept_roles = ["officer"]\n'
    )
    assert decide(made, "immigration", role="officer").view
    assert not decide(made, "immigration", role="").view
    assert not decide(made, "immigration", role="Officer").view


def test_charges_of_the_condition_are_a_parameter() -> None:
    made = policy("conditional_charge", 'charges = ["felony", "misdemeanor"]')
    assert decide(made, "immigration", charge="misdemeanor").probe
    assert not decide(made, "immigration", charge="traffic").probe


def test_deferral_names_its_event_and_its_end() -> None:
    made = policy("deferred_disposition", 'event = "VERDICT"\nexpires_days = 10')
    entry = decide(made, "immigration")
    assert entry.deferred
    assert entry.defer_until == "VERDICT"
    assert f"{entry.defer_expires:%Y-%m-%d}" == "2011-01-11"
    closed = decide(made, "immigration", disposition="dismissed")
    assert (closed.deferred, closed.defer_until, closed.defer_expires) == (False, "", None)


def test_not_activated_ends_on_its_date() -> None:
    made = policy("not_activated", "until = 2011-06-01")
    assert not decide(made, "immigration", "2011-05-31").probe
    assert decide(made, "immigration", "2011-06-01").probe


def test_not_activated_until_a_date_is_a_plan_of_its_own() -> None:
    text = BASE.replace(
        'who = "CA"\npartition = "immigration"\nauthor',
        f'who = "{NEIGHBOUR}"\npartition = "immigration"\nauthor',
    )
    made = Policy.parse(
        f'{text}\n[[mode]]\nmode = "not_activated"\nwho = "{SITE}"\nauthor = "DHS"\n'
        'partition = "immigration"\nuntil = 2011-06-01\n'
    )
    assert not decide(made, "immigration", "2011-05-31").probe
    assert decide(made, "immigration", "2011-06-01").probe


def test_a_mode_by_the_owner_also_grants() -> None:
    alone = BASE.replace(
        'who = "CA"\npartitions = "immigration"', f'who = "{BUREAU}"\npartitions = "immigration"'
    )
    for mode, probe in (("interoperable", True), ("results_withheld", True)):
        by = {}
        for author in ("DHS", SITE):
            made = Policy.parse(
                f'{alone}\n[[mode]]\nmode = "{mode}"\nwho = "{SITE}"\nauthor = "{author}"\n'
                'partition = "immigration"\nretain = true\n'
            )
            by[author] = decide(made, "immigration")
        assert by["DHS"].probe is probe
        assert by["DHS"].retain is probe
        assert by[SITE].reason == "NO_GRANT", "a site cannot open another's partition"


def test_retention_is_asked_for() -> None:
    alone = BASE.replace(
        'who = "CA"\npartitions = "immigration"', f'who = "{BUREAU}"\npartitions = "immigration"'
    )
    made = Policy.parse(
        f'{alone}\n[[mode]]\nmode = "interoperable"\nwho = "{SITE}"\nauthor = "DHS"\n'
        'partition = "immigration"\n'
    )
    assert decide(made, "immigration").probe
    assert not decide(made, "immigration").retain


def test_a_mode_holds_in_its_own_time() -> None:
    made = policy("results_withheld", "from = 2011-02-01\nto = 2011-03-01")
    views = [
        decide(made, "immigration", day).view
        for day in ("2011-01-31", "2011-02-01", "2011-02-28", "2011-03-01")
    ]
    assert views == [True, False, False, True]
