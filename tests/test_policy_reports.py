"""Explanations, lint, differences, coverage, and the compiled table's own promises."""

from __future__ import annotations

import numpy as np
import pytest
from test_policy_changes import BUREAU, OTHER, SITE, TEXT

from fpmatch.errors import InputError, PolicyFileError
from fpmatch.policy import Policy
from fpmatch.policy.lint import Level
from fpmatch.types import Facts, Ori, Permission

FORBID = """
[[rule]]
id = "{id}"
effect = "forbid"
who = "{who}"
partitions = "immigration"
author = "{author}"
{more}
"""


def forbid(id: str, who: str, author: str, more: str = "") -> str:
    return FORBID.format(id=id, who=who, author=author, more=more)


def mandate(enabled: bool = True) -> str:
    return (
        '[[rule]]\nid = "must"\neffect = "mandate"\nwho = "CA"\npartitions = "immigration"\n'
        'author = "DHS"\nauthority = "mandate"\nsigner = "D"\nlegal_basis = "L"\nfrom = 2010-01-01\n'  # noqa: E501
    )


def codes(text: str) -> dict[str, list[tuple[str, ...]]]:
    out: dict[str, list[tuple[str, ...]]] = {}
    for finding in Policy.parse(text, lenient=True).lint():
        out.setdefault(finding.code, []).append(finding.rules)
    return out


# -- explain


def test_explain_speaks_of_past_present_and_future() -> None:
    policy = Policy.parse(TEXT + forbid("ban", SITE, SITE, "from = 2012-01-01"))
    texts = {
        at: str(policy.explain(ori=SITE, partition="immigration", at=at))
        for at in ("2009-01-01", "2011-01-01", "2013-01-01")
    }
    assert "NOT_ACTIVATED" in texts["2009-01-01"]
    assert "GRANTED" in texts["2011-01-01"]
    assert "Permissions: accept, probe, view, notify." in texts["2011-01-01"]
    assert "Decided by ban, set by CA0380100 as local." in texts["2013-01-01"]
    assert "Who could change this: CA0380100." in texts["2013-01-01"]
    assert policy.explain(ori=SITE, partition="immigration").reason == "OWNER_FORBIDS"


def test_explain_lists_everything_in_the_way() -> None:
    policy = Policy.parse(
        TEXT
        + forbid("ban", "CA-SF", "CA-SF")
        + f'[[activation]]\nwho = "{SITE}"\npartition = "immigration"\nstate = "deactivated"\n'
        f'author = "{SITE}"\n'
    )
    why = policy.explain(ori=SITE, partition="immigration", at="2011-01-01")
    assert why.obstacles == ("FORBIDDEN", "ORI_DEACTIVATED")
    assert "Also in the way: ORI_DEACTIVATED." in why.text
    assert why.rule == "ban"
    assert why.author == "CA-SF"
    assert why.decision.rules == ("ban",)
    assert why.decision.authority == "local"


@pytest.mark.parametrize(
    ("extra", "facts", "reason", "who"),
    [
        ("", {}, "GRANTED", (SITE, "CA-SF", "CA", "DHS")),
        ("", {"transaction": "XXX"}, "UNKNOWN_TRANSACTION", ("the keeper of the registry",)),
        ("", {"requested": ()}, "NOT_REQUESTED", ("the submitter",)),
        ("", {"protected": True}, "PROTECTED", ("DHS",)),
        (
            forbid("x", SITE, SITE, 'unless = { charge = ["felony"] }'),
            {},
            "CONDITION_UNKNOWN",
            ("the submitter", SITE),
        ),
        (
            forbid("x", SITE, SITE, 'unless = { charge = ["felony"] }'),
            {"charge": "traffic"},
            "CONDITION_NOT_MET",
            (SITE,),
        ),
        (
            f'[[consent]]\nwho = "{SITE}"\npartition = "immigration"\nstate = "ASKED_NO"\n'
            f'author = "{BUREAU}"\n',
            {},
            "NO_CONSENT",
            (SITE, BUREAU),
        ),
        (forbid("x", SITE, BUREAU), {}, "FORBIDDEN", (BUREAU,)),
    ],
)
def test_explain_says_who_could_change_it(
    extra: str, facts: dict, reason: str, who: tuple[str, ...]
) -> None:
    policy = Policy.parse(TEXT + extra)
    why = policy.explain(ori=SITE, partition="immigration", at="2011-01-01", **facts)
    assert why.reason == reason
    assert why.changeable_by == who


VIEWLESS = 'permissions = ["accept", "probe"]\n'
HIDES = 'permissions = ["view"]\n'


@pytest.mark.parametrize(
    ("extra", "rule", "who", "words"),
    [
        (forbid("w1", SITE, SITE, HIDES), "w1", (SITE,), f"could change this: {SITE}."),
        (
            forbid("w1", SITE, SITE, HIDES) + forbid("w2", "CA", "CA", HIDES),
            "w1",
            (SITE, "CA"),
            f"Nobody could change this alone. Who must act: {SITE} for w1, and CA for w2.",
        ),
        (
            forbid("w1", SITE, SITE, HIDES)
            + forbid("w2", "CA", SITE, HIDES).replace('who = "CA"', f'who = "{SITE}"'),
            "w1",
            (SITE,),
            f"could change this: {SITE}.",
        ),
    ],
)
def test_everybody_who_withholds_a_result_must_act(extra, rule, who, words) -> None:
    why = Policy.parse(TEXT + extra).explain(ori=SITE, partition="immigration", at="2011-01-01")
    assert why.reason == "RESULTS_WITHHELD"
    assert why.rule == rule
    assert why.changeable_by == who
    assert words in why.text


def test_where_no_permit_shows_the_results_only_the_owner_could() -> None:
    """Not the bureau that wrote the permit: its agreement gives no more."""
    head, _, tail = TEXT.partition("[[rule]]")
    agreed = (
        '[[agreement]]\nid = "moa"\nkind = "MOA"\nparties = ["DHS", "CA"]\n'
        f'partitions = ["immigration"]\n{VIEWLESS}'
        '[[rule]]\nid = "bureau"\neffect = "permit"\nwho = "CA"\npartitions = "immigration"\n'
        f'author = "{BUREAU}"\nagreement = "moa"\n'
    )
    made = _without_permits(head, tail) + agreed
    why = Policy.parse(made).explain(ori=SITE, partition="immigration", at="2011-01-01")
    assert why.reason == "RESULTS_WITHHELD"
    assert (why.rule, why.author) == ("bureau", BUREAU)
    assert why.changeable_by == ("DHS",)


def test_what_decides_is_the_link_that_hides_the_results() -> None:
    permit = '[[rule]]\nid = "{0}"\neffect = "permit"\nwho = "{1}"\npartitions = "immigration"\n'
    permit += 'author = "DHS"\n'
    head, _, tail = TEXT.partition("[[rule]]")
    made = _without_permits(head, tail)
    made += permit.format("site", SITE) + permit.format("relay", BUREAU) + VIEWLESS
    why = Policy.parse(made).explain(
        ori=SITE, partition="immigration", at="2011-01-01", chain=(BUREAU,)
    )
    assert why.reason == "RESULTS_WITHHELD"
    assert "Decided by relay, set by DHS" in why.text
    assert why.changeable_by == ("DHS",)


def _without_permits(head: str, tail: str) -> str:
    """The text up to its first rule, with the tables behind its rules that are none."""
    tables = ("[[" + table for table in tail.split("[[")[1:])
    return head + "".join(t for t in tables if not t.startswith(("[[rule]]", "[[mode]]")))


@pytest.mark.parametrize("searches", ["true", "false"])
def test_a_malformed_flag_is_nobodys_but_the_submitters(searches: str) -> None:
    text = TEXT.replace('owner = "DHS"\n', f'owner = "DHS"\nsearches_protected = {searches}\n', 1)
    why = Policy.parse(text).explain(
        ori=SITE, partition="immigration", at="2011-01-01", protected=None
    )
    assert why.reason == "PROTECTED"
    assert why.rule == ""
    assert why.changeable_by == ("the submitter",)


def test_an_agreement_that_lapsed_is_renewed_by_no_party_alone() -> None:
    head, _, tail = TEXT.partition("[[rule]]")
    made = _without_permits(head, tail) + (
        '[[agreement]]\nid = "moa"\nkind = "MOA"\nparties = ["DHS", "CA"]\n'
        'partitions = ["immigration"]\nterminated = { by = "DHS", on = 2010-01-01 }\n'
        '[[rule]]\nid = "bureau"\neffect = "permit"\nwho = "CA"\npartitions = "immigration"\n'
        f'author = "{BUREAU}"\nagreement = "moa"\n'
    )
    policy = Policy.parse(made)
    why = policy.explain(ori=SITE, partition="immigration", at="2011-01-01")
    assert why.reason == "NO_AGREEMENT"
    assert why.changeable_by == ("DHS",)


def test_an_agency_out_of_service_is_not_called_unregistered() -> None:
    gone = '[[agency]]\nori = "CA0380999"\nparent = "CA"\nto = 2010-01-01\n'
    why = Policy.parse(TEXT + gone).explain(
        ori="CA0380999", partition="immigration", at="2011-01-01"
    )
    assert why.reason == "UNKNOWN_AGENCY"
    assert "or not in service" in why.text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("key", ["from", "to"])
def test_the_first_and_the_last_day_are_days_like_others(day: str, key: str) -> None:
    dates = f"{key} = {day}\n"
    agreement = (
        '[[agreement]]\nid = "moa"\nkind = "MOA"\nparties = ["DHS", "CA"]\n'
        'partitions = ["immigration"]\nnotice_days = 30\n'
        f'terminated = {{ by = "CA", on = {day} }}\n'
        '[[rule]]\nid = "by-moa"\neffect = "permit"\nwho = "CA"\npartitions = "immigration"\n'
        f'author = "{BUREAU}"\nagreement = "moa"\n'
    )
    wait = 'unless = { disposition = ["convicted"] }\ndefer = { event = "CONVICTION", days = 9 }\n'
    for extra in (forbid("x", SITE, SITE, dates), agreement, forbid("x", SITE, SITE, wait)):
        policy = Policy.parse(TEXT + extra)
        policy.lint()
        policy.never_granted()
        policy.compile(at=day)
        assert policy.explain(ori=SITE, partition="immigration", at=day).text


@pytest.mark.parametrize("when", ["9999-12-31T23:00:00-05:00", "0001-01-01T00:00:00+05:00"])
def test_a_time_that_utc_does_not_have_is_refused_in_our_words(when: str) -> None:
    with pytest.raises(PolicyFileError, match="outside the years"):
        Policy.parse(TEXT + forbid("x", SITE, SITE, f"from = {when}\n"))
    with pytest.raises(InputError, match="outside the years"):
        Policy.parse(TEXT).explain(ori=SITE, partition="immigration", at=when)


def test_explain_of_a_mandate_says_so() -> None:
    policy = Policy.parse(
        "mandates_enabled = true\n"
        + TEXT
        + mandate()
        + f'[[activation]]\nwho = "{SITE}"\npartition = "immigration"\nstate = "deactivated"\n'
        f'author = "{SITE}"\n'
    )
    why = policy.explain(ori=SITE, partition="immigration", at="2011-01-01")
    assert why.permissions & Permission.PROBE
    assert "overrides the missing local consent" in why.text
    assert why.authority == "mandate"


def test_explain_puts_the_registered_bureau_into_the_chain() -> None:
    policy = Policy.parse(TEXT.replace('kind = "state"', f'kind = "state"\nvia = "{BUREAU}"'))
    assert policy.explain(ori=SITE, partition="immigration", at="2011-01-01").reason == "GRANTED"
    alone = policy.explain(ori=SITE, partition="immigration", at="2011-01-01", chain=())
    assert alone.reason == "MISSING_LINK"


# -- lint


def test_lint_conflict() -> None:
    against = forbid("no", "CA", "DOJ", 'authority = "mandate"')
    found = codes("mandates_enabled = true\n" + TEXT + against + mandate())
    assert sorted(found["conflict"]) == [("no", "must"), ("no", "open")]
    assert "conflict" not in codes(TEXT + forbid("no", "CA", "CA"))
    past = forbid("no", "CA", "DOJ", 'authority = "mandate"\nto = 2009-01-01')
    assert codes(TEXT + past + mandate())["conflict"] == [("no", "open")]


def test_lint_unreachable() -> None:
    assert codes(TEXT + forbid("no", "*", "DHS"))["unreachable"] == [("open",)]
    assert "unreachable" not in codes(TEXT + forbid("no", "CA", "CA"))
    assert "unreachable" not in codes(TEXT + forbid("no", "*", "DHS", "from = 2012-01-01"))
    assert "unreachable" not in codes(TEXT + forbid("no", "*", "DHS", 'permissions = ["view"]'))
    assert "unreachable" not in codes(TEXT + forbid("no", "*", "DHS", 'when = { purpose = ["F"] }'))
    moa = (
        '[[agreement]]\nid = "m"\nparties = ["DHS", "CA"]\npartitions = ["immigration"]\n'
        "from = 2012-01-01\n{}\n"
        '[[rule]]\nid = "late"\neffect = "permit"\nwho = "CA"\npartitions = "immigration"\n'
        'author = "DHS"\nagreement = "m"\nto = {}\n'
    )
    assert codes(TEXT + moa.format("", "2011-01-01"))["unreachable"] == [("late",)]
    assert "unreachable" not in codes(TEXT + moa.format("", "2013-01-01"))
    narrow = moa.format('permissions = ["accept"]', "2013-01-01")
    assert codes(TEXT + narrow)["unreachable"] == [("late",)]


def test_lint_authority_ground_mandates_requests_and_settings() -> None:
    found = codes(TEXT + forbid("far", OTHER, SITE))
    assert "outside-authority" in found
    assert ("open",) in codes(TEXT)["no-legal-basis"]
    with_basis = TEXT.replace('id = "open"', 'id = "open"\nlegal_basis = "a law"')
    assert "no-legal-basis" not in codes(with_basis)
    assert codes(TEXT + mandate())["mandate-disabled"] == [("must",)]
    assert codes("mandates_enabled = true\n" + TEXT + mandate())["mandate-enabled"] == [("must",)]
    request = (
        f'[[optout]]\nid = "o"\nwho = "{SITE}"\npartition = "immigration"\nrequested = 2011-01-01\n'
    )
    assert codes(TEXT + request)["optout-open"] == [("o",)]
    off = (
        '[[activation]]\nwho = "CA-SF"\npartition = "immigration"\nstate = "deactivated"\n'
        'author = "CA-SF"\n'
        f'[[activation]]\nwho = "{SITE}"\npartition = "immigration"\nauthor = "DHS"\n'
    )
    assert "activated-below-off" in codes(TEXT + off)
    assert "activated-below-off" not in codes(TEXT)


def test_lint_names_a_mode_that_ends_before_the_date_that_it_waits_for() -> None:
    def mode(to: str) -> str:
        return (
            f'[[mode]]\nmode = "not_activated"\nwho = "{SITE}"\npartition = "immigration"\n'
            f'author = "DHS"\nfrom = 2011-01-01\nuntil = 2011-06-01\n{to}'
        )

    (label,) = codes(TEXT + mode("to = 2011-03-01\n"))["ends-before-until"]
    assert SITE in label[0]
    assert "ends-before-until" in codes(TEXT + mode("to = 2011-06-01\n"))
    assert "ends-before-until" not in codes(TEXT + mode("to = 2011-09-01\n"))
    assert "ends-before-until" not in codes(TEXT + mode(""))


def test_lint_puts_errors_first() -> None:
    text = TEXT + forbid("far", OTHER, SITE) + mandate()
    levels = [f.level for f in Policy.parse(text, lenient=True).lint()]
    assert levels == sorted(levels, key=list(Level).index)
    assert levels[0] is Level.ERROR
    assert str(Policy.parse(text, lenient=True).lint()[0]).startswith("error: outside-authority")


# -- declared against effective, coverage


def test_diff_finds_what_goes_further_than_stated() -> None:
    effective = Policy.parse(TEXT)
    declared = effective.deactivate(
        SITE, "immigration", authority=SITE, reason="as stated", at="2010-06-01"
    )
    found = declared.diff(effective, "2011-01-01")
    assert [(d.ori, d.partition, d.wider) for d in found] == [(SITE, "immigration", True)]
    assert "declared ORI_DEACTIVATED, effective GRANTED (goes further)" in str(found[0])
    assert declared.diff(effective, "2010-01-01") == []
    assert [d.wider for d in effective.diff(declared, "2011-01-01")] == [False]
    assert declared.diff(declared) == []


def test_diff_counts_a_missing_partition_as_nothing() -> None:
    small = Policy.parse(
        TEXT.replace('name = "immigration"', 'name = "other"').split("[[rule]]")[0]
    )
    found = Policy.parse(TEXT).diff(small, "2011-01-01")
    assert {d.effective_reason for d in found} == {"UNKNOWN_PARTITION"}


def test_coverage_grows_with_the_plan() -> None:
    policy = Policy.parse(TEXT + forbid("f", OTHER, OTHER, 'unless = { charge = ["felony"] }'))
    assert policy.coverage("2009-01-01")["immigration"].sites == 0
    now = policy.coverage("2011-01-01")["immigration"]
    assert (now.sites, now.counties, now.states, now.conditional_sites) == (1, 1, 1, 1)
    assert policy.coverage("2011-01-01")["criminal"].sites == 0


# -- the compiled table


def test_table_is_good_until_the_next_date() -> None:
    policy = Policy.parse(TEXT + forbid("f", SITE, SITE, "from = 2012-01-01"))
    table = policy.compile("2011-01-01")
    assert f"{table.valid_until:%Y-%m-%d}" == "2012-01-01"
    assert policy.compile("2013-01-01").valid_until is None
    assert (table.version, table.digest) == (policy.version, policy.digest)


def test_table_column_is_every_agencys_mask() -> None:
    policy = Policy.parse(TEXT + forbid("f", OTHER, OTHER))
    table = policy.compile("2011-01-01")
    column = table.column(Permission.PROBE)
    assert column.dtype == np.uint64
    by_ori = dict(zip(table.agencies, column.tolist(), strict=True))
    assert by_ori == {SITE: 2, OTHER: 0, BUREAU: 2}
    assert table.column(Permission.ACCEPT).tolist() == [2, 2, 2]
    closed = Policy.parse(TEXT + forbid("f", OTHER, OTHER, 'permissions = ["accept"]'))
    assert closed.compile("2011-01-01").column(Permission.PROBE).tolist() == [2, 0, 2]
    assert closed.compile("2011-01-01").column(Permission.ACCEPT).tolist() == [2, 0, 2]
    assert table.nbytes > 0


def test_table_has_room_for_the_64th_partition() -> None:
    many = "".join(
        f'[[partition]]\nname = "p{i}"\nndr = {i + 100}\nowner = "O"\nrequires_activation = false\n'
        for i in range(62)
    )
    rule = '[[rule]]\nid = "last"\neffect = "permit"\nwho = "*"\npartitions = "p61"\nauthor = "O"\n'
    policy = Policy.parse(TEXT + many + rule)
    table = policy.compile("2011-01-01")
    asked = Facts((Ori(SITE),), "CAR")
    assert table.masks(asked).probe == (1 << 63) | 2
    assert table.mask(asked).names() == ("immigration", "p61")
    assert table.column(Permission.PROBE)[0] == np.uint64((1 << 63) | 2)


def test_a_large_registry_is_compiled_into_few_rows() -> None:
    """A tenth of the 40 000 agencies of the measured case; how long: benchmarks/bench_policy.py."""
    agencies = "".join(f'[[agency]]\nori = "CA{i:07d}"\nparent = "CA-SF"\n' for i in range(4000))
    settings = "".join(
        f'[[activation]]\nwho = "CA{i:07d}"\npartition = "immigration"\nstate = "deactivated"\n'
        f'author = "CA{i:07d}"\n'
        for i in range(0, 4000, 10)
    )
    policy = Policy.parse(TEXT + agencies + settings)
    table = policy.compile("2011-01-01")
    assert len(table.rows) < 420, "agencies about which nothing is said share a row"
    column = table.column(Permission.PROBE)
    assert (column == 0).sum() == 400
