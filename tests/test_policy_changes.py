"""Changing a policy: by whom, from when, and with what left untouched."""

from __future__ import annotations

import pytest

from fpmatch.errors import InputError, PolicyError
from fpmatch.policy import OptOutStatus, Policy

SITE, OTHER, BUREAU = "CA0380100", "CA0380200", "CASIR0000"

TEXT = f"""
version = 3
transactions = ["CAR"]
[[partition]]
name = "criminal"
ndr = 1
owner = "DOJ-FBI"
[[partition]]
name = "immigration"
ndr = 9
owner = "DHS"
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
ori = "{OTHER}"
parent = "CA-SF"
[[agency]]
ori = "{BUREAU}"
kind = "sib"
parent = "CA"
[[rule]]
id = "open"
effect = "permit"
who = "*"
partitions = "*"
author = "DHS"
authority = "partition-owner"
[[activation]]
who = "CA"
partition = "immigration"
author = "DHS"
from = 2010-01-01
""".replace('partitions = "*"', 'partitions = "immigration"')


@pytest.fixture
def policy() -> Policy:
    return Policy.parse(TEXT)


def reason(policy: Policy, ori: str = SITE, at: str = "2011-06-01") -> str:
    return policy.explain(ori=ori, partition="immigration", at=at).reason.value


def off(policy: Policy, who: str = SITE, by: str = SITE, at: str = "2011-01-01") -> Policy:
    return policy.deactivate(who, "immigration", authority=by, reason="a decision", at=at)


def test_deactivate_is_a_new_policy_from_its_date_on(policy: Policy) -> None:
    changed = off(policy)
    assert (policy.version, changed.version) == (3, 4)
    assert reason(policy) == "GRANTED"
    assert reason(changed) == "ORI_DEACTIVATED"
    assert reason(changed, at="2010-12-31") == "GRANTED"
    assert reason(changed, OTHER) == "GRANTED"
    assert policy.digest != changed.digest
    why = changed.explain(ori=SITE, partition="immigration", at="2011-06-01")
    assert why.changeable_by == (SITE,)
    assert why.author == SITE
    assert why.authority == "local"
    assert changed.declared.activations[-1].reason == "a decision"


@pytest.mark.parametrize(
    ("who", "by"),
    [
        ("CA-SF", "CA-SF"),
        (SITE, "CA-SF"),
        (SITE, "CA"),
        ("CA", BUREAU),
        (SITE, BUREAU),
        ("CA", "DHS"),
    ],
)
def test_those_with_authority(policy: Policy, who: str, by: str) -> None:
    assert reason(off(policy, who, by)) == "ORI_DEACTIVATED"


@pytest.mark.parametrize(
    ("who", "by"),
    [("CA-SF", SITE), (OTHER, SITE), (SITE, "DOJ-FBI"), (SITE, "somebody"), ("*", BUREAU)],
)
@pytest.mark.parametrize("act", ["deactivate", "activate", "remove", "reschedule"])
def test_those_without(policy: Policy, act: str, who: str, by: str) -> None:
    more = {"date": "2012-01-01"} if act == "reschedule" else {}
    with pytest.raises(PolicyError):
        getattr(policy, act)(who, "immigration", authority=by, reason="", at="2011-01-01", **more)


def test_unknown_names(policy: Policy) -> None:
    with pytest.raises(InputError, match="no partition"):
        policy.deactivate(SITE, "mars", authority=SITE, reason="")
    with pytest.raises(InputError, match="no registered"):
        off(policy, "CA0389999")


def test_activate_lifts_ones_own_off(policy: Policy) -> None:
    changed = off(policy).activate(
        SITE, "immigration", authority=SITE, reason="back", at="2011-03-01"
    )
    assert [reason(changed, at=d) for d in ("2010-12-31", "2011-02-28", "2011-03-01")] == [
        "GRANTED",
        "ORI_DEACTIVATED",
        "GRANTED",
    ]


def test_what_had_ended_stays_ended(policy: Policy) -> None:
    once = off(policy).activate(SITE, "immigration", authority=SITE, reason="back", at="2011-03-01")
    again = off(once, at="2012-01-01").activate(
        SITE, "immigration", authority=SITE, reason="back again", at="2012-02-01"
    )
    days = ("2011-02-01", "2011-03-01", "2011-12-31", "2012-01-01", "2012-02-01")
    assert [reason(again, at=d) for d in days] == [
        "ORI_DEACTIVATED",
        "GRANTED",
        "GRANTED",
        "ORI_DEACTIVATED",
        "GRANTED",
    ]


@pytest.mark.parametrize("who", [SITE, "CA-SF"])
def test_nobody_lifts_anothers_off(policy: Policy, who: str) -> None:
    changed = off(policy, who, who)
    for by in ("DHS", BUREAU):
        with pytest.raises(PolicyError, match=f"only {who} can lift"):
            changed.activate(SITE, "immigration", authority=by, reason="", at="2011-03-01")
        with pytest.raises(PolicyError, match=f"only {who} can lift"):
            changed.reschedule(
                SITE, "immigration", date="2012-01-01", authority=by, reason="", at="2011-03-01"
            )


def test_reschedule_and_remove(policy: Policy) -> None:
    later = policy.reschedule(
        SITE, "immigration", date="2012-01-01", authority="DHS", reason="", at="2011-01-01"
    )
    assert [reason(later, at=d) for d in ("2010-12-31", "2011-01-01", "2012-01-01")] == [
        "GRANTED",
        "NOT_ACTIVATED",
        "GRANTED",
    ]
    sooner = later.reschedule(
        SITE, "immigration", date="2011-09-01", authority="DHS", reason="", at="2011-02-01"
    )
    assert [reason(sooner, at=d) for d in ("2011-03-01", "2011-09-01")] == [
        "NOT_ACTIVATED",
        "GRANTED",
    ]
    gone = sooner.remove(SITE, "immigration", authority="DHS", reason="", at="2011-03-01")
    assert reason(gone, at="2013-01-01") == "NOT_ACTIVATED"
    assert reason(gone, OTHER) == "GRANTED"
    with pytest.raises(InputError, match="not after"):
        policy.reschedule(
            SITE, "immigration", date="2011-01-01", authority="DHS", reason="", at="2011-01-01"
        )


@pytest.mark.parametrize("mode", ["ori_deactivated", "not_activated"])
def test_activate_ends_ones_own_mode(mode: str) -> None:
    policy = Policy.parse(
        TEXT + f'[[mode]]\nmode = "{mode}"\nwho = "{SITE}"\npartition = "immigration"\n'
        f'author = "{SITE}"\nfrom = 2010-06-01\n'
    )
    assert reason(policy) != "GRANTED"
    changed = policy.activate(SITE, "immigration", authority=SITE, reason="", at="2011-03-01")
    assert reason(changed, at="2011-02-28") == reason(policy)
    assert reason(changed, at="2011-03-01") == "GRANTED"


def with_mode(mode: str, dates: str) -> Policy:
    return Policy.parse(
        TEXT + f'[[mode]]\nmode = "{mode}"\nwho = "{SITE}"\npartition = "immigration"\n'
        f'author = "{SITE}"\n{dates}\n'
    )


@pytest.mark.parametrize(
    ("mode", "dates", "kept"),
    [
        ("ori_deactivated", "", False),
        ("ori_deactivated", "from = 2010-06-01\nto = 2012-01-01", False),
        ("ori_deactivated", "from = 2010-06-01\nto = 2010-09-01", True),
        ("ori_deactivated", "from = 2012-01-01", True),
        ("not_activated", "", False),
        ("not_activated", "until = 2012-01-01", False),
        ("not_activated", "until = 2010-09-01", True),
        ("not_activated", "from = 2012-01-01", True),
        ("results_withheld", "", True),
        ("conditional_charge", "until = 2012-01-01", True),
    ],
)
def test_activate_ends_no_other_mode(mode: str, dates: str, kept: bool) -> None:
    policy = with_mode(mode, dates)
    changed = policy.activate(SITE, "immigration", authority=SITE, reason="", at="2011-03-01")
    assert (changed.declared.modes == policy.declared.modes) is kept
    before = [reason(policy, at=d) for d in ("2010-07-01", "2010-10-01", "2011-02-28")]
    assert [reason(changed, at=d) for d in ("2010-07-01", "2010-10-01", "2011-02-28")] == before
    assert not reason(changed, at="2011-03-01").endswith("ACTIVATED")


def test_a_setting_without_a_beginning_keeps_its_past() -> None:
    text = TEXT.replace("from = 2010-01-01\n", "")
    changed = Policy.parse(text).remove(
        "CA", "immigration", authority="DHS", reason="", at="2011-03-01"
    )
    assert reason(changed, at="1999-01-01") == "GRANTED"
    assert reason(changed, at="2011-03-01") == "NOT_ACTIVATED"


def test_what_another_switched_on_is_no_obstacle(policy: Policy) -> None:
    changed = policy.activate(SITE, "immigration", authority=SITE, reason="", at="2011-03-01")
    assert reason(changed) == "GRANTED"


def test_a_changed_policy_can_be_written_and_read(policy: Policy) -> None:
    changed = off(off(policy), OTHER, BUREAU)
    assert Policy.parse(changed.to_toml()) == changed


def test_optout_requests_have_no_effect(policy: Policy) -> None:
    asked = policy.request_optout("r-1", SITE, "immigration", at="2011-01-01")
    assert reason(asked) == "GRANTED"
    assert [r.id for r in asked.requests(OptOutStatus.OPEN)] == ["r-1"]
    assert [r.id for r in asked.unmet_requests("2011-06-01")] == ["r-1"]
    assert asked.unmet_requests("2010-12-31") == []
    refused = asked.answer_optout("r-1", "refused", answer="no way out", at="2011-02-01")
    assert refused.requests()[0].answer == "no way out"
    assert [r.id for r in refused.unmet_requests("2011-06-01")] == ["r-1"]
    two = asked.request_optout("r-2", OTHER, "immigration", at="2011-01-02")
    answered = two.answer_optout("r-2", "refused", at="2011-02-01")
    assert [r.id for r in answered.requests(OptOutStatus.OPEN)] == ["r-1"]
    accepted = asked.answer_optout("r-1", OptOutStatus.ACCEPTED, at="2011-02-01")
    assert reason(accepted) == "GRANTED", "accepting alone changes no decision"
    assert off(accepted).unmet_requests("2011-06-01") == []
    assert accepted.requests(OptOutStatus.OPEN) == ()
    assert [p.version for p in (asked, refused)] == [4, 5]


def test_optout_requests_are_checked(policy: Policy) -> None:
    asked = policy.request_optout("r-1", SITE, "immigration", at="2011-01-01")
    for act in (
        lambda: asked.request_optout("r-1", SITE, "immigration"),
        lambda: policy.request_optout("r-2", SITE, "mars"),
        lambda: policy.request_optout("r-2", "CA0389999", "immigration"),
        lambda: policy.answer_optout("r-1", "accepted"),
        lambda: asked.answer_optout("r-1", "open"),
        lambda: asked.answer_optout("r-1", "accepted").answer_optout("r-1", "refused"),
    ):
        with pytest.raises(InputError):
            act()
